"""HTTP/1.1 on one connection: a request goes out, one whole answer comes back.

Only what a JSON API needs, on nothing but asyncio's own transports: a general client costs three times the CPU, most of
it for cookies, redirects, sessions and streams that nobody here wants.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from time import perf_counter
from typing import cast

from .transport import MAX_ANSWER_BYTES, Answer, Cause, Lost

_MAX_HEAD_BYTES = 64 * 1024
_WITHOUT_BODY = (204, 304)
_AT_END = -1  # the body's length when only the connection's end tells it
_IN_CHUNKS = -2


class MalformedError(ValueError):
    """What came is not an HTTP answer."""


class OversizedError(ValueError):
    """The body is larger than any answer of Omni's."""


class Reader:
    """Puts one answer together from the pieces in which it comes."""

    __slots__ = ("_body", "_held", "_left", "headers", "keeps_alive", "status")

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.keeps_alive = False
        self._left = 0  # bytes of the body still to come, or one of the two constants
        self._held = b""  # what came and is not used yet
        self._body = bytearray()

    def feed(self, data: bytes) -> bytes | None:
        """Take a piece; the whole body once it is complete. Raises MalformedError or OversizedError."""
        if self._held:
            data = self._held + data
            self._held = b""
        while not self.status:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                if len(data) > _MAX_HEAD_BYTES:
                    raise MalformedError("its head does not end")
                self._held = data
                return None
            self._read_head(data[:end].decode("latin-1"))
            data = data[end + 4 :]
        if self._left == len(data) and not self._body:  # nearly every answer: it came in one piece
            return self._unpacked(data)
        return self._more(data)

    def end(self) -> bytes | None:
        """The connection has ended: the body if that makes it complete, else None."""
        if self.status and self._left == _AT_END:
            return self._unpacked(bytes(self._body))
        return None

    def _more(self, data: bytes) -> bytes | None:
        if self._left == _IN_CHUNKS:
            return self._more_chunks(data)
        if self._left == _AT_END:
            self._take(data)
            return None
        if len(data) > self._left:
            raise MalformedError("more came than its Content-Length says")
        self._take(data)
        self._left -= len(data)
        return None if self._left else self._unpacked(bytes(self._body))

    def _more_chunks(self, data: bytes) -> bytes | None:
        at = 0
        while (end := data.find(b"\r\n", at)) >= 0:
            size = _chunk_size(data[at:end])
            if size == 0:
                over = data.find(b"\r\n\r\n", at)
                if over < 0:
                    break  # trailers: they say nothing that we want, but they must be over
                if len(data) > over + 4:
                    raise MalformedError("more came after its last chunk")
                return self._unpacked(bytes(self._body))
            if len(data) < end + 2 + size + 2:
                break
            self._take(data[end + 2 : end + 2 + size])
            at = end + 2 + size + 2
        self._held = data[at:]
        if len(self._held) > MAX_ANSWER_BYTES + _MAX_HEAD_BYTES:
            raise OversizedError
        return None

    def _take(self, data: bytes) -> None:
        self._body += data
        if len(self._body) > MAX_ANSWER_BYTES:
            raise OversizedError

    def _read_head(self, head: str) -> None:
        lines = head.split("\r\n")
        version, _, rest = lines[0].partition(" ")
        if version not in ("HTTP/1.1", "HTTP/1.0") or not rest[:3].isdecimal() or rest[3:4].strip():
            raise MalformedError("it does not begin as HTTP/1.1 does")
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon:
                raise MalformedError("a header has no colon")
            name = name.lower()
            headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
        status = int(rest[:3])
        if status == 101 or status < 100:
            raise MalformedError(f"its status is {status}")
        if status < 200:
            return  # an interim answer: the real one follows
        self.status, self.headers = status, headers
        wish = headers.get("connection", "").lower()
        self.keeps_alive = "close" not in wish if version == "HTTP/1.1" else "keep-alive" in wish
        self._left = self._length_of_body()

    def _length_of_body(self) -> int:
        if self.status in _WITHOUT_BODY:
            return 0
        coding = self.headers.get("transfer-encoding", "").lower()
        if coding:
            if coding != "chunked":
                raise MalformedError(f"its transfer coding is {coding}")
            return _IN_CHUNKS
        length = self.headers.get("content-length")
        if length is None:
            self.keeps_alive = False
            return _AT_END
        if not (length.isascii() and length.isdecimal()):
            raise MalformedError("its Content-Length is no number")
        if int(length) > MAX_ANSWER_BYTES:
            raise OversizedError
        return int(length)

    def _unpacked(self, body: bytes) -> bytes:
        coding = self.headers.get("content-encoding")
        if coding is None or not body:
            return body
        if coding.lower() not in ("gzip", "x-gzip", "deflate"):
            return body  # we asked for none; what cannot be read will be said to be unreadable
        unpacking = zlib.decompressobj(wbits=47)
        try:
            plain = unpacking.decompress(body, MAX_ANSWER_BYTES)
        except zlib.error as error:
            raise MalformedError("its compression is broken") from error
        if unpacking.unconsumed_tail:
            raise OversizedError
        if not unpacking.eof:
            raise MalformedError("its compression is broken")
        return plain


