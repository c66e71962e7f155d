"""Outcomes made durable in groups: at most so many milliseconds after they are written, at once after a calm while."""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import anyio

from ..errors import DiskTrouble


class LateSync:
    """Calls `sync` after something was written. `on_trouble` is told what the disk refuses, and stops the run."""

    def __init__(self, sync: Callable[[], Awaitable[None]], on_trouble: Callable[[DiskTrouble], None]) -> None:
        self._sync = sync
        self._on_trouble = on_trouble
        self._is_dirty = False
        self._dirtied = anyio.Event()
        self._synced_at = -math.inf

    def written(self) -> None:
        """Something was written."""
        if not self._is_dirty:
            self._is_dirty = True
            self._dirtied.set()

    @contextlib.contextmanager
    def reporting_trouble(self) -> Iterator[None]:
        """What the disk refuses inside the block stops the run, and nothing else."""
        try:
            yield
        except DiskTrouble as trouble:
            self._on_trouble(trouble)

    @contextlib.asynccontextmanager
    async def serving(self, seconds: float) -> AsyncIterator[None]:
        """Sync what is written inside the block, at most so many seconds later, and all of it at the block's end."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._serve, seconds)
            try:
                yield
            finally:
                group.cancel_scope.cancel()
                with anyio.CancelScope(shield=True), self.reporting_trouble():
                    await self._sync()

    async def _serve(self, seconds: float) -> None:
        """No oftener than every so many seconds.

        After a calm while that is at once: waiting would gather nothing, and waking up costs more than the fsync.
        """
        with self.reporting_trouble():
            while True:
                await self._dirtied.wait()
                left = self._synced_at + seconds - anyio.current_time()
                if left > 0.0:
                    await anyio.sleep(left)
                self._synced_at = anyio.current_time()
                self._is_dirty, self._dirtied = False, anyio.Event()
                await self._sync()
