"""Virtual time keeps asyncio's order of things and costs nothing."""

from __future__ import annotations

import time

import anyio
import pytest

from tests.support import virtual


def test_an_hour_passes_at_once() -> None:
    """A sleep of an hour takes virtual time only."""
    began = time.monotonic()

    async def main() -> float:
        await anyio.sleep(3600)
        return virtual.loop().time() - virtual.EPOCH

    assert virtual.run(main) == pytest.approx(3600)
    assert time.monotonic() - began < 5


def test_timers_fire_in_their_order() -> None:
    """Tasks wake by their time, not by the order in which they went to sleep."""
    woken: list[float] = []

    async def sleeper(seconds: float) -> None:
        await anyio.sleep(seconds)
        woken.append(seconds)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for seconds in (3.0, 1.0, 2.0):
                tasks.start_soon(sleeper, seconds)

    virtual.run(main)
    assert woken == [1.0, 2.0, 3.0]


def test_timeouts_work() -> None:
    """Deadlines of anyio follow the virtual clock."""

    async def main() -> bool:
        with anyio.move_on_after(10) as scope:
            await anyio.sleep(100)
        return scope.cancelled_caught

    assert virtual.run(main)


def test_a_deadlock_is_an_error_that_names_who_waits() -> None:
    """Where nothing can ever happen, the loop says so instead of hanging."""

    async def main() -> None:
        await anyio.Event().wait()

    with pytest.raises(virtual.Deadlock, match="waits at"):
        virtual.run(main)


def test_a_stall_is_time_without_tasks() -> None:
    """After a stall the timers that are due fire late."""

    async def main() -> float:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep, 1)
            await anyio.lowlevel.checkpoint()
            virtual.loop().stall(30)
        return virtual.loop().time() - virtual.EPOCH

    assert virtual.run(main) == pytest.approx(30)


def test_sockets_are_refused() -> None:
    """Real input and output under virtual time is a mistake of the test."""

    async def main() -> None:
        with pytest.raises((RuntimeError, NotImplementedError)):
            await anyio.create_tcp_listener(local_host="127.0.0.1")

    virtual.run(main)