def _chunk_size(line: bytes) -> int:
    size = line.partition(b";")[0].strip()
    if not size.isalnum():  # int() would take a sign or an underscore
        raise MalformedError("a chunk has no length")
    try:
        return int(size, 16)
    except ValueError:
        raise MalformedError("a chunk has no length") from None


class Connection(asyncio.Protocol):
    """A connection that carries one request at a time. `on_lost` is told when it is gone."""

    def __init__(self, on_lost: Callable[[Connection], None], timeout_seconds: float) -> None:
        self.idle_since = 0.0
        self.is_reusable = True
        self._on_lost = on_lost
        self._timeout_seconds = timeout_seconds
        self._loop = asyncio.get_running_loop()
        self._reader = Reader()
        self._answer: asyncio.Future[Answer | Lost] | None = None
        self._asked = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: it stands."""
        self._transport = cast("asyncio.Transport", transport)

    async def ask(self, request: bytes, spent_seconds: float = 0.0) -> Answer | Lost:
        """Send one request and wait for its whole answer, at most the timeout less what connecting has `spent_seconds`.

        If the wait is cancelled, the connection is of no more use and is closed.
        """
        self._reader = Reader()
        self._asked = perf_counter()
        self._answer = self._loop.create_future()
        timer = self._loop.call_later(self._timeout_seconds - spent_seconds, self._expire)
        self._transport.write(request)
        try:
            return await self._answer
        finally:
            timer.cancel()
            if not self._answer.done() or self._answer.cancelled():
                self.abort()
            self._answer = None

    def data_received(self, data: bytes) -> None:
        """asyncio: a piece of the answer came."""
        if self._answer is None or self._answer.done():
            self.abort()  # nobody asked
            return
        reader = self._reader
        try:
            body = reader.feed(data)
        except OversizedError:
            self._lose(Cause.OVERSIZED, f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
        except MalformedError as fault:
            self._lose(Cause.TRUNCATED if reader.status else Cause.RESET, f"the answer cannot be read: {fault}")
        else:
            if body is not None:
                self._settle(body)

    def eof_received(self) -> None:
        """asyncio: nothing more will come."""
        if self._answer is None or self._answer.done():
            return
        try:
            body = self._reader.end()
        except ValueError as fault:
            self._lose(Cause.TRUNCATED, f"the answer cannot be read: {fault}")
        else:
            if body is not None:
                self._settle(body)

    def connection_lost(self, error: Exception | None) -> None:
        """asyncio: it is gone."""
        self.is_reusable = False
        if error is None:
            self.eof_received()
        if self._reader.status:
            self._lose(Cause.TRUNCATED, "the answer ended early")
        else:
            # includes a dead keep-alive connection: whether the server read the request is not known
            what = type(error).__name__ if error is not None else "closed by the server"
            self._lose(Cause.RESET, f"the connection was lost ({what})")
        self._on_lost(self)

    def abort(self) -> None:
        """Close it without ceremony."""
        self.is_reusable = False
        self._transport.abort()

    def _settle(self, body: bytes) -> None:
        reader = self._reader
        self.is_reusable = self.is_reusable and reader.keeps_alive
        if not self.is_reusable:
            self._transport.close()
        if self._answer is not None:
            self._answer.set_result(Answer(reader.status, reader.headers, body, perf_counter() - self._asked))

    def _lose(self, cause: Cause, message: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(Lost(cause, message, self._reader.status or None))
            self.abort()

    def _expire(self) -> None:
        self._lose(Cause.TIMEOUT, f"no whole answer within {self._timeout_seconds:g} s")
