"""What takes minutes: lagging reads, late proofs, outages and brakes, in virtual time against an Omni in memory."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest

from batcher.pace.rate import Rate
from batcher.sandbox.calls import Call
from batcher.send.drain import Drain, End
from batcher.transport.reply import Cause, Lost, NotSent, Reply

from ..support import virtual
from ..support.runs import BASE, Job, MaybeUnreached, Memory, Ran, Script, answer, row, virtual_world

RESET = Lost(Cause.RESET, "the connection was lost")
REFUSED = NotSent(Cause.REFUSED, "no connection to omni.test:80 (Connection refused)")
TIMEOUT = Lost(Cause.TIMEOUT, "no complete answer within 60 s")


def live(job: Job, memory: Memory, body: Callable[[], Awaitable[None]]) -> None:
    """Run `body` in virtual time with this server."""
    job.runtime = virtual_world(memory)

    async def main() -> None:
        with memory.serving():
            await body()

    virtual.run(main)


def once(tmp_path: Path, count: int, script: Script, **settings: Any) -> tuple[Ran, Memory, Job, float]:
    """One run of so many rows; also how many virtual seconds it took."""
    job, memory = Job(tmp_path), Memory(script)
    job.rows(*[row(f"n{n}") for n in range(count)])
    found: list[tuple[Ran, float]] = []

    async def body() -> None:
        begun = virtual.loop().time()
        found.append((await job.run(BASE, **settings), virtual.loop().time() - begun))

    live(job, memory, body)
    return found[0][0], memory, job, found[0][1]


def is_get(call: Call) -> bool:
    """Whether this reads one document back."""
    return call.method == "GET"


def test_a_refusal_while_reads_say_404_is_asked_again_for_30_seconds(tmp_path: Path) -> None:
    """Refused as taken after an unclear attempt, GET says 404 for good: asked again for 30 s, then uncertain, exit 5."""

    def script(call: Call, number: int) -> Reply | None:
        if is_get(call):
            return answer(404, 'Document with identifier "x" not found')
        return RESET if number == 1 else answer(409, "Conflict")

    ran, memory, job, seconds = once(tmp_path, 1, script)
    assert (ran.code, ran.counts, job.reasons) == (5, {"uncertain": 1}, {"n0": "uncertain rejected"})
    assert 30 <= seconds < 32
    assert len(memory.times("POST")) == 2
    assert len(memory.times("GET")) >= 5


def test_reads_that_lag_25_seconds_are_waited_for(tmp_path: Path) -> None:
    """The read catches up within the 30 s: reconciled."""
    memory = Memory()

    def script(call: Call, number: int) -> Reply | None:
        if call.method == "POST":
            if number > 1:
                return memory.carry_out(call)
            memory.carry_out(call)
            return RESET
        lagging = virtual.loop().time() < memory.calls[0][0] + 25
        return answer(404, 'Document with identifier "x" not found') if lagging else None

    memory.script = script
    job = Job(tmp_path)
    job.rows(row("a"))

    async def body() -> None:
        ran = await job.run(BASE)
        assert (ran.code, job.how) == (0, {"a": "reconciled"})

    live(job, memory, body)
    assert len(memory.documents) == 1


@pytest.mark.parametrize(("minutes", "settled"), [(9.0, False), (11.0, True)])
def test_a_404_ten_minutes_later_settles_it(tmp_path: Path, minutes: float, settled: bool) -> None:
    """A GET 404 more than 10 minutes after an unclear attempt proves that it did nothing; a later 422 is then a failure."""
    job, memory = Job(tmp_path), Memory()

    def script(call: Call, number: int) -> Reply | None:
        if call.method == "POST":
            return RESET if number == 1 else answer(422, "Unprocessable")
        return answer(500) if len(memory.times("GET")) <= 5 else None

    memory.script = script
    job.rows(row("a"))

    async def body() -> None:
        assert (await job.run(BASE)).code == 5
        await anyio.sleep(minutes * 60)
        ran = await job.run(BASE)
        assert (ran.code, ran.counts) == ((1, {"failed": 1}) if settled else (5, {"uncertain": 1}))

    live(job, memory, body)
    types = [line["type"] for line in job.journal if "key" in line]
    assert ("settled" in types) is settled
    assert memory.documents == []


def test_no_document_of_a_settled_attempt_is_ever_taken_for_ours(tmp_path: Path) -> None:
    """Settled as not created; then somebody takes the user's identifier: `identifier_taken`, not reconciled."""
    job, memory = Job(tmp_path), Memory()

    def script(call: Call, number: int) -> Reply | None:
        if call.method == "POST" and number <= 2:
            return RESET if number == 1 else answer(422, "Unprocessable")
        return answer(500) if is_get(call) and len(memory.times("GET")) <= 5 else None

    memory.script = script
    job.rows(row("a", identifier="mine-1"))

    async def body() -> None:
        assert (await job.run(BASE)).code == 5
        await anyio.sleep(700)
        assert (await job.run(BASE)).code == 1
        stranger = b'{"name":"theirs","modelId":"5f1c2b3a-6d4e-4f70-8a91-b2c3d4e5f607","identifier":"mine-1"}'
        memory.carry_out(Call("POST", "/api/v1/documents", {}, "Bearer other", body=stranger))
        assert (await job.run(BASE)).code == 1

    live(job, memory, body)
    assert (job.reasons, job.results) == ({"a": "failed identifier_taken"}, [])


