"""An undo that is cut off at any instant: what its journal says, and what the next command makes of it (contract 7)."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

import batcher
from batcher.commands import status
from batcher.files.disk import AppendFile, Disk
from batcher.sandbox.calls import Call
from batcher.send.drain import Drain, End

from ..support.command import start
from ..support.faulty import FaultyServer, on, server_thread
from ..support.processes import bounded
from ..support.runs import Job, Witness, row, until
from .test_undo import deletions, running, sheet, undone, wait_for


def undo_lines(job: Job) -> list[str]:
    """The types of the journal's lines of undo, in order."""
    return [line["type"] for line in job.journal if line["type"] in ("undoing", "undone", "undo_kept")]


def cut_last(job: Job) -> None:
    """As if the process had died before it wrote the journal's last line."""
    whole = job.files.journal.read_bytes().splitlines(keepends=True)
    job.files.journal.write_bytes(b"".join(whole[:-1]))


def told_by_status(job: Job, base_url: str) -> str:
    """What `status` warns of."""
    witness = Witness()
    status.status(job.settings(base_url), observer=witness)
    return "\n".join(witness.warnings)


class _Watched:
    """A file whose durable bytes are known."""

    def __init__(self, file: AppendFile, path: Path, durable: dict[str, bytes]) -> None:
        self._file, self._path, self._durable = file, path, durable
        self.write, self.size, self.truncate = file.write, file.size, file.truncate

    async def sync(self) -> None:
        """What was written before is durable afterwards."""
        written = self._path.read_bytes()
        await self._file.sync()
        self._durable[self._path.name] = written


class WatchedDisk(Disk):
    """The disk; `durable` is what a power cut would leave, by file name."""

    def __init__(self) -> None:
        self.durable: dict[str, bytes] = {}

    @contextmanager
    def append(self, path: Path) -> Iterator[Any]:
        """Open for appending."""
        with super().append(path) as file:
            yield _Watched(file, path, self.durable)


async def test_each_delete_leaves_after_its_intent_is_durable(tmp_path: Path) -> None:
    """Many workers share an fsync, and none is ahead of it."""
    disk, early = WatchedDisk(), []
    job = Job(tmp_path)
    job.runtime = replace(job.runtime, storage=disk)
    job.rows(*(row(f"n{number}") for number in range(12)))

    def watch(call: Call) -> bool:
        identifier = call.path.rpartition("/")[2].encode()
        if b'"type":"undoing","identifier":"%s"' % identifier not in disk.durable[job.files.journal.name]:
            early.append(identifier)
        return False

    async with FaultyServer(on("DELETE 500", watch)) as server:
        await job.run(server.base_url)
        assert (await undone(job, server.base_url, concurrency=5)).deleted == 12
    assert early == []
    assert sorted(undo_lines(job)) == ["undoing"] * 12 + ["undone"] * 12


@pytest.mark.parametrize("is_deleted", [True, False])
def test_killed_before_it_hears_of_its_delete(is_deleted: bool, tmp_path: Path) -> None:
    """Regression: `run` called the document created, for ever; now `status` says so and `run` looks it up."""
    sheet(tmp_path, 3)
    fault = "DELETE hang-after@1" if is_deleted else "DELETE hang-before@1"
    with server_thread(tmp_path / "state.sqlite", "--fault", fault) as server:
        at = ("--base-url", server.base_url, "--rate", "none")
        assert start(tmp_path, "run", "d.csv", *at, "--no-preflight", OMNI_API_KEY="k").returncode == 0
        journal = tmp_path / "d.journal.jsonl"
        undo = ("undo", "d.results.jsonl", *at, "--yes")
        with bounded(running(tmp_path, *undo, "--limit", "1", "--timeout", "300")) as process:
            wait_for(lambda: b'"undoing"' in journal.read_bytes())
            wait_for(lambda: not is_deleted or any(document.deleted_at for document in server.commits))
            process.send_signal(signal.SIGKILL)
            process.wait()
        status = start(tmp_path, "status", "d.csv", *at)
        assert f"an undo was cut off: run it again: `batcher undo d.results.jsonl --base-url {at[1]}`" in status.stderr
        ran = start(tmp_path, "run", "d.csv", *at, "--no-preflight", "--json", OMNI_API_KEY="k")
        assert ran.returncode == 0, ran.stderr
        assert ("1 undone" in ran.stderr) is is_deleted
        assert "an undo was cut off" not in start(tmp_path, "status", "d.csv", *at).stderr
        assert (b'"undo_kept"' in journal.read_bytes()) is not is_deleted
        again = start(tmp_path, "run", "d.csv", *at, "--no-preflight", "--recreate-undone", OMNI_API_KEY="k")
        assert again.returncode == 0, again.stderr
        assert len(server.commits) == 3 + is_deleted
        assert sum(document.deleted_at is None for document in server.commits) == 3


