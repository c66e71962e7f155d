"""The gate on virtual time: the law, the order, the brake, and slots that nobody loses."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from itertools import pairwise

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batcher.api_keys import ApiKey
from batcher.pace.gate import Gate, KeysRefused, Slot
from batcher.pace.rate import MARGIN, Rate
from tests.support import virtual

ONE = ApiKey("one", 1)
TWO = ApiKey("two", 2)


def most_in_window(starts: list[float], seconds: float) -> int:
    """The most starts in any half-open window of this length."""
    most = first = 0
    for index, start in enumerate(starts):
        while start - starts[first] >= seconds:
            first += 1
        most = max(most, index - first + 1)
    return most


async def started(gate: Gate, delay: float = 0.0) -> Slot:
    """A slot whose request has started, `delay` seconds after each grant."""
    while True:
        slot = await gate.slot()
        if delay:
            await anyio.sleep(delay)
        if slot.start():
            return slot


async def starts_of(
    rate: Rate, *, workers: int, count: int, latency: Callable[[], float], fsync: Callable[[], float] = lambda: 0.0
) -> list[float]:
    """Start `count` requests through one gate."""
    starts: list[float] = []
    left = count

    async def work() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            slot = await started(gate, fsync())
            assert slot.started_at is not None
            starts.append(slot.started_at)
            await anyio.sleep(latency())

    async with Gate([ONE], rate) as gate, anyio.create_task_group() as tasks:
        for _ in range(workers):
            tasks.start_soon(work)
    return starts


@pytest.mark.parametrize("text", ["1/h", "60/min", "500/min", "30/10s", "50/s", "1000/s", "2000/s"])
def test_the_whole_rate_and_never_more(text: str) -> None:
    """At every rate the law holds and at least 99 % of the rate is used."""
    rate = Rate.parse(text)
    assert rate is not None
    count = max(8, 4 * rate.limit)

    async def main() -> list[float]:
        return await starts_of(rate, workers=64, count=count, latency=lambda: 0.005)

    starts = virtual.run(main)
    assert most_in_window(starts, rate.period_seconds * MARGIN) <= rate.limit
    assert (count - 1) / (starts[-1] - starts[0]) >= 0.99 * rate.per_second


def test_starts_are_spread_over_the_period() -> None:
    """60/min is one a second, not sixty at once."""

    async def main() -> list[float]:
        return await starts_of(Rate(60, 60.0), workers=64, count=60, latency=lambda: 0.005)

    assert min(later - earlier for earlier, later in pairwise(virtual.run(main))) > 0.9


def test_a_stall_is_not_caught_up_with() -> None:
    """After the loop stood still for half a minute the starts go on at their pace."""
    starts: list[float] = []

    async def main() -> None:
        async with Gate([ONE], Rate(60, 60.0)) as gate:
            for n in range(90):
                slot = await started(gate)
                assert slot.started_at is not None
                starts.append(slot.started_at)
                if n == 45:
                    virtual.loop().stall(30)

    virtual.run(main)
    assert most_in_window(starts, 10.0) <= 11


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([1, 3, 20, 60]), st.integers(1, 20))
def test_the_law_holds_whatever_happens(seed: int, limit: int, workers: int) -> None:
    """Random latency, fsyncs, stalls, cancels, brakes and slots given back: no window holds more than the limit."""
    chance = random.Random(seed)
    starts: list[float] = []

    async def work(gate: Gate) -> None:
        slot: Slot | None = None
        while True:
            with anyio.move_on_after(chance.choice([0.0, 0.3, 3.0, 1000.0])):
                slot = await gate.slot()
                try:
                    if chance.random() < 0.3:
                        await anyio.sleep(chance.expovariate(1.0))
                    if chance.random() < 0.9 and slot.start():
                        starts.append(virtual.loop().time())
                        await anyio.sleep(chance.choice([0.0, 0.005, 0.8, 8.0]))
                finally:
                    slot.give_back()
            await anyio.sleep(chance.random() / 10)
            match chance.randrange(60):
                case 0:
                    gate.brake(ONE, chance.choice([None, 0.0, 1.0, 20.0]), slot=chance.choice([None, slot]))
                case 1:
                    virtual.loop().stall(chance.choice([0.1, 5.0, 25.0]))
                case 2 | 3 | 4:
                    gate.passed(ONE)
                case _:
                    pass

    async def main() -> None:
        async with Gate([ONE], Rate(limit, 10.0)) as gate:
            with anyio.move_on_after(200):
                async with anyio.create_task_group() as tasks:
                    for _ in range(workers):
                        tasks.start_soon(work, gate)
            assert gate.waiting == 0
            assert all(pacer._window is None or pacer._window.pending == 0 for pacer in gate._turn)

    virtual.run(main)
    assert most_in_window(starts, 10.05) <= limit


def test_first_come_first_served() -> None:
    """Slots go to the waiters in the order in which they came, over two keys as well."""
    served: list[int] = []

    async def ask(gate: Gate, number: int) -> None:
        await started(gate)
        served.append(number)

    async def main() -> None:
        async with Gate([ONE, TWO], Rate(60, 60.0)) as gate, anyio.create_task_group() as tasks:
            for number in range(40):
                tasks.start_soon(ask, gate, number)

    virtual.run(main)
    assert served == list(range(40))


def test_a_cancelled_waiter_leaves_no_hole() -> None:
    """When most waiters are cancelled, even in the instant of their slot, the others get every slot of the rate."""
    starts: list[float] = []

    async def impatient(gate: Gate, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            slot = await gate.slot()
            try:
                await anyio.lowlevel.checkpoint()
            finally:
                slot.give_back()

    async def patient(gate: Gate) -> None:
        for _ in range(20):
            slot = await started(gate)
            assert slot.started_at is not None
            starts.append(slot.started_at)

    async def main() -> None:
        async with Gate([ONE], Rate(60, 60.0)) as gate, anyio.create_task_group() as tasks:
            for n in range(500):
                tasks.start_soon(impatient, gate, n / 20)
            for _ in range(3):
                tasks.start_soon(patient, gate)

    virtual.run(main)
    assert len(starts) == 60
    assert starts[-1] - starts[0] < 85, "a slot lost to a cancelled waiter would leave a gap of a second each"


def test_a_slot_given_back_goes_to_the_next_waiter() -> None:
    """The next in line gets an unused slot at once, and it cannot be given back twice."""

    async def main() -> None:
        async with Gate([ONE], Rate(1, 3600.0)) as gate:
            first = await gate.slot()
            got: list[Slot] = []

            async def ask() -> None:
                got.append(await gate.slot())

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask)
                await anyio.sleep(1)
                assert not got
                first.give_back()
                await anyio.sleep(0.001)
                first.give_back()
                assert got[0].start()

    virtual.run(main)


def test_the_next_slot_waits_for_the_start_of_the_last() -> None:
    """With one request an hour, the hour counts from the start, not from the grant."""

    async def main() -> float:
        async with Gate([ONE], Rate(1, 3600.0)) as gate:
            first = await started(gate, 100.0)
            second = await started(gate)
            assert first.started_at is not None
            assert second.started_at is not None
            return second.started_at - first.started_at

    assert virtual.run(main) >= 3600 * MARGIN


def test_the_brake_stops_those_who_wait_and_those_who_hold_a_slot() -> None:
    """After a 429 nothing starts until its time is over, and then no volley."""
    starts: list[float] = []
    began: list[float] = []

    async def work(gate: Gate) -> None:
        for _ in range(20):
            slot = await started(gate, 0.05)
            assert slot.started_at is not None
            starts.append(slot.started_at - virtual.EPOCH)

    async def main() -> None:
        async with Gate([ONE], Rate(20, 10.0)) as gate, anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(work, gate)
            await anyio.sleep(5.01)
            held = await gate.slot()
            began.append(virtual.loop().time() - virtual.EPOCH)
            gate.brake(ONE, 12.0)
            assert not held.start()
            assert gate.rate_now() == 0.0
            assert gate.braked_for() == pytest.approx(12.0)

    virtual.run(main)
    after = [start - began[0] for start in starts if start > began[0]]
    assert after[0] >= 12.0
    assert len([start for start in after if start < 17.0]) <= 7, "half the pace in the first five seconds"
    assert len(starts) == 160


def test_an_unlimited_gate_brakes_as_well() -> None:
    """Without a rate nothing waits, until the brake; then the pace comes back gently and is free again."""

    async def main() -> None:
        async with Gate([ONE], None) as gate:
            assert gate.rate_now() == math.inf
            for _ in range(1000):
                await started(gate)
            assert virtual.loop().time() == virtual.EPOCH
            gate.brake(ONE, 10.0)
            times = []
            for _ in range(10_000):
                slot = await started(gate)
                assert slot.started_at is not None
                times.append(slot.started_at - virtual.EPOCH)
            assert times[0] >= 10.0
            assert len([start for start in times if start < 11.0]) <= 9
            assert times[-1] <= 10.0 + 9.1

    virtual.run(main)


def test_keys_add_up() -> None:
    """Two keys send twice as much, each keeping its own limit, and both are used alike."""
    by_key: dict[ApiKey, list[float]] = {ONE: [], TWO: []}

    async def work(gate: Gate) -> None:
        for _ in range(30):
            slot = await started(gate)
            assert slot.started_at is not None
            by_key[slot.key].append(slot.started_at)

    async def main() -> None:
        async with Gate([ONE, TWO], Rate(60, 60.0)) as gate:
            assert gate.rate_now() == 2.0
            async with anyio.create_task_group() as tasks:
                for _ in range(8):
                    tasks.start_soon(work, gate)

    virtual.run(main)
    for starts in by_key.values():
        assert most_in_window(starts, 60.3) <= 60
        assert 115 <= len(starts) <= 125
        assert starts[-1] - starts[0] < 125


def test_one_keys_brake_does_not_stop_the_other() -> None:
    """While one key is braked the other goes on at its own pace."""

    async def main() -> None:
        async with Gate([ONE, TWO], Rate(10, 10.0)) as gate:
            gate.brake(ONE, 100.0)
            slots = [await started(gate) for _ in range(20)]
            assert {slot.key for slot in slots} == {TWO}
            assert gate.braked_for() == 0.0

    virtual.run(main)


def test_a_dropped_key_starts_nothing_and_the_last_one_tells_all_who_wait() -> None:
    """Slots of a dropped key are void; with the last key every waiter is told at once."""
    refused: list[float] = []

    async def ask(gate: Gate) -> None:
        try:
            while True:
                await started(gate)
        except KeysRefused:
            refused.append(virtual.loop().time())

    async def main() -> None:
        async with Gate([ONE, TWO], Rate(1, 10.0)) as gate, anyio.create_task_group() as tasks:
            held = await gate.slot()
            for _ in range(5):
                tasks.start_soon(ask, gate)
            await anyio.sleep(1)
            gate.drop(held.key)
            assert not held.start()
            assert gate.keys_left == 1
            await anyio.sleep(25)
            assert not refused
            for key in (ONE, TWO):
                gate.drop(key)
            await anyio.sleep(0.001)
            assert len(refused) == 5
            with pytest.raises(KeysRefused):
                await gate.slot()

    virtual.run(main)


def test_no_keys_are_refused_keys() -> None:
    """A gate without keys lets nobody wait for ever."""

    async def main() -> None:
        async with Gate([], None) as gate:
            with pytest.raises(KeysRefused):
                await gate.slot()

    virtual.run(main)


def test_the_bodys_error_leaves_the_gate_as_it_is() -> None:
    """An error in the block comes out by itself, not in a group."""

    async def main() -> None:
        async with Gate([ONE], Rate(1, 1.0)):
            raise LookupError

    with pytest.raises(LookupError):
        virtual.run(main)


def test_the_note_names_the_other_client() -> None:
    """When refusals keep coming although we keep to the limit, the progress line can say so."""

    async def main() -> None:
        async with Gate([ONE], Rate(60, 60.0)) as gate:
            for _ in range(3):
                assert gate.note == ""
                slot = await started(gate)
                gate.passed(ONE)
                gate.brake(ONE, 1.0, slot=slot)
                if gate.note:
                    break
                await anyio.sleep(30)
                await started(gate)
                gate.passed(ONE)
            assert gate.note == "someone else is using the key: pace lowered to 70%"
            await anyio.sleep(3600)
            assert gate.note == ""

    virtual.run(main)


@pytest.mark.parametrize("use_uvloop", [False, True])
def test_ten_thousand_waiters_cost_nothing(use_uvloop: bool) -> None:
    """On real loops 10,000 waiting workers take under 2 % of a core, and the law holds by the real clock."""
    starts: list[float] = []

    async def ask(gate: Gate) -> None:
        await started(gate)
        starts.append(time.monotonic())

    async def main() -> float:
        async with Gate([ONE], Rate(2, 0.5)) as gate, anyio.create_task_group() as tasks:
            for _ in range(10_000):
                tasks.start_soon(ask, gate)
            while gate.waiting + len(starts) < 10_000:  # noqa: ASYNC110 - no event says that all tasks have come
                await anyio.sleep(0.1)
            before = time.process_time()
            await anyio.sleep(1.0)
            cost = time.process_time() - before
            tasks.cancel_scope.cancel()
        return cost / 1.0

    assert anyio.run(main, backend_options={"use_uvloop": use_uvloop}) < 0.02
    assert len(starts) >= 4
    assert all(later - earlier >= 0.5 for earlier, later in zip(starts, starts[2:], strict=False))