@pytest.mark.parametrize("trouble", [REFUSED, NotSent(Cause.TLS, "no TLS connection"), TIMEOUT, answer(502)])
def test_the_server_down_for_ten_minutes(tmp_path: Path, trouble: Reply) -> None:
    """All pause, one request at a time probes, pauses grow to 60 s, attempts are not counted; then all is created."""
    begun: list[float] = []

    def script(_call: Call, _number: int) -> Reply | None:
        now = virtual.loop().time()
        begun.append(now)
        return trouble if 1 <= now - begun[0] < 601 else None

    ran, memory, _, _ = once(tmp_path, 400, MaybeUnreached(script), max_attempts=2, concurrency=8)
    assert (ran.code, ran.summary.created, len(memory.documents)) == (0, 400, 400)
    start = memory.calls[0][0]
    probes = [at for at, _ in memory.calls if start + 10 < at < start + 600]
    gaps = [later - earlier for earlier, later in itertools.pairwise(probes)]
    assert all(gap > 1.0 for gap in gaps), "one at a time"
    assert max(gaps) <= 61
    assert 10 <= len(probes) <= 20


def test_an_outage_longer_than_give_up_after_ends_the_run(tmp_path: Path) -> None:
    """No good answer for --give-up-after: exit 3 right then; unclear rows are uncertain, the rest not attempted."""

    def script(_call: Call, _number: int) -> Reply | None:
        return answer(503)

    ran, memory, job, seconds = once(tmp_path, 50, script, concurrency=4, give_up_after_seconds=120)
    assert ran.code == 3
    assert ran.counts["uncertain"] + ran.counts["to_do"] == 50
    assert ran.counts["uncertain"] <= 6, "rows that wait in an outage keep their places, so few become unclear"
    assert 120 <= seconds <= 125
    assert "no usable answer from the server for 120 s" in (ran.summary.stopped or "")
    assert memory.documents == []
    assert all(line["outcome"] == "uncertain" for line in job.failures)


def test_a_run_that_is_only_ever_braked_ends(tmp_path: Path) -> None:
    """The last row is answered 429 for ever: after --give-up-after the run stops, exit 3 (failed before: it never did)."""

    def script(call: Call, _number: int) -> Reply | None:
        return answer(429) if b'"n3"' in call.body else None

    ran, memory, _, seconds = once(tmp_path, 4, script, concurrency=1, give_up_after_seconds=300)
    assert (ran.code, ran.summary.created, ran.summary.to_do) == (3, 3, 1)
    assert "answered nothing but 429" in (ran.summary.stopped or "")
    assert len(memory.documents) == 3
    assert 300 <= seconds <= 400


