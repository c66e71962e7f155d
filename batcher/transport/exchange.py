"""One request under way: what its answer is read from, and how the wait for it is ended."""

from __future__ import annotations

import asyncio

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.streams import StreamReader

from .reply import MAX_ANSWER_BYTES


def _see(closed: asyncio.Future[None]) -> None:
    """However the connection ends, perhaps after later requests: seen, so that asyncio doesn't complain on the screen."""
    closed.cancelled() or closed.exception()


class Exchange:
    """One request on its connection, and what its answer is read from, so that the wait for it can be ended.

    aiohttp tells a body's reader nothing if its parser fails within the body, or if the connection is gone by then.
    """

    __slots__ = ("_connection", "_content")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._content: StreamReader | None = None

    def cut(self) -> None:
        """See `timeouts.Exchange`."""
        if self._connection.transport is not None:
            self._connection.transport.abort()
        protocol = self._connection.protocol
        if protocol is not None and protocol.exception() is None:
            protocol.set_exception(TimeoutError())
        self._end(TimeoutError())

    def _end(self, error: BaseException) -> None:
        content = self._content
        if content is not None and not content.is_eof() and content.exception() is None:
            content.set_exception(error)

    async def read(self, protocol: ResponseHandler, content: StreamReader) -> bytes | None:
        """The body, or None if it is too large."""
        self._content = content

        def gone(_: asyncio.Future[None]) -> None:
            self._end(protocol.exception() or aiohttp.ClientPayloadError())

        closed = protocol.closed
        if closed is None:  # what came before its end may be the whole body
            asyncio.get_running_loop().call_soon(self._end, protocol.exception() or aiohttp.ClientPayloadError())
        else:
            closed.remove_done_callback(_see)
            closed.add_done_callback(_see)
            closed.add_done_callback(gone)
        pieces, size = [], 0
        try:
            async for piece in content.iter_any():
                size += len(piece)
                if size > MAX_ANSWER_BYTES:
                    return None
                pieces.append(piece)
        finally:
            if closed is not None:
                closed.remove_done_callback(gone)
        return b"".join(pieces)
