"""Ctrl-C, the second ctrl-C and the deadline, through the Drain that the command line starts (contract 7, 10)."""

from __future__ import annotations

from pathlib import Path
from random import Random

import anyio
import pytest

from batcher.models import Created
from batcher.runtime import Runtime
from batcher.send.drain import Drain, End

from ..support.faulty import FaultyServer, named, on
from ..support.runs import Job, interrupt_after, row, until


class Slow(Random):
    """Chance that waits half a minute."""

    def uniform(self, _a: float, _b: float) -> float:
        """A back-off that lasts."""
        return 30.0


def specs(count: int) -> list[dict[str, str]]:
    """So many rows."""
    return [row(f"n{n}") for n in range(count)]


@pytest.mark.parametrize(("end", "code"), [(End.INTERRUPTED, 130), (End.DEADLINE, 6)])
async def test_a_drain_waits_for_what_is_in_flight(tmp_path: Path, end: End, code: int) -> None:
    """Nothing more is sent, requests in flight get their outcome; each reason has its exit code; the next run ends it."""
    job = Job(tmp_path)
    job.rows(*specs(40))
    drain = Drain()
    async with FaultyServer(latency_seconds=0.05) as server:
        ran = await job.run(server.base_url, drain=drain, witness=interrupt_after(drain, 8, end))
        created = ran.counts["created_now"]
        assert (ran.code, created + ran.counts["to_do"]) == (code, 40)
        assert 8 <= created <= 12
        assert len(server.posts) == len(server.commits) == created
        ran = await job.run(server.base_url)
    assert (ran.code, len(job.how), len(server.commits)) == (0, 40, 40)


async def test_a_row_in_backoff_is_uncertain_after_a_drain(tmp_path: Path) -> None:
    """Drained between an unclear attempt and its look-up: uncertain, exit 130; the next run begins with it."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"), *specs(5))
    drain = Drain()
    async with FaultyServer(on("500-after", named("a")), "slow=0.3@2", latency_seconds=0.02) as server:
        witness = interrupt_after(drain, 1)
        job.runtime = Runtime(random=Slow(1))
        ran = await job.run(server.base_url, drain=drain, witness=witness, concurrency=2)
        assert ran.code == 130
        assert job.reasons == {"a": "uncertain server_error"}
        asked = len(server.seen)
        ran = await job.run(server.base_url, concurrency=1)
    assert (ran.code, job.how["a"], job.failures) == (0, "reconciled", [])
    assert server.seen[asked].method == "GET"
    assert len(server.commits) == 7


async def test_a_row_that_waits_for_a_brake_is_not_attempted(tmp_path: Path) -> None:
    """Drained while all wait for a brake: the braked rows are not attempted, and nothing of them is left open."""
    job = Job(tmp_path)
    job.rows(*specs(6))
    drain = Drain()
    async with FaultyServer("429=600") as server, anyio.create_task_group() as tasks:

        async def stop() -> None:
            await until(lambda: len(server.seen) >= 4)
            await anyio.sleep(0.1)
            drain.start(End.INTERRUPTED)

        tasks.start_soon(stop)
        ran = await job.run(server.base_url, drain=drain)
    assert (ran.code, ran.counts, job.failures) == (130, {"to_do": 6}, [])
    types = [line["type"] for line in job.journal if "key" in line]
    assert types.count("intent") == types.count("clear")


async def test_the_second_signal_stops_at_once_and_loses_nothing(tmp_path: Path) -> None:
    """Requests in flight are cut: their rows are uncertain now, and the next run finds their documents."""
    job = Job(tmp_path)
    job.rows(*specs(10))
    drain = Drain()
    async with FaultyServer("hang-after@5-8") as server:

        async def stop() -> None:
            await until(lambda: len(server.commits) >= 8)
            drain.start(End.INTERRUPTED)
            await anyio.sleep(0.05)
            drain.abort()

        with anyio.fail_after(3):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(stop)
                ran = await job.run(server.base_url, drain=drain, timeout_seconds=30)
        assert (ran.code, ran.counts) == (130, {"created_now": 4, "uncertain": 4, "to_do": 2})
        assert set(job.reasons.values()) == {"uncertain interrupted"}
        ran = await job.run(server.base_url)
    assert (ran.code, ran.counts) == (0, {"created_before": 4, "reconciled": 4, "created_now": 2})
    assert len(server.commits) == 10


async def test_a_drain_before_the_start_sends_nothing(tmp_path: Path) -> None:
    """A deadline that has passed already: everything is checked, nothing is sent, exit 6."""
    job = Job(tmp_path)
    job.rows(*specs(3))
    drain = Drain()
    drain.start(End.DEADLINE)
    async with FaultyServer() as server:
        ran = await job.run(server.base_url, drain=drain)
    assert (ran.code, ran.counts, server.seen) == (6, {"to_do": 3}, [])


async def test_a_drain_in_every_moment_loses_nothing(tmp_path: Path) -> None:
    """Interrupted after each number of outcomes in turn, under faults, until all is done: each row once, none twice."""
    job = Job(tmp_path)
    job.rows(*specs(40))
    faults = ("reset-after/7", "reset-before/11", "502/13", "429=0/17", "slow=0.03/3")
    async with FaultyServer(*faults) as server:
        codes: list[int] = []
        while len(codes) < 30 and codes[-1:] != [0]:
            drain = Drain()
            ran = await job.run(server.base_url, drain=drain, witness=interrupt_after(drain, 1 + len(codes) % 5))
            codes.append(ran.code)
    assert codes[-1] == 0
    assert {*codes[:-1]} == {130}
    assert len(job.how) == 40
    assert {name: len(made) for name, made in server.created_by_name.items()} == {f"n{n}": 1 for n in range(40)}


async def test_an_outcome_that_arrives_while_draining_is_booked(tmp_path: Path) -> None:
    """The witness hears of outcomes that arrive after the drain began: they are written like all others."""
    job = Job(tmp_path)
    job.rows(*specs(4))
    drain = Drain()
    async with FaultyServer("slow=0.2@2-4") as server:
        ran = await job.run(server.base_url, drain=drain, witness=interrupt_after(drain, 1))
    assert (ran.code, ran.counts) == (130, {"created_now": 4})
    assert len([one for one in ran.witness.outcomes if isinstance(one, Created)]) == 4
