"""The shared pause: when the server's trouble begins, that one request at a time probes, and when it is given up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import pytest

from batcher.send.outage import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Outage

from ..support import virtual


def within(seconds: float, body: Callable[[Outage, list[str]], Awaitable[None]]) -> list[str]:
    """Run `body` in virtual time with an outage that gives up after so long; why it gave up."""
    told: list[str] = []

    async def main() -> None:
        await body(Outage(seconds, lambda message, _: told.append(message)), told)

    virtual.run(main)
    return told


def test_an_unreachable_server_is_an_outage_at_once() -> None:
    """One certain trouble is enough."""

    async def body(outage: Outage, _told: list[str]) -> None:
        outage.bad("a", "refused", is_certain=True)
        assert "refused" in outage.note
        outage.good()
        assert outage.note == ""
        assert not bool(outage.is_on)

    within(100, body)


def test_three_different_rows_make_an_outage_and_one_row_never() -> None:
    """One row's own trouble, however often, is none; a good answer in between starts the count anew."""

    async def body(outage: Outage, _told: list[str]) -> None:
        for _ in range(10):
            outage.bad("a", "502", is_certain=False)
        outage.bad("b", "502", is_certain=False)
        assert not outage.is_on
        outage.good()
        outage.bad("b", "502", is_certain=False)
        outage.bad("c", "502", is_certain=False)
        assert not outage.is_on
        outage.bad("d", "502", is_certain=False)
        assert outage.is_on

    within(100, body)


def test_probes_that_say_neither_good_nor_bad_end_it_too() -> None:
    """A router's 404, say. (Failed before: once its time was over, one probe followed the other without a pause, for ever.)"""

    async def body(outage: Outage, told: list[str]) -> None:
        outage.bad("a", "refused", is_certain=True)
        begun = anyio.current_time()
        for _ in range(1000):
            assert await outage.enter()
            outage.leave()
            if told:
                break
        assert 100 <= anyio.current_time() - begun < 110

    (why,) = within(100, body)
    assert "refused" in why


def test_one_request_at_a_time_probes_with_growing_pauses() -> None:
    """Twenty workers wait; one probes after 1, 2, 4 … 60 s; when it is over all go."""
    probes: list[float] = []
    passed: list[float] = []
    now: list[int] = []

    async def body(outage: Outage, _told: list[str]) -> None:
        outage.bad("a", "refused", is_certain=True)
        begun = anyio.current_time()

        async def worker(number: int) -> None:
            while True:
                is_probe = await outage.enter()
                now.append(number)
                if not is_probe:
                    passed.append(anyio.current_time() - begun)
                    return
                assert len(now) == 1, "two at a time"
                probes.append(anyio.current_time() - begun)
                await anyio.sleep(0.5)
                if probes[-1] > 200:
                    outage.good()
                else:
                    outage.bad(f"row {number}", "refused", is_certain=True, is_probe=True)
                now.clear()
                outage.leave()
                if not outage.is_on:
                    return

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(worker, number)

    within(1000, body)
    gaps = [later - earlier - 0.5 for earlier, later in zip([-0.5, *probes], probes, strict=False)]
    assert [round(gap) for gap in gaps] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert (FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS) == (1, 60)
    assert len(passed) == 19
    assert max(passed) - min(passed) < 0.1


def test_what_was_in_flight_does_not_make_the_pause_longer() -> None:
    """Only a probe's failure doubles it."""

    async def body(outage: Outage, _told: list[str]) -> None:
        outage.bad("a", "refused", is_certain=True)
        for row in "bcdefgh":
            outage.bad(row, "refused", is_certain=True)
        begun = anyio.current_time()
        assert await outage.enter()
        assert anyio.current_time() - begun == pytest.approx(1.0)
        outage.leave()

    within(100, body)


def test_it_gives_up_in_time() -> None:
    """After --give-up-after without a good answer it says so, and the last probe comes right then, not later."""
    ends: list[float] = []

    async def body(outage: Outage, told: list[str]) -> None:
        outage.bad("a", "refused", is_certain=True)
        begun = anyio.current_time()
        while not told:
            assert await outage.enter()
            outage.bad("a", "refused", is_certain=True, is_probe=True)
            outage.leave()
        ends.append(anyio.current_time() - begun)

    [told] = within(100, body)
    assert "no usable answer from the server for 100 s (refused)" in told
    assert 100 <= ends[0] < 100.1


def test_a_cancelled_probe_lets_another_one_go() -> None:
    """A worker that is cancelled while it waits to probe does not hold up the rest."""

    async def body(outage: Outage, _told: list[str]) -> None:
        outage.bad("a", "refused", is_certain=True)
        with anyio.move_on_after(0.5):
            await outage.enter()
        with anyio.fail_after(2):
            assert await outage.enter()
        outage.leave()

    within(100, body)
