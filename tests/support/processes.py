"""Processes that a test starts: none outlives its test, and nothing that a test waits for waits for ever."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

MOST_SECONDS = 120.0


@contextmanager
def bounded(process: subprocess.Popen[str], seconds: float = MOST_SECONDS) -> Iterator[subprocess.Popen[str]]:
    """The process, killed on leaving the block, or after so many seconds: then every read from it comes to an end."""
    watchdog = threading.Timer(seconds, process.kill)
    watchdog.start()
    with process:
        try:
            yield process
        finally:
            watchdog.cancel()
            process.kill()
