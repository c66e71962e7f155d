"""The sandbox's side of a connection: when a request's first byte came, and the ways to end one badly."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from http.client import responses
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from .calls import Response

_SILENT = logging.getLogger("batcher.sandbox.access")
_SILENT.disabled = True  # the sandbox keeps its own log
_NO_LINGER = struct.pack("ii", 1, 0)  # close() sends RST instead of FIN


class Connection(web.RequestHandler):
    """One client connection."""

    def __init__(self, server: web.Server, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(server, loop=loop, access_log=_SILENT, lingering_time=1.0)
        self._clock = loop.time
        self._arrived: float | None = None
        self.gone = asyncio.Event()  # the client went away, or the sandbox closes

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """What isn't HTTP gets its 400, and nobody is shown a traceback for it; the rest is ours and is shown."""
        if not isinstance(kw.get("exc_info"), HttpProcessingError):
            super().log_exception(*args, **kw)

    def data_received(self, data: bytes) -> None:
        """Note the time at which a request begins to arrive."""
        if self._arrived is None:
            self._arrived = self._clock()
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Wake what waits for the client to go away."""
        super().connection_lost(exc)
        self.gone.set()

    def take_arrival(self) -> float:
        """The loop's time (seconds) at the first byte of the request at hand; the next bytes begin a new one."""
        arrived, self._arrived = self._arrived, None
        return self._clock() if arrived is None else arrived

    def reset(self) -> None:
        """Cut the connection with RST."""
        if self.transport is not None:
            sock = self.transport.get_extra_info("socket")
            if sock is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self.transport.abort()

    def write(self, data: bytes) -> None:
        """Write bytes as they are, past the HTTP machinery."""
        if self.transport is not None:
            self.transport.write(data)

    def close_after_writing(self) -> None:
        """Close the connection once everything written has left."""
        if self.transport is not None:
            self.transport.close()


def raw_answer(response: Response, length: int | None = None) -> bytes:
    """A whole HTTP answer as bytes; with `length` its Content-Length says that instead of the truth."""
    phrase = responses.get(response.status, "Status")
    length = len(response.body) if length is None else length
    head = [
        f"HTTP/1.1 {response.status} {phrase}",
        f"Content-Type: {response.content_type}",
        f"Content-Length: {length}",
    ]
    head += [f"{name}: {value}" for name, value in response.headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + response.body
