"""The workers: never more than `concurrency` in flight, a stuck row holds up only itself, waiting rows are bounded."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.send.workers import WAITING_PER_PLACE, WorkerPool

from ..support import virtual


@dataclass
class Shift:
    """Rows for a crew: each is a list of (seconds in flight, seconds aside), and what was seen of them."""

    rows: list[list[tuple[float, float]]]
    taken: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    open: int = 0
    most_open: int = 0
    ended: list[tuple[float, int]] = field(default_factory=list)

    async def work(self, concurrency: int) -> float:
        """Let a crew do them all; how long that took."""
        pool = WorkerPool(concurrency)
        begun = anyio.current_time()

        async def step(_: anyio.CancelScope) -> bool:
            if self.taken == len(self.rows):
                return False
            number = self.taken
            self.taken += 1
            self.open += 1
            self.most_open = max(self.most_open, self.open)
            for flight, aside in self.rows[number]:
                self.in_flight += 1
                self.most_in_flight = max(self.most_in_flight, self.in_flight)
                await anyio.sleep(flight)
                self.in_flight -= 1
                if aside:
                    await pool.wait_without_slot(aside)
            self.open -= 1
            self.ended.append((anyio.current_time() - begun, number))
            return True

        await pool.work(step)
        return anyio.current_time() - begun


WAITS = st.floats(0, 30) | st.just(0.0)
ROWS = st.lists(st.lists(st.tuples(st.floats(0, 5), WAITS), min_size=1, max_size=4), max_size=40)


@given(ROWS, st.integers(1, 6))
def test_the_limits_hold_whatever_the_rows_do(rows: list[list[tuple[float, float]]], concurrency: int) -> None:
    """In flight never above concurrency, rows under way bounded, and every row comes to its end."""
    shift = Shift(rows)
    virtual.run(shift.work, concurrency)
    assert sorted(number for _, number in shift.ended) == list(range(len(rows)))
    assert shift.most_in_flight <= concurrency
    assert shift.most_open <= concurrency * (1 + WAITING_PER_PLACE)


def test_a_stuck_row_holds_up_only_itself() -> None:
    """One request takes ten minutes: the other 99 rows are done by the remaining worker."""
    shift = Shift([[(600.0, 0.0)], *([[(1.0, 0.0)]] * 99)])
    seconds = virtual.run(shift.work, 2)
    assert seconds == pytest.approx(600, abs=1)
    assert sorted(shift.ended)[-2][0] == pytest.approx(99, abs=1)


def test_waiting_rows_cost_no_speed() -> None:
    """A row in a long back-off gives its place away, also where concurrency is 1."""
    shift = Shift([[(1.0, 300.0), (1.0, 0.0)], *([[(1.0, 0.0)]] * 50)])
    virtual.run(shift.work, 1)
    assert shift.most_in_flight == 1
    assert sorted(shift.ended)[49][0] == pytest.approx(51, abs=1)
    assert shift.ended[-1][1] == 0


def test_waiting_rows_are_bounded() -> None:
    """When every row waits for long, the crew takes no more than its bound of them."""
    shift = Shift([[(0.1, 1000.0), (0.1, 0.0)]] * 100)

    seen: list[int] = []

    async def look() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(shift.work, 2)
            await anyio.sleep(500)
            seen.append(shift.open)

    virtual.run(look)
    assert seen == [2 * (1 + WAITING_PER_PLACE)]


def test_one_crew_works_several_times() -> None:
    """Uncertain, new and failed rows are three passes of the same crew."""

    async def thrice() -> list[int]:
        pool, left, done = WorkerPool(3), 0, 0

        async def step(_: anyio.CancelScope) -> bool:
            nonlocal left, done
            if left == 0:
                return False
            left -= 1
            await pool.wait_without_slot(1.0)
            done += 1
            return True

        counts = []
        for left in (10, 0, 7):  # noqa: B007 - the step counts it down
            await pool.work(step)
            counts.append(done)
        return counts

    assert virtual.run(thrice) == [10, 10, 17]


def test_an_error_in_a_row_ends_the_crew() -> None:
    """A bug is not swallowed: it comes out of `work`, and no worker is left."""

    async def main() -> None:
        pool = WorkerPool(2)

        async def step(_: anyio.CancelScope) -> bool:
            await anyio.sleep(1)
            raise ValueError("a bug")

        with pytest.raises(BaseExceptionGroup) as caught:
            await pool.work(step)
        assert caught.group_contains(ValueError)

    virtual.run(main)
