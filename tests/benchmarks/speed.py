"""Target 1: documents a second and CPU for each, beside an expert's script without any guarantee, in the same round."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson

from .measure import Taken, batcher, python
from .server import Server

REFERENCE = Path(__file__).with_name("reference.py")


@dataclass(frozen=True, slots=True)
class Sent:
    """One sending of a file: seconds from the first request to the last outcome on disk, and CPU seconds for it."""

    documents: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int

    @property
    def per_second(self) -> float:
        """Documents a second."""
        return self.documents / self.seconds

    @property
    def cpu_each(self) -> float:
        """CPU seconds for each document."""
        return self.cpu_seconds / self.documents


def reference(specs: Path, server: Server, home: Path, concurrency: int = 64, *, is_bare: bool = False) -> Sent:
    """The expert's script; it measures itself, from the first request to its output flushed (never fsynced)."""
    stage = ("post",) if is_bare else ()
    url = f"{server.url}/api/v1/documents"
    taken = python(REFERENCE, specs, url, home / "reference.jsonl", str(concurrency), *stage)
    said = orjson.loads(taken.output)
    return Sent(said["documents"], said["seconds"], said["cpu"], taken.peak_bytes)


@dataclass(frozen=True, slots=True)
class Ran:
    """One `batcher run`: its sending, the whole process, and the CPU seconds of start-up and of the check pass."""

    sent: Sent
    taken: Taken
    start_seconds: float
    check_seconds: float


def run(specs: Path, one: Path, server: Server, home: Path, concurrency: int = 64) -> Ran:
    """`batcher run` with every guarantee on, and all that the process took.

    The clock begins with the time in the first intent, which is stamped before that intent is written and its request
    leaves, and ends when the failures file is replaced, which happens after the fsync of the last outcome. The CPU is
    the whole process's, less start-up (a run of one row) and the check pass (`check` of all rows, less that of one).
    """
    results = home / "run.results.jsonl"
    plain = ("--base-url", server.url, "--rate", "none", "--no-preflight", "--no-shared-pace", "-q")
    command = (*plain, "--concurrency", str(concurrency), "--results", str(results))
    clear(home)
    start = batcher("run", one, *command).cpu_seconds
    check = batcher("check", specs, "-q").cpu_seconds - batcher("check", one, "-q").cpu_seconds
    clear(home)
    taken = batcher("run", specs, *command)
    begin, count = _first_intent(home / "run.journal.jsonl"), _lines(results)
    seconds = (home / "run.failures.jsonl").stat().st_mtime - begin
    sent = Sent(count, seconds, taken.cpu_seconds - start - check, taken.peak_bytes)
    return Ran(sent, taken, start, check)


def clear(home: Path) -> None:
    """Forget the last run."""
    for file in home.glob("run.*"):
        file.unlink()


def _first_intent(journal: Path) -> float:
    """When the first attempt was about to leave, in seconds of the wall clock."""
    with journal.open("rb") as stream:
        for line in stream:
            said = orjson.loads(line)
            if said["type"] == "intent":
                return datetime.fromisoformat(said["at"]).timestamp()
    raise RuntimeError(f"{journal}: no intent")


def _lines(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(1 for _ in stream)