async def test_the_undo_itself_goes_on_and_counts_it_as_deleted(tmp_path: Path) -> None:
    """Its own DELETE before was the one that worked."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        await undone(job, server.base_url, limit=1)
        cut_last(job)
        found = await undone(job, server.base_url)
        assert (found.deleted, found.gone) == (2, 0)


async def test_what_cannot_be_looked_up_stays_open(tmp_path: Path) -> None:
    """A warning says so, the row is created as far as anybody knows, and nothing is sent twice."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer("GET 500@1-5") as server:
        await job.run(server.base_url)
        await undone(job, server.base_url)
        cut_last(job)
        ran = await job.run(server.base_url)
        assert (ran.code, ran.counts) == (0, {"created_before": 1})
        assert "an undo was cut off: run it again" in ran.warnings
        assert "It isn't known yet whether it deleted 1 document." in ran.warnings
        ran = await job.run(server.base_url)
        assert (ran.warnings.count("cut off"), ran.counts) == (0, {"undone": 1})
    assert len(server.commits) == 1


async def test_a_key_is_needed_for_the_look_up(tmp_path: Path) -> None:
    """A run that would have had nothing to do has this to do."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        await undone(job, server.base_url)
        cut_last(job)
        with pytest.raises(batcher.UsageError, match="no API key"):
            await job.run(server.base_url, keys=())


async def test_a_program_that_uses_the_library_looks_it_up_too(tmp_path: Path) -> None:
    """`create` on the same journal: undone, so passed over."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer() as server, batcher.Client(server.base_url, "k1") as client:
        await job.run(server.base_url)
        await undone(job, server.base_url)
        cut_last(job)
        async with batcher.create([row("a")], client, rate=None, journal=job.files.journal, shared_pace=False) as made:
            assert [outcome async for outcome in made] == []
        assert made.skipped == 1
        assert undo_lines(job) == ["undoing", "undone"]


REFUSED = b'{"detail": "You need manager rights", "status": 403}'
ROUTER = b'{"message": "Route DELETE:/api/v1/documents/a not found", "error": "Not Found", "statusCode": 404}'


@pytest.mark.parametrize(("fault", "body"), [("DELETE 403", REFUSED), ("DELETE 404", ROUTER)])
async def test_a_delete_that_did_nothing_is_closed(fault: str, body: bytes, tmp_path: Path) -> None:
    """Refused, or answered by a router: not deleted, and no later run looks it up."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer(on(fault, body=body)) as server:
        await job.run(server.base_url)
        found = await undone(job, server.base_url)
        assert (found.kept, found.deleted, found.gone, found.exit_code) == (1, 0, 0, 1)
        assert undo_lines(job) == ["undoing", "undo_kept"]
        assert told_by_status(job, server.base_url) == ""
        assert (await job.run(server.base_url)).counts == {"created_before": 1}
        assert server.gets == []


async def test_an_unclear_delete_stays_open_until_a_run_looks(tmp_path: Path) -> None:
    """Nobody knows what the server's 500s did: not deleted as far as we know, and the look-up says it is there."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer("DELETE 500@1-3") as server:
        await job.run(server.base_url)
        found = await undone(job, server.base_url)
        assert (found.kept, found.exit_code, undo_lines(job)) == (1, 1, ["undoing"])
        assert "an undo was cut off" in told_by_status(job, server.base_url)
        assert (await job.run(server.base_url)).counts == {"created_before": 1}
        assert undo_lines(job) == ["undoing", "undo_kept"]
        assert (await undone(job, server.base_url)).deleted == 1


async def test_interrupted_while_it_waits_it_leaves_nothing_open(tmp_path: Path) -> None:
    """429 did nothing, and what has no slot yet has no intent."""
    job = Job(tmp_path)
    job.rows(*(row(f"n{number}") for number in range(4)))
    async with FaultyServer("DELETE 429=60@2-") as server:
        await job.run(server.base_url)
        drain = Drain()

        async def interrupt() -> None:
            await until(lambda: len(deletions(server)) > 1)
            drain.start(End.INTERRUPTED)

        async with anyio.create_task_group() as group:
            group.start_soon(interrupt)
            found = await undone(job, server.base_url, drain=drain, concurrency=4)
        assert (found.exit_code, found.deleted) == (130, 1)
        lines = undo_lines(job)
        assert lines.count("undoing") == lines.count("undone") + lines.count("undo_kept") < 5
        assert "cut off" not in told_by_status(job, server.base_url)
