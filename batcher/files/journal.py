"""The journal: what was about to be sent, on disk before it left, and whatever else must survive a crash.

Lines are JSON objects, `key` first. Types:

| type | says |
|---|---|
| journal | the first line: version, base URL (`sandbox` for any sandbox) and namespace of all that follows |
| run | a run began: id and time; with `command`, an undo |
| intent | one attempt is about to leave: identifier, whether it was filled in, hash and body of what is sent |
| clear | the key's last attempt certainly did nothing |
| settled | none of the key's attempts so far did anything |
| failed, uncertain | an outcome, with all fields of its failures line |
| mended | the row that failed under this key is another one's now, since its key was mended |
| undone | undo deleted this document, of which so many lines of the results file told |
| created | this run has written its first results line |
| rewriting | the failures file is about to be replaced by one of this size and digest |

Intents are kept for good. Unknown types and fields are passed over when the journal is read (`history.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, NamedTuple

import anyio
import anyio.lowlevel
import orjson

from ..errors import DiskTrouble
from ..models import stamp
from .lines import Lines

VERSION = 1


class Intent(NamedTuple):
    """One attempt that is about to leave. `body` is exactly what will be sent; `at` is UTC."""

    key: str
    identifier: str | None
    is_filled: bool
    attempt: int
    at: datetime
    run: str
    source: str
    line: int
    spec_hash: str
    body: bytes
    is_resend: bool = False

    def encode(self) -> bytes:
        """The journal's line."""
        said: dict[str, Any] = {
            "key": self.key,
            "type": "intent",
            "identifier": self.identifier,
            "filled": self.is_filled,
            "attempt": self.attempt,
            "at": stamp(self.at),
            "run": self.run,
            "source": self.source,
            "line": self.line,
            "specHash": self.spec_hash,
            "body": orjson.Fragment(self.body),
        }
        if self.is_resend:
            said["resend"] = True
        return orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE)


class Journal:
    """The journal open for appending. `intend` waits for the disk; all else is written at once and synced later."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._wanted = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._gathered: list[bytes] = []  # intents that wait for the next group
        self._waiting: list[asyncio.Future[None]] = []  # those who wait for them
        self._failure: DiskTrouble | None = None
        self.on_busy: Callable[[], None] = lambda: None  # called when a group begins to wait for the disk

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

    def write(self, said: dict[str, Any]) -> int:
        """Write one line, after all intents so far, and return its offset. Raises DiskTrouble."""
        self._write_gathered()
        return self._lines.write(orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE))

    async def sync(self) -> None:
        """Return once everything is durable. Raises DiskTrouble."""
        self._write_gathered()
        await self._lines.sync()

    @property
    def has_failed(self) -> bool:
        """Whether the disk refused intents: none is taken any more, and the last ones may be missing."""
        return self._failure is not None

    def size(self) -> int:
        """Bytes in the journal now."""
        return self._lines.size()

    @asynccontextmanager
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
                self.on_busy()
                await self.sync()
                _wake(waiting, self._failure)  # a line that was written meanwhile may have failed with them
        except DiskTrouble as trouble:
            self._failure = trouble
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
    for one in waiting:
        if one.done():  # its row may have been cut off meanwhile
            continue
        if failure is None:
            one.set_result(None)
        else:
            one.set_exception(failure)
