"""`batcher` as a user types it, but in this process: what is printed and the exit code, without an interpreter's start.

A start costs half a second of a core, so only tests of signals, streams, terminals, kills and imports pay for one.
"""

from __future__ import annotations

import gc
import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import TextIO
from unittest.mock import patch

from batcher.cli.app import execute

ROOT = Path(__file__).resolve().parents[2]


def environment(directory: Path, **more: str) -> dict[str, str]:
    """An environment without anything of the machine's owner."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
    return kept | {"HOME": str(directory), "PYTHONPATH": str(ROOT), "BATCHER_STATE_DIR": str(directory)} | more


def start(directory: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a directory; `more` are environment variables."""
    return _executed(directory, arguments, environment(directory, **more), "")


def feed(directory: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a directory, with this text as standard input."""
    return _executed(directory, arguments, environment(directory), text)


def _executed(
    directory: Path, arguments: tuple[str, ...], variables: Mapping[str, str], text: str
) -> subprocess.CompletedProcess[str]:
    streams = [io.TextIOWrapper(io.BytesIO(content), "utf-8") for content in (text.encode(), b"", b"")]
    code = execute_with(directory, arguments, variables, *streams)
    _, stdout, stderr = streams
    for stream in streams:
        stream.flush()
        stream.seek(0)
    return subprocess.CompletedProcess(arguments, code, stdout.read(), stderr.read())


def execute_with(
    directory: Path,
    arguments: tuple[str, ...],
    variables: Mapping[str, str],
    stdin: TextIO,
    stdout: TextIO,
    stderr: TextIO,
) -> int:
    """Run the command in this process with these streams. Returns its exit code."""
    with (
        chdir(directory),
        patch.dict(os.environ, variables, clear=True),
        patch.multiple(sys, stdin=stdin, stdout=stdout, stderr=stderr),
        _collector_kept(),
    ):
        return execute(arguments, time.monotonic())


@contextmanager
def _collector_kept() -> Iterator[None]:
    """A command sets the garbage collector up for a process that is all its own."""
    thresholds = gc.get_threshold()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
