"""The workers: at most `concurrency` rows have a request in flight; a row that must wait steps aside for another.

Workers pull from one shared source, so the reader never runs ahead of them. While a row waits (back-off, a read that
may lag) its place is given to another worker, so that slow rows do not cost rate; how many may wait at once is bounded,
and so is memory.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
from anyio.abc import TaskGroup

WAITING_PER_PLACE = 4  # rows that may wait aside for each place among the workers


class Crew:
    """`concurrency` places, and workers to fill them."""

    def __init__(self, concurrency: int) -> None:
        self._places = anyio.Semaphore(concurrency, fast_acquire=True)
        self._concurrency = concurrency
        self._most = concurrency * (1 + WAITING_PER_PLACE)
        self._workers = 0
        self._is_over = False

    async def work(self, step: Callable[[], Awaitable[bool]]) -> None:
        """Let workers call `step` (one row each time) until it returns False: nothing is left."""
        self._is_over = False
        async with anyio.create_task_group() as group:
            self._group: TaskGroup = group
            self._step = step
            for _ in range(self._concurrency):
                self._hire()

    async def step_aside(self, seconds: float) -> None:
        """Wait without holding a place; then take one again. Nobody holds one outside `work`.

        A wait that is cancelled does not take its place again: then the run drains, and nobody needs one.
        """
        if not self._workers:
            await anyio.sleep(seconds)
            return
        self._places.release()
        if not self._is_over and self._workers < self._most and not self._places.statistics().tasks_waiting:
            self._hire()
        await anyio.sleep(seconds)
        await self._places.acquire()

    def _hire(self) -> None:
        self._workers += 1
        self._group.start_soon(self._worker)

    async def _worker(self) -> None:
        try:
            while True:
                await self._places.acquire()
                try:
                    self._is_over = self._is_over or not await self._step()
                    if self._is_over:
                        return
                finally:
                    self._places.release()
        finally:
            self._workers -= 1
