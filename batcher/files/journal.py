"""The journal open for writing: what was about to be sent is on disk before it leaves, and all else that must survive.

`journal_lines.py` holds the types of its lines, `history.py` reads them back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable

import anyio
import anyio.lowlevel

from ..errors import DiskTrouble, ForeignWriter
from .journal_lines import Intent, JournalLine
from .lines import Lines


class Journal:
    """The journal open for appending. `intend` waits for the disk; all else is written at once and synced later."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._wanted = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._gathered: list[bytes] = []  # intents that wait for the next group
        self._waiting: list[asyncio.Future[None]] = []  # those who wait for them
        self._failure: DiskTrouble | None = None

    def intend(self, intent: Intent) -> Awaitable[None]:
        """Write the intent with the next group. To be awaited: then it would survive a power cut. Raises DiskTrouble."""
        if self._failure is not None:
            raise self._failure
        synced = self._loop.create_future()
        self._gathered.append(intent.encode())
        self._waiting.append(synced)
        if not self._wanted.is_set():
            self._wanted.set()
        return synced

    def write(self, line: JournalLine) -> int:
        """Write one line, after all intents so far, and return its offset (bytes). Raises DiskTrouble."""
        self._write_gathered()
        return self._lines.write(line.encode())

    async def sync(self) -> None:
        """Return once everything is durable. Raises DiskTrouble."""
        self._write_gathered()
        await self._lines.sync()

    @property
    def has_failed(self) -> bool:
        """Whether the disk refused intents: none is taken any more, and the last ones may be missing.

        They are all there if it was only somebody else's writing that ended it.
        """
        return self._failure is not None and not isinstance(self._failure, ForeignWriter)

    @property
    def has_foreign(self) -> bool:
        """Whether somebody else writes to the journal."""
        return self._lines.has_foreign

    def size(self) -> int:
        """Bytes in the journal now."""
        return self._lines.size()

    @contextlib.asynccontextmanager
    async def group_syncs(self) -> AsyncIterator[None]:
        """Serve `intend` inside the block: one fsync for all that wait."""
        async with anyio.create_task_group() as group:
            # shielded: whoever cancels what is around this block does not tear workers off that wait for the disk
            served = anyio.CancelScope(shield=True)
            group.start_soon(self._serve_in, served)
            try:
                yield
            finally:
                served.cancel()

    async def _serve_in(self, scope: anyio.CancelScope) -> None:
        with scope:
            await self._serve()

    async def _serve(self) -> None:
        waiting: list[asyncio.Future[None]] = []
        try:
            while True:
                await self._wanted.wait()
                # Whoever is ready in this turn of the loop joins; while the disk is busy, the next group gathers. Waiting
                # any longer left a fifth of an unlimited run idle, for a disk that a dozen intents keep no busier than one.
                await anyio.lowlevel.checkpoint()
                self._wanted.clear()
                waiting, self._waiting = self._waiting, []
                await self.sync()
                _wake(waiting, self._failure)  # a line that was written meanwhile may have failed with them
        except DiskTrouble as trouble:
            self._failure = trouble
            if isinstance(trouble, ForeignWriter):  # the disk is sound, and who waits may take the intent back there
                with contextlib.suppress(DiskTrouble):
                    self._write_gathered()
        finally:
            # nobody may wait for an fsync that will not come, and no request of these intents will leave
            self._failure = self._failure or DiskTrouble("the run ended before this intent was on disk")
            self._gathered = []
            _wake(waiting + self._waiting, self._failure)

    def _write_gathered(self) -> None:
        """All intents of a group in one piece: they are not needed on disk before the group's fsync."""
        if self._gathered:
            gathered, self._gathered = self._gathered, []
            try:
                self._lines.write(b"".join(gathered))
            except DiskTrouble as trouble:
                self._failure = trouble  # for those who wait for these intents
                raise


def _wake(waiting: list[asyncio.Future[None]], failure: DiskTrouble | None = None) -> None:
    for synced in waiting:
        if synced.done():  # its row may have been cut off meanwhile
            continue
        if failure is None:
            synced.set_result(None)
        else:
            synced.set_exception(failure)
