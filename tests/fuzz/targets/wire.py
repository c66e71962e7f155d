"""What a server sends, byte by byte: a real connection on 127.0.0.1, and the transport at its other end."""

from __future__ import annotations

import asyncio
from functools import cache

from batcher.api_keys import ApiKey
from batcher.transport.http import HttpTransport, open_transport
from batcher.transport.reply import Answer, Lost, NotSent

_KEY = ApiKey("omni_osk_fuzz")
_PATIENCE_SECONDS = 5.0


class _Server:
    """Answers each request with the bytes at hand, in two pieces, and closes."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.data = b""
        server = self.loop.run_until_complete(asyncio.start_server(self._answer, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._opening = open_transport(f"http://127.0.0.1:{self.port}", timeout_seconds=_PATIENCE_SECONDS)
        self.transport: HttpTransport = self.loop.run_until_complete(self._opening.__aenter__())

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            middle = len(self.data) // 2
            writer.write(self.data[:middle])
            await asyncio.sleep(0)
            writer.write(self.data[middle:])
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@cache
def _server() -> _Server:
    return _Server()


def hold_wire(data: bytes) -> None:
    """Whatever comes there is a reply, in time, and the next request is not harmed by what this one left."""
    server = _server()
    server.data = data
    reply = server.loop.run_until_complete(_ask(server))
    assert isinstance(reply, Answer | Lost | NotSent)
    if isinstance(reply, Answer):
        assert 200 <= reply.status < 1000 or reply.status == 101
        assert b"HTTP/1" in data
    server.transport.drop_kept()


async def _ask(server: _Server) -> object:
    async with asyncio.timeout(_PATIENCE_SECONDS * 2):
        return await server.transport.request("GET", "/api/v1/whoami", _KEY)
