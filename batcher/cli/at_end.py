"""What happens when a run has ended: `--metrics-file` is written, `--on-end` is called. Neither changes what it came to."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ..errors import UsageError
from .final_files import writable

HOOK_SECONDS = 20.0


def words_of(command: str) -> tuple[str, ...]:
    """The words of `--on-end`, as a shell splits them, though none is asked. Raises UsageError."""
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise UsageError(f"--on-end: {command!r} can't be split into words ({error}); check its quotes") from None
    if not words:
        raise UsageError("--on-end: name a program, and its arguments if it takes any")
    return words


def missing(words: Sequence[str]) -> str | None:
    """What a run is told at once, rather than hours later: there is no such program."""
    if not words or shutil.which(words[0]) is not None:
        return None
    return f"--on-end: there's no program {words[0]!r} to run; nothing will be called when the run ends"


def call(words: Sequence[str], summary: bytes, seconds: float = HOOK_SECONDS) -> str | None:
    """Run the command with the summary on its standard input; what went wrong, if anything did. Raises nothing.

    What it prints is thrown away, however much that is. What is left of it after its time is killed, with its children.
    """
    try:
        code = _code_of(words, summary, seconds)
    except (OSError, ValueError) as error:
        return f"--on-end: {words[0]} can't be started: {getattr(error, 'strerror', None) or error}"
    except KeyboardInterrupt:
        return f"--on-end: {words[0]} was interrupted"
    if code is None:
        return f"--on-end: {words[0]} was killed after {seconds:g} s"
    if code == 0:
        return None
    how = f"exit code {code}" if code > 0 else f"signal {-code}"
    return f"--on-end: {words[0]} ended with {how}; run it with the --summary file as its input to see why"


def _code_of(words: Sequence[str], summary: bytes, seconds: float) -> int | None:
    """What it ended with, a signal as a negative number; None if it had to be killed."""
    import subprocess  # noqa: PLC0415 - only with the option
    import tempfile  # noqa: PLC0415

    with tempfile.TemporaryFile() as given:  # not a pipe: the command may read none of it
        given.write(summary)
        given.seek(0)
        nothing = subprocess.DEVNULL
        process = subprocess.Popen(  # noqa: S603 - the user's own command
            words, stdin=given, stdout=nothing, stderr=nothing, start_new_session=True
        )
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.returncode is None:
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def checked_metrics(path: Path) -> Path:
    """The file of `--metrics-file`. Raises UsageError if it can't be written, or is something else's."""
    head = b""
    with suppress(OSError):
        head = path.read_bytes()[:1000] if writable(path, "--metrics-file").is_file() else b""
    if head.strip() and b"batcher_" not in head:
        raise UsageError(f"--metrics-file {path}: this file holds something else; name one that batcher may replace")
    return path


def metrics_of(path: Path, fields: Mapping[str, object]) -> bytes:
    """What `--metrics-file` is to hold now; the last success of a run that failed is that of the file as it is."""
    from ..report.metrics import last_success_of, metrics_text  # noqa: PLC0415 - only with the option

    now = time.time()
    before = b""
    with suppress(OSError):
        before = path.read_bytes() if path.is_file() else b""
    return metrics_text(fields, path.stem, now, now if fields["exitCode"] == 0 else last_success_of(before))
