"""One injection: a real run under strace (Debian's), whose n-th system call of a kind on its own files goes wrong.

Whatever that run says of it, the same command without strace must finish the work: each row once at the server, each with
its one outcome, as the server's own state file knows it (`crash.truth`).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from pathlib import Path

from batcher.config import Files
from tests.crash.command import CALM, environment, write_rows
from tests.crash.siege import create
from tests.crash.truth import STRANGER, judge
from tests.support.faulty import server_thread
from tests.support.rows import MODEL

STRACE = shutil.which("strace")
MOST_SECONDS = 60
TAKEN = "taken-by-a-stranger"  # one row fails in each run, so that the failures file is written and replaced
NAMES = frozenset({*(f"row {number}" for number in range(5)), "refused"})
CALLS = ("write", "pwrite64", "fdatasync", "fsync", "/^rename", "openat")
ENDS = {0, 1, 2, 3, 5}  # 70 would be a bug of ours, 4 somebody else's lock


class Fault(StrEnum):
    """What goes wrong, as strace's `inject` says it."""

    IO_ERROR = "error=EIO"
    DISK_FULL = "error=ENOSPC"
    STILL_FULL = "error=ENOSPC, and so does each call after it"
    INTERRUPTED = "error=EINTR"
    SLOW = "delay_exit=300000"
    KILLED = "signal=SIGKILL"


@dataclass(frozen=True, slots=True)
class Injection:
    """The `nth` call (counted from 1) of a kind, in a first run or in one that goes on after `--limit 2`."""

    call: str
    nth: int
    fault: Fault
    is_resumed: bool

    def __str__(self) -> str:
        """For people: what it is, and how to have it again."""
        return f"{'resumed' if self.is_resumed else 'first'} run, {self.call} {self.nth}: {self.fault.name}"

    @property
    def words(self) -> str:
        """The value of strace's `-e inject`."""
        fault = self.fault.partition(",")[0]
        return f"{self.call}:{fault}:when={self.nth}{'+' if self.fault is Fault.STILL_FULL else ''}"


def all_of(is_resumed: bool, call: str, fault: Fault) -> Iterator[Injection]:
    """From the first call on, without end: take them until one didn't happen."""
    return (Injection(call, nth, fault, is_resumed) for nth in count(1))


def inject(directory: Path, injection: Injection) -> bool:
    """Do it in an empty directory, then run the command again. Returns whether there was such a call.

    Raises AssertionError where a law is broken.
    """
    state = directory / "server.sqlite"
    write_rows(directory, [_row(name) for name in sorted(NAMES)])
    with server_thread(state) as server:
        create(server.base_url, f"{STRANGER} 1", TAKEN)
    with server_thread(state) as server:  # another start: its requests are told apart
        if injection.is_resumed:
            _finish(directory, server.base_url, "--limit", "2")
        has_happened = _struck(directory, server.base_url, injection)
        code, errors = _finish(directory, server.base_url)
    assert code == 1, (
        f"{injection}: the run after it ended with {code}: {errors}"
    )  # 1: a stranger has one row's identifier
    paths = (directory / f"d.{kind}.jsonl" for kind in ("results", "failures", "journal"))
    results, failures, journal = paths
    files = Files(results=results, failures=failures, journal=journal)
    verdict = judge(files, state, set(NAMES), {"refused"}, start=2)
    assert not verdict.problems, f"{injection}: " + "\n".join(verdict.problems)
    return has_happened


def _row(name: str) -> dict[str, object]:
    spec: dict[str, object] = {"modelId": MODEL, "name": name}
    return spec if name != "refused" else spec | {"identifier": TAKEN}


def _struck(directory: Path, base_url: str, injection: Injection) -> bool:
    """One run in which it happens, if there is such a call. Its own end is one of those that the contract names."""
    assert STRACE is not None
    log = directory / "strace.log"
    own = [f"d.{kind}.jsonl" for kind in ("results", "failures", "journal")]
    own += [f".{name}.new" for name in own]
    paths = [word for name in own for path in (name, directory / name) for word in ("-P", str(path))]
    told = ["-f", "-qq", "-o", str(log), *paths, "-P", str(directory)]
    told += ["-e", f"trace={injection.call}", "-e", f"inject={injection.words}"]
    done = _run(directory, base_url, [STRACE, *told])
    is_killed = done.returncode in (-9, 137)
    assert is_killed or done.returncode in ENDS, f"{injection}: exit code {done.returncode}: {done.stderr}"
    assert "Traceback" not in done.stderr, f"{injection}: {done.stderr}"
    if not is_killed:
        _check_counts(directory, injection, json.loads(done.stdout))
    return is_killed or any(mark in log.read_text() for mark in ("(INJECTED)", "(DELAYED)"))


def _check_counts(directory: Path, injection: Injection, told: dict[str, object]) -> None:
    """Nothing is counted that isn't written (contract 7)."""
    results = directory / "d.results.jsonl"
    written = results.read_bytes().count(b"\n") if results.exists() else 0
    if "created" in told:
        assert told["created"] == written, f"{injection}: {told['created']} counted, {written} written"


def _finish(directory: Path, base_url: str, *flags: str) -> tuple[int, str]:
    done = _run(directory, base_url, [], *flags)
    return done.returncode, done.stderr


def _run(directory: Path, base_url: str, before: list[str], *flags: str) -> subprocess.CompletedProcess[str]:
    # safe path: else the interpreter itself looks for modules in the working directory
    command = [sys.executable, "-P", "-m", "batcher", "run", "d.jsonl", "--base-url", base_url, *CALM, "--json", *flags]
    return subprocess.run(
        [*before, *command],
        cwd=directory,
        env=environment(directory),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=MOST_SECONDS,
        check=False,
    )
