"""A traced run, and the same command on each state that a power cut may have left of it.

The server keeps what it had committed when the power went: by the time of the last event before the cut, or of the one
behind it. Its own state file says when that was.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from batcher.config import Files
from tests.crash.command import CALM, KEY, environment, write_rows
from tests.crash.siege import create
from tests.crash.truth import STRANGER, judge
from tests.crash.truth import lines as lines_of
from tests.support.command import start
from tests.support.faulty import server_thread
from tests.support.rows import MODEL

from .disk_states import State, states, without_sync
from .trace import Event, read_trace

STRACE = shutil.which("strace")
TAKEN = "taken-by-a-stranger"  # one row fails in each run, so that the failures file is written and replaced
NAMES = frozenset({*(f"row {number}" for number in range(5)), "refused"})
TRACED = "openat,write,fdatasync,fsync,ftruncate,unlink,/^rename"
UNCLEAR = "reset-after@2"  # one create happens and its answer is lost: found again by a look-up
MOST_SECONDS = 60


@dataclass(frozen=True, slots=True)
class TracedRun:
    """What one run did, and what there was before it.

    `told` is its final object, `server` the server's own state afterwards, `port` where that served.
    """

    directory: Path
    before: Mapping[Path, bytes]
    events: Sequence[Event]
    told: Mapping[str, object]
    server: Path
    port: int

    @property
    def files(self) -> Files:
        """The run's own files."""
        results, failures, journal = (self.directory / f"d.{kind}.jsonl" for kind in ("results", "failures", "journal"))
        return Files(results=results, failures=failures, journal=journal)

    def states(self, seed: int) -> Iterator[State]:
        """What a power cut may leave, between any two events."""
        return states(self.events, self.before, self.directory, Random(seed))

    def without_sync(self, left_out: Path) -> TracedRun:
        """As if the program had never synced this file (or this directory)."""
        return replace(self, events=without_sync(self.events, left_out))


def traced_run(directory: Path, *, is_resumed: bool) -> TracedRun:
    """Trace a run of six rows in `directory / "work"`: the first, or one that goes on after `--limit 2`."""
    assert STRACE is not None
    work, server, log = directory / "work", directory / "server.sqlite", directory / "strace.log"
    work.mkdir()
    write_rows(work, [_row(name) for name in sorted(NAMES)])
    with server_thread(server) as serving:
        create(serving.base_url, f"{STRANGER} 1", TAKEN)
    with server_thread(server, "--fault", UNCLEAR) as serving:
        if is_resumed:
            _start(work, serving.base_url, "--limit", "2")
        before = {path: path.read_bytes() for path in work.glob("d.*.jsonl") if path.name != "d.jsonl"}
        own = [work / f"d.{kind}.jsonl" for kind in ("results", "failures", "journal")]
        own += [path.with_name(f".{path.name}.new") for path in own]
        paths = [word for path in own for form in (path, path.name) for word in ("-P", str(form))]
        strace = [STRACE, "-f", "-qq", "-ttt", "-y", "-s", "1000000", "-o", str(log), *paths, "-P", str(work)]
        done = subprocess.run(
            [*strace, "-e", f"trace={TRACED}", sys.executable, "-P", "-m", "batcher", *_words(serving.base_url)],
            cwd=work,
            env=environment(work),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=MOST_SECONDS,
            check=False,
        )
        port = int(serving.base_url.rpartition(":")[2])
    assert done.returncode == 1, done.stderr
    return TracedRun(work, before, read_trace(log, work), json.loads(done.stdout), server, port)


def check_recovery(run: TracedRun, state: State, until: float) -> None:
    """The same command on this state, at a server that has what it had committed until then (seconds since 1970).

    Raises AssertionError where a law is broken.
    """
    where = f"event {state.cut}, {run.events[state.cut].deed}"[:300]
    if state.is_end:
        for path, counted in ((run.files.results, run.told["created"]), (run.files.failures, run.told["failed"])):
            lines = state.files.get(path, b"").replace(b"\0", b"").count(b"\n")
            assert lines == counted, f"{where}: {counted} counted, {lines} lines of {path.name} survive"
    for path in run.directory.glob("*"):
        if path.name != "d.jsonl":
            path.unlink()
    for path, content in state.files.items():
        path.write_bytes(content)
    server = run.directory / "server.sqlite"
    _copy_server(run.server, server, until)
    with server_thread(server, port=run.port) as serving:  # the journal names its server
        ended = _start(run.directory, serving.base_url)
    assert ended.returncode == 1, f"{where}: exit code {ended.returncode}: {ended.stderr}"
    verdict = judge(run.files, server, set(NAMES), {"refused"}, start=1)
    assert not verdict.problems, f"{where}: " + "\n".join(verdict.problems)
    adopted = [line["name"] for line in lines_of(run.files.results) if line["how"] == "adopted"]
    assert not adopted, f"{where}: {adopted} were ours, and are taken for somebody else's"


def cases(run: TracedRun, seed: int) -> Iterator[tuple[State, float]]:
    """Each state, with the server as it was just after the last event, and just before the next one where that differs."""
    with closing(sqlite3.connect(run.server)) as db:
        times = [at for (at,) in db.execute("SELECT created_at FROM documents")]
    for state in run.states(seed):
        yield state, state.at
        if any(state.at < at <= state.next_at for at in times):
            yield state, state.next_at


def _copy_server(source: Path, to: Path, until: float) -> None:
    with closing(sqlite3.connect(source)) as db, closing(sqlite3.connect(to)) as copy:
        db.backup(copy)
        copy.execute("DELETE FROM documents WHERE created_at > ?", (until,))
        copy.commit()


def _row(name: str) -> dict[str, object]:
    spec: dict[str, object] = {"modelId": MODEL, "name": name}
    return spec if name != "refused" else spec | {"identifier": TAKEN}


def _words(base_url: str, *flags: str) -> list[str]:
    return ["run", "d.jsonl", "--base-url", base_url, *CALM, "--json", "--concurrency", "2", *flags]


def _start(work: Path, base_url: str, *flags: str) -> subprocess.CompletedProcess[str]:
    return start(work, *_words(base_url, *flags), OMNI_API_KEY=KEY)
