"""One life of `batcher run` in a process of its own: born, watched, perhaps struck, and buried with its exit code.

A life is forked from this process, where batcher is imported already, because three hundred starts of an interpreter
would cost minutes and kill little but imports; one in some is a whole `python -m batcher` all the same. This process
has no threads, so forking it is sound.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from batcher.cli import run as cli_run
from batcher.cli.app import execute
from batcher.transport import http

from .blow import Blow

POLL_SECONDS = 0.0005
LONGEST_LIFE_SECONDS = 120.0
PRELOADED = (cli_run, http)  # imported here, so that a forked life begins with its work


@dataclass(frozen=True, slots=True)
class Death:
    """How a life ended. `code` is negative for the signal that ended it."""

    code: int
    was_struck: bool
    output: str
    errors: str


def live(
    command: Sequence[str], directory: Path, environment: Mapping[str, str], blow: Blow | None, *, fresh: bool = False
) -> Death:
    """Let one process live in `directory` until it ends or the blow ends it. `fresh`: with an interpreter of its own."""
    pid = os.fork()
    if pid == 0:
        _be(command, directory, environment, fresh=fresh)
    status, was_struck = _watch(pid, blow)
    said = [(directory / name).read_text(errors="replace") for name in ("stdout", "stderr")]
    return Death(os.waitstatus_to_exitcode(status), was_struck, *said)


def _be(command: Sequence[str], directory: Path, environment: Mapping[str, str], *, fresh: bool) -> None:
    """Be the process; never returns."""
    code = 99
    try:
        os.chdir(directory)
        for number, name in enumerate((os.devnull, "stdout", "stderr")):
            descriptor = os.open(name, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(descriptor, number)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the siege itself is in the background
        if fresh:
            os.execve(  # noqa: S606 - the command, as a user starts it
                sys.executable, [sys.executable, "-m", "batcher", *command], dict(environment)
            )
        os.environ.clear()
        os.environ.update(environment)
        code = execute(command, time.monotonic())
        sys.stdout.flush()
        sys.stderr.flush()
    except KeyboardInterrupt:
        code = 130
    finally:
        os._exit(code)


def _watch(pid: int, blow: Blow | None) -> tuple[int, bool]:
    """Wait for the end; strike when the instant has come."""
    begun = time.monotonic()
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status, False
        lived = time.monotonic() - begun
        if blow is not None and blow.is_now(lived):
            return _strike(pid, blow), True
        if lived > LONGEST_LIFE_SECONDS:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise AssertionError(f"a run was still alive after {lived:.0f} s")
        time.sleep(POLL_SECONDS)


def _strike(pid: int, blow: Blow) -> int:
    """Send the signals, each after its pause, and wait for the end."""
    for pause_seconds, number in blow.signals:
        time.sleep(pause_seconds)
        with suppress(ProcessLookupError):
            os.kill(pid, number)
    if blow.next_instant is not None:
        return _watch(pid, blow.next_instant())[0]
    return os.waitpid(pid, 0)[1]
