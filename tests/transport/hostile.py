"""Answers that mean harm or are broken, as a server sends them: what the tests meet, and `python -m tests.transport` measures."""

from __future__ import annotations

import asyncio
import resource
import sys
import time
import zlib
from collections.abc import AsyncIterator, Callable

from batcher.transport.reply import Reply

from .test_http import KEY, connected, read_request, serving

HEAD = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
TORN = CHUNKED + b'14\r\n{"dashboard":{"id":"<html>502 Bad Gateway</html>'
MEGABYTE = 1 << 20


async def meet(pieces: AsyncIterator[bytes], *, seconds: float = 2.0) -> tuple[Reply, float]:
    """What a POST comes to whose answer arrives in these pieces, and how many seconds it took."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        async for piece in pieces:
            writer.write(piece)
            await writer.drain()

    async with serving(serve) as address, connected(f"http://{address}", seconds) as transport:
        begun = time.perf_counter()
        reply = await transport.request("POST", "/x", KEY, b"{}")
        return reply, time.perf_counter() - begun


async def in_pieces(*pieces: bytes, wait: float = 0.02, stay: float = 0.0) -> AsyncIterator[bytes]:
    """One packet each. `stay`: the server keeps the connection open so long afterwards (seconds)."""
    for piece in pieces:
        yield piece
        await asyncio.sleep(wait)
    await asyncio.sleep(stay)


BROKEN = {
    "no chunk": TORN,
    "a size out of range": CHUNKED + b"2\r\n{}\r\nfffffffffffffffffffff\r\n",
    "a bad trailer": CHUNKED + b"2\r\n{}\r\n0\r\n\x00bad\r\n\r\n",
    "a bad header": HEAD + b"Content Length: 2\r\n\r\n{}",
    "no status": b"<html>502 Bad Gateway</html>\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
}


async def drips() -> AsyncIterator[bytes]:
    """A byte of a thousand every 50 ms."""
    yield HEAD + b"Content-Length: 1000\r\n\r\n"
    for _ in range(100):
        yield b"x"
        await asyncio.sleep(0.05)


async def endless(head: bytes, piece: bytes, most: int) -> AsyncIterator[bytes]:
    """So many bytes of the same, and no end."""
    yield head
    for _ in range(most // len(piece)):
        yield piece
    await asyncio.sleep(60)


def bomb() -> bytes:
    """200 MB of zeros as gzip."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(bytes(MEGABYTE)) for _ in range(200)) + packer.flush()


def _bomb_sent() -> AsyncIterator[bytes]:
    packed = bomb()
    return in_pieces(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed, stay=5)


FLOODS: dict[str, Callable[[], AsyncIterator[bytes]]] = {
    "a line without end": lambda: endless(HEAD + b"X: ", b"x" * 65536, 50 * MEGABYTE),
    "headers without end": lambda: endless(HEAD, b"X-A: b\r\n" * 8192, 50 * MEGABYTE),
    "interim answers": lambda: endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 2048, 4 * MEGABYTE),
    "200 MB": lambda: endless(HEAD + b"Content-Length: 209715200\r\n\r\n", bytes(65536), 200 * MEGABYTE),
    "200 MB in chunks": lambda: endless(CHUNKED, b"10000\r\n" + bytes(65536) + b"\r\n", 200 * MEGABYTE),
    "a bomb": _bomb_sent,
}


def peak_bytes() -> int:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
