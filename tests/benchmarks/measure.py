"""Start a process, and say what it took: seconds, CPU, peak memory. It runs on the harness's own core, which then idles."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Checkout:
    """A copy of this project, and the interpreter that has its dependencies."""

    root: Path
    python: str


THIS = Checkout(Path(__file__).resolve().parents[2], sys.executable)
_measured = ContextVar("measured", default=THIS)


@dataclass(frozen=True, slots=True)
class Taken:
    """What one process took. `cpu_seconds` is user and system together, `peak_bytes` its largest resident size."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str


@contextmanager
def measuring(checkout: Checkout) -> Iterator[None]:
    """Start the commands of the block in this checkout, with its interpreter."""
    token = _measured.set(checkout)
    try:
        yield
    finally:
        _measured.reset(token)


def start(*command: str | Path, codes: Sequence[int] = (0,)) -> Taken:
    """Run a command to its end. Raises RuntimeError if it exits with none of `codes`."""
    environment = _environment()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        begun = time.perf_counter()
        with subprocess.Popen(
            command, stdout=output, stderr=errors, env=environment, cwd=_measured.get().root
        ) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - begun
        output.seek(0)
        errors.seek(0)
        printed, complaints = output.read().decode(), errors.read().decode()
    if process.returncode not in codes:
        shown = (" ".join(map(str, command)), f"exit {process.returncode}", printed[-2000:], complaints[-2000:])
        raise RuntimeError("\n".join(shown))
    return Taken(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, printed)


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
    return kept | {
        "OMNI_API_KEY": "omni_osk_benchmark",
        "PYTHONPATH": str(_measured.get().root),
        "XDG_STATE_HOME": tempfile.gettempdir(),
    }


def lasting(after_seconds: float, seconds: float, *arguments: str | Path) -> float:
    """The CPU seconds that our command takes in so many seconds, the first ones left out; then it is ended.

    Raises RuntimeError if it ends by itself before.
    """
    checkout = _measured.get()
    command = [checkout.python, "-m", "batcher", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=_environment(), cwd=checkout.root
    ) as run:
        try:
            time.sleep(after_seconds)
            before = _cpu_seconds(run.pid)
            time.sleep(seconds)
            taken = _cpu_seconds(run.pid) - before
            if run.poll() is not None:
                raise RuntimeError(f"exit {run.returncode} before its time")
            return taken
        finally:
            run.terminate()
            run.communicate()


def _cpu_seconds(process: int) -> float:
    """User and system time of a process so far (Linux), to a hundredth of a second."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def python(*arguments: str | Path) -> Taken:
    """Run the checkout's Python."""
    return start(_measured.get().python, *arguments)


def batcher(*arguments: str | Path) -> Taken:
    """Run our command as a user would."""
    return start(_measured.get().python, "-m", "batcher", *arguments)
