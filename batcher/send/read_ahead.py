"""The next specs, read while the disk is busy with intents.

Then all workers of an unlimited run wait for the same fsync, and the machine would idle for a tenth of the run. At most
`most` specs are read ahead, so memory stays bounded.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel

from ..errors import BatcherError
from ..files.journal import Journal
from ..models import Spec

_AT_ONCE = 8  # specs between two looks whether the disk, or the server, has answered


class Ahead:
    """An iterator over `specs`; what is wrong with them is raised when their turn comes."""

    def __init__(self, specs: Iterator[Spec], most: int) -> None:
        self._specs = specs
        self._most = most
        self._read: deque[Spec] = deque()
        self._error: BatcherError | None = None

    def __iter__(self) -> Iterator[Spec]:
        return self

    def __next__(self) -> Spec:
        if self._read:
            return self._read.popleft()
        if self._error is not None:
            raise self._error
        return next(self._specs)

    async def keep_reading(self, wanted: asyncio.Event) -> None:
        """Fill up each time that `wanted` is set, until there are no more."""
        while True:
            await wanted.wait()
            wanted.clear()
            while (left := self._most - len(self._read)) > 0:
                if not self._read_some(min(left, _AT_ONCE)):
                    return
                await anyio.lowlevel.checkpoint()

    def _read_some(self, count: int) -> bool:
        """False if these were the last."""
        try:
            for _ in range(count):
                self._read.append(next(self._specs))
        except StopIteration:
            return False
        except BatcherError as error:
            self._error = error
            return False
        return True


@asynccontextmanager
async def read_ahead(specs: Iterator[Spec], journal: Journal, most: int) -> AsyncIterator[Iterator[Spec]]:
    """The same specs, for the block."""
    ahead, wanted = Ahead(specs, most), asyncio.Event()
    journal.on_busy = wanted.set
    async with anyio.create_task_group() as group:
        group.start_soon(ahead.keep_reading, wanted)
        try:
            yield ahead
        finally:
            journal.on_busy = _nothing
            group.cancel_scope.cancel()


def _nothing() -> None:
    """Nobody wants to know."""
