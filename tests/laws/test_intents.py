"""Intents whose request does not leave, leaves late, or is not answered before the run dies (contract 7)."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from batcher.files.disk import AppendFile, Disk
from batcher.pace.rate import Rate
from batcher.sandbox.calls import Call
from batcher.send.drain import Drain, End
from batcher.transport.reply import Cause, Lost, Reply

from ..support import virtual
from ..support.faulty import FaultyServer, on
from ..support.runs import BASE, Job, Memory, answer, row, until, virtual_world

RESET = Lost(Cause.RESET, "the connection was lost")


class Crowded:
    """A file of a disk that has room for short lines only, and whose fsync takes a while (virtual seconds)."""

    def __init__(self, file: AppendFile, disk: CrowdedDisk) -> None:
        self._file, self._disk = file, disk
        self.size, self.truncate = file.size, file.truncate

    def write(self, data: bytes) -> None:
        """Take a part of what is too long, as a full disk does."""
        if self._disk.refuses in data:
            self._file.write(data[:10])
            raise OSError(errno.ENOSPC, "No space left on device")
        self._file.write(data)

    async def sync(self) -> None:
        """These tests do not cut the power."""
        await anyio.sleep(self._disk.fsync_seconds)


class CrowdedDisk(Disk):
    """A disk that has no room for what holds the text `refuses`."""

    def __init__(self, *, refuses: bytes = b"\0", fsync_seconds: float = 0.0) -> None:
        self.refuses = refuses
        self.fsync_seconds = fsync_seconds

    @contextmanager
    def append(self, path: Path) -> Iterator[Any]:
        """Open for appending."""
        with super().append(path) as file:
            yield Crowded(file, self)


def live(job: Job, memory: Memory, disk: Disk, body: Callable[[], Awaitable[None]]) -> None:
    """Run `body` in virtual time with this server and this disk."""
    job.runtime = replace(virtual_world(memory), storage=disk)

    async def main() -> None:
        with memory.serving():
            await body()

    virtual.run(main)


def test_an_intent_that_finds_no_room_leaves_the_attempt_before_it_unclear(tmp_path: Path) -> None:
    """The disk is full between two attempts: the first one stays unclear, and its late document is found by the next run.

    Failed before: the row's `clear` fitted in where its second intent had not, and took back the first attempt.
    """

    def script(call: Call, number: int) -> Reply | None:
        return RESET if call.method == "POST" and number == 1 else None

    job, memory, disk = Job(tmp_path), Memory(script), CrowdedDisk(refuses=b'"attempt":2')
    job.rows(row("a", identifier="mine-1"))

    async def body() -> None:
        ran = await job.run(BASE)
        assert (ran.code, ran.counts) == (3, {"uncertain": 1})
        disk.refuses = b"\0"
        memory.carry_out(memory.calls[0][1])
        ran = await job.run(BASE)
        assert (ran.code, job.how) == (0, {"a": "reconciled"})

    live(job, memory, disk, body)
    assert len(memory.documents) == 1


def test_an_intent_that_waits_out_a_brake_is_made_anew(tmp_path: Path) -> None:
    """The brake comes between intent and request and lasts 20 minutes: a 404 right after the request proves nothing.

    Failed before: the attempt was counted from its intent, so that the reads' lag settled it as not created, and the
    row whose document exists was failed.
    """
    left: list[float] = []

    def script(call: Call, number: int) -> Reply | None:
        if call.method == "POST" and number == 1:
            return answer(429, retry_after="1200")
        if call.method == "POST" and b'"mine-1"' in call.body:
            left.append(virtual.loop().time())
            if len(left) == 1:
                memory.carry_out(call)
                return RESET
        if call.method == "GET" and virtual.loop().time() < left[0] + 10:
            return answer(404, 'Document with identifier "mine-1" not found')
        return None

    job, memory = Job(tmp_path), Memory(script)
    job.rows(row("a"), row("b", identifier="mine-1"))

    async def body() -> None:
        ran = await job.run(BASE, concurrency=2, rate=Rate(10, 1.0))
        assert (ran.code, ran.counts) == (0, {"created_now": 1, "reconciled": 1})

    live(job, memory, CrowdedDisk(fsync_seconds=0.2), body)
    types = [line["type"] for line in job.journal if line.get("key") == "id:mine-1"]
    assert types[:3] == ["intent", "clear", "intent"], "the first one was there when the brake came"
    assert len(memory.documents) == 2


@pytest.mark.parametrize("is_aborted", [False, True])
def test_a_drain_while_an_intent_waits_for_the_disk_takes_it_back(tmp_path: Path, is_aborted: bool) -> None:
    """Nothing leaves, the row isn't attempted, and a later run sends it as one that never was."""
    job, memory = Job(tmp_path), Memory(lambda _call, _number: None)
    job.rows(row("a", identifier="mine-1"))
    drain = Drain()

    async def stop() -> None:
        await until(lambda: job.files.journal.exists() and b'"type":"intent"' in job.files.journal.read_bytes())
        drain.start(End.INTERRUPTED)
        if is_aborted:
            drain.abort()

    async def body() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stop)
            ran = await job.run(BASE, drain=drain)
        assert (ran.code, ran.counts, len(memory.documents)) == (130, {"to_do": 1}, 0)
        types = [line["type"] for line in job.journal if "key" in line]
        assert types == ["intent", "clear"]
        assert (await job.run(BASE)).counts == {"created_now": 1}

    live(job, memory, CrowdedDisk(fsync_seconds=2.0), body)


@pytest.mark.parametrize("fill_identifiers", [True, False])
@pytest.mark.parametrize("is_removed", [False, True])
async def test_a_row_that_failed_and_was_died_over_is_uncertain(
    tmp_path: Path, *, fill_identifiers: bool, is_removed: bool
) -> None:
    """Failed; sent again, and that run was killed; the next run does not come to it: no longer failed, but uncertain.

    Failed before: the line of the failure before was kept, though an attempt was unclear; and if the row had been
    removed and had no identifier, for ever.
    """
    job = Job(tmp_path)
    sending: dict[str, Any] = {"fill_identifiers": fill_identifiers, "concurrency": 1}
    job.rows(row("a"), row("b"))
    async with FaultyServer("400@2", on("GET 500")) as server:
        await job.run(server.base_url, **sending)
        assert job.reasons == {"b": "failed rejected"}
        *_, intent = (line for line in job.files.journal.read_bytes().splitlines() if b'"type":"intent"' in line)
        with job.files.journal.open("ab") as journal:
            journal.write(b'{"type":"run","run":"killed"}\n' + intent + b"\n")
        drain = Drain()
        if is_removed:
            job.rows(row("a"))
        else:
            drain.start(End.INTERRUPTED)
        ran = await job.run(server.base_url, drain=drain, **sending)
    assert job.reasons["b"].startswith("uncertain")
    assert ran.counts == {"created_before": 1} | ({} if is_removed else {"uncertain": 1})
