"""The workers: at most `concurrency` rows have a request in flight; a row that must wait steps aside for another.

Workers pull from one shared source, so the reader never runs ahead of them. While a row waits (back-off, a read that
may lag) its place is given to another worker, so that slow rows do not cost rate; how many may wait at once is bounded,
and so is memory.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from random import Random

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

WAITING_PER_PLACE = 4  # rows that may wait aside for each place among the workers
# A look for cancellation goes through all scopes above and costs 2 % of an unlimited run. A drain is seen at every slot.
ROWS_BETWEEN_LOOKS = 8
BACKOFF_BASE_SECONDS = 1.0
BACKOFF_CAP_SECONDS = 60.0


class WorkerPool:
    """`concurrency` places, and workers to fill them."""

    def __init__(self, concurrency: int, random: Random | None = None) -> None:
        self.random = random or Random()
        self._places = anyio.Semaphore(concurrency, fast_acquire=True)
        self._concurrency = concurrency
        self._most = concurrency * (1 + WAITING_PER_PLACE)
        self._workers = 0
        self._queued = 0  # those who wait for a place
        self._is_over = False

    async def work(self, step: Callable[[anyio.CancelScope], Awaitable[bool]]) -> None:
        """Let workers call `step` (one row each time) until it returns False: nothing is left.

        It is given a scope around it that is this worker's own, for the requests of one row after the other.
        """
        self._is_over = False
        async with anyio.create_task_group() as group:
            self._group: TaskGroup = group
            self._step = step
            for _ in range(self._concurrency):
                self._start_worker()

    async def wait_without_slot(self, seconds: float) -> None:
        """Wait without holding a place; then take one again. Nobody holds one outside `work`.

        A wait that is cancelled does not take its place again: then the run drains, and nobody needs one.
        """
        if not self._workers:
            await anyio.sleep(seconds)
            return
        self._places.release()
        if not self._is_over and self._workers < self._most and not self._queued:
            self._start_worker()
        await anyio.sleep(seconds)
        await self._take_place()

    async def back_off(self, attempt: int) -> None:
        """Wait without a place before trying again, after so many attempts."""
        await self.wait_without_slot(backoff_seconds(attempt, self.random))

    def _start_worker(self) -> None:
        self._workers += 1
        self._group.start_soon(self._worker)

    async def _worker(self) -> None:
        """One row after the other. The place goes to whoever waits for one in between: first come, first served."""
        try:
            await self._take_place()
            try:
                with anyio.CancelScope() as own:
                    for number in itertools.count():
                        if self._queued:
                            self._places.release()
                            await self._take_place()
                        elif number % ROWS_BETWEEN_LOOKS == 0:
                            await anyio.lowlevel.checkpoint_if_cancelled()
                        if self._is_over:
                            return
                        if not await self._step(own):
                            self._is_over = True
            finally:
                self._places.release()
        finally:
            self._workers -= 1

    async def _take_place(self) -> None:
        self._queued += 1
        try:
            await self._places.acquire()
        finally:
            self._queued -= 1


def backoff_seconds(attempt: int, random: Random) -> float:
    """Full jitter: anything up to 1, 2, 4, 8 … 60 s after attempt 1, 2, 3, 4 …"""
    return random.uniform(0.0, min(BACKOFF_CAP_SECONDS, BACKOFF_BASE_SECONDS * 2.0 ** min(attempt - 1, 10)))