def test_one_rows_own_trouble_is_no_outage(tmp_path: Path) -> None:
    """502 again and again for one row only: its attempts are counted, the others go on at full speed."""

    def script(call: Call, _number: int) -> Reply | None:
        return answer(502) if b'"n3"' in call.body else None

    ran, memory, job, seconds = once(tmp_path, 200, script, concurrency=4)
    assert (ran.code, job.reasons) == (5, {"n3": "uncertain server_error"})
    assert len(memory.documents) == 199
    assert seconds < 60


def test_several_rows_with_the_servers_trouble_are_an_outage(tmp_path: Path) -> None:
    """502 of three rows in a row: from then on nothing but probes, one at a time, until a good answer comes."""

    def script(_call: Call, _number: int) -> Reply | None:
        return answer(502) if virtual.loop().time() < virtual.EPOCH + 5 else None

    ran, memory, _, _ = once(tmp_path, 100, script, concurrency=8, max_attempts=2)
    assert (ran.code, len(memory.documents)) == (0, 100)
    begun = memory.calls[0][0]
    probes = [at - begun for at, _ in memory.calls[8:] if at - begun < 5]
    assert [round(at) for at in probes] == [1, 3]


@pytest.mark.parametrize("status", [429, 503])
def test_without_retry_after_the_brake_is_1_2_4_8_seconds(tmp_path: Path, status: int) -> None:
    """429 without Retry-After brakes everybody for 1, 2, 4, then 8 s; a 503 without it is unclear instead."""

    def script(call: Call, number: int) -> Reply | None:
        return answer(status) if call.method == "POST" and number <= 4 else None

    ran, memory, _, _ = once(tmp_path, 3, script, concurrency=1, max_attempts=10)
    assert (ran.code, len(memory.documents)) == (0, 3)
    times = memory.times("POST")
    gaps = [round(later - earlier) for earlier, later in itertools.pairwise(times)][:4]
    if status == 429:
        assert gaps == [1, 2, 4, 8]
        assert memory.times("GET") == []
    else:
        assert len(memory.times("GET")) >= 1


def test_a_drain_ends_every_wait_at_once(tmp_path: Path) -> None:
    """Ctrl-C during a long brake, an outage, a back-off or a lag wait: the run is over within the request's time."""

    def lag(call: Call, number: int) -> Reply | None:
        if is_get(call):
            return answer(404, 'Document with identifier "x" not found')
        return RESET if number == 1 else answer(409, "Conflict")

    scripts: list[Script] = [
        lambda _call, _number: answer(429, retry_after="3000"),
        MaybeUnreached(lambda _call, _number: REFUSED),
        lag,
        lambda _call, _number: TIMEOUT,
    ]
    for number, script in enumerate(scripts):
        directory = tmp_path / str(number)
        directory.mkdir()
        job, memory = Job(directory), Memory(script)
        job.rows(*[row(f"n{n}") for n in range(10)])
        drain = Drain()

        async def body(job: Job = job, drain: Drain = drain) -> None:
            async with anyio.create_task_group() as tasks:

                async def stop() -> None:
                    await anyio.sleep(12)
                    drain.start(End.INTERRUPTED)

                tasks.start_soon(stop)
                begun = virtual.loop().time()
                ran = await job.run(BASE, drain=drain)
                assert ran.code == 130
                assert virtual.loop().time() - begun < 12.2

        live(job, memory, body)


def test_rows_in_backoff_do_not_hold_up_others(tmp_path: Path) -> None:
    """Rows that back off for minutes step aside: all others are created meanwhile, concurrency is never exceeded."""

    def script(call: Call, number: int) -> Reply | None:
        return answer(500) if call.method == "POST" and number <= 6 else None

    job, memory = Job(tmp_path), Memory(script)
    job.rows(*[row(f"n{n}") for n in range(60)])

    class Slow(Random):
        def uniform(self, _a: float, _b: float) -> float:
            return 60.0

    async def body() -> None:
        job.runtime = virtual_world(memory, Slow())
        ran = await job.run(BASE, concurrency=2)
        assert (ran.code, ran.counts) == (0, {"created_now": 60})

    live(job, memory, body)
    posts = memory.times("POST")
    assert len([at for at in posts if at < posts[0] + 5]) >= 54
    assert memory.most_in_flight == 2


def test_an_uncertain_row_of_a_dead_server_is_settled_first_in_the_next_run(tmp_path: Path) -> None:
    """The next run begins with what is unclear: its first requests are the GETs."""
    job, memory = Job(tmp_path), Memory()

    def script(call: Call, number: int) -> Reply | None:
        if call.method == "POST" and number == 3:
            memory.carry_out(call)
            return RESET
        return RESET if is_get(call) and len(memory.times("GET")) <= 5 else None

    memory.script = script
    job.rows(*[row(f"n{n}") for n in range(6)])

    async def body() -> None:
        ran = await job.run(BASE, concurrency=1, limit=4)
        assert (ran.code, ran.counts) == (5, {"created_now": 3, "uncertain": 1, "to_do": 2})
        sent = len(memory.calls)
        ran = await job.run(BASE, concurrency=1)
        assert (ran.code, ran.counts) == (0, {"created_before": 3, "reconciled": 1, "created_now": 2})
        assert memory.calls[sent][1].method == "GET"

    live(job, memory, body)
    assert len(memory.documents) == 6


def test_five_429s_of_everybody_fail_nobody(tmp_path: Path) -> None:
    """429s that nobody passes are the key's, not the row's: no row fails `rate_limited` while nothing passes."""

    def script(_call: Call, number: int) -> Reply | None:
        return answer(429, retry_after="1") if number <= 40 else None

    ran, memory, _, _ = once(tmp_path, 8, script, concurrency=8)
    assert (ran.code, ran.counts, len(memory.documents)) == (0, {"created_now": 8}, 8)


def test_full_jitter_grows_with_the_attempts(tmp_path: Path) -> None:
    """Between counted attempts lies anything up to 1, 2, 4, 8 s: here always the most."""

    class Most(Random):
        def uniform(self, _a: float, b: float) -> float:
            return b

    job = Job(tmp_path)
    memory = Memory(lambda call, _number: answer(500) if call.method == "POST" else None, latency_seconds=0.0)
    job.rows(row("a"))

    async def body() -> None:
        job.runtime = virtual_world(memory, Most())
        assert (await job.run(BASE, max_attempts=5)).code == 5

    live(job, memory, body)
    gaps = [round(later - earlier, 1) for earlier, later in itertools.pairwise(memory.times("POST"))]
    assert gaps == [1.0, 2.0, 4.0, 8.0]


def test_the_full_rate_is_back_when_a_slow_server_recovers(tmp_path: Path) -> None:
    """At 20/s the latency rises from 50 ms to 5 s and falls again: never more in flight than allowed, nobody starved."""
    slow = (virtual.EPOCH + 20, virtual.EPOCH + 80)

    async def linger() -> None:
        if slow[0] <= virtual.loop().time() < slow[1]:
            await anyio.sleep(4.95)

    def script(_call: Call, _number: int) -> Awaitable[None]:
        return linger()

    ran, memory, _, _ = once(tmp_path, 1_700, script, concurrency=8, rate=Rate(20, 1.0))
    assert (ran.code, len(memory.documents)) == (0, 1_700)
    assert memory.most_in_flight == 8
    while_slow = sum(slow[0] + 5 <= at < slow[1] for at in memory.times())
    assert while_slow <= 8 * 12  # eight workers, five seconds each
    back = [at for at in memory.times() if slow[1] + 10 <= at < slow[1] + 40]
    assert len(back) >= 0.97 * 20 * 30
