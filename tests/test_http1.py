"""Answers put together from pieces: whatever the cut, whatever the framing, and nothing that is not HTTP."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.http1 import MalformedError, OversizedError, Reader
from batcher.transport import MAX_ANSWER_BYTES

BODY = b'{"workbook":{"identifier":"a"}}'
GZIP, DEFLATE = gzip.compress(BODY, mtime=0), zlib.compress(BODY)
BOMB = gzip.compress(bytes(MAX_ANSWER_BYTES * 2), mtime=0)
OK = b"HTTP/1.1 201 Created\r\n"
CHUNKED = OK + b"Transfer-Encoding: Chunked\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
WHOLE = {
    "length": OK + b"Content-Length: 31\r\n\r\n" + BODY,
    "no body": OK + b"Content-Length: 0\r\n\r\n",
    "chunks": CHUNKED + b"5\r\n" + BODY[:5] + b"\r\n1A;x=y\r\n" + BODY[5:] + b"\r\n0\r\n\r\n",
    "trailers": CHUNKED + b"1f\r\n" + BODY + b"\r\n0\r\nX-Sum: 1\r\n\r\n",
    "interim": INTERIM + OK + b"content-length:31\r\n\r\n" + BODY,
    "gzip": OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(GZIP) + GZIP,
    "deflate": OK + b"Content-Encoding: deflate\r\nContent-Length: %d\r\n\r\n" % len(DEFLATE) + DEFLATE,
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
}


def read(pieces: list[bytes]) -> tuple[Reader, bytes | None]:
    """Feed the pieces until the answer is whole."""
    reader = Reader()
    body = None
    for piece in pieces:
        body = reader.feed(piece)
        if body is not None:
            break
    return reader, body


@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_any_cut_gives_the_same_answer(kind: str, data: st.DataObject) -> None:
    """How the network cuts an answer into pieces does not matter, and it is whole with its last byte, not before."""
    text = WHOLE[kind]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(text) - 1), max_size=6)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    reader, body = read(pieces)
    assert reader.status == (204 if kind == "204" else 201)
    assert body == (b"" if kind in ("204", "no body") else BODY)
    assert reader.keeps_alive
    assert read(pieces[:-1])[1] is None


def test_without_length_the_end_of_the_connection_ends_the_body() -> None:
    """An old proxy says neither length nor chunks; such a connection is not used again."""
    reader, body = read([b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<ht", b"ml>"])
    assert body is None
    assert reader.end() == b"<html>"
    assert not reader.keeps_alive


def test_an_end_before_the_length_is_reached_is_no_answer() -> None:
    """A body that ends early is never taken for a whole one."""
    assert read([WHOLE["length"][:-1]])[0].end() is None
    assert read([WHOLE["chunks"][:-2]])[0].end() is None
    assert Reader().end() is None


@pytest.mark.parametrize(
    ("head", "keeps"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0", False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0", True),
        (b"HTTP/1.1 200\r\nContent-Length: 0", True),
    ],
)
def test_whether_the_connection_may_be_used_again(head: bytes, keeps: bool) -> None:
    """As the versions of HTTP have it."""
    reader, body = read([head + b"\r\n\r\n"])
    assert (reader.status, body, reader.keeps_alive) == (200, b"", keeps)


@pytest.mark.parametrize("extra", [b"X", b"HTTP/1.1 200 OK\r\n"])
@pytest.mark.parametrize("kind", ["length", "chunks", "no body"])
def test_more_than_was_announced_is_no_answer(kind: str, extra: bytes) -> None:
    """One of the two is wrong, the length or the body, so nobody knows what the answer was."""
    with pytest.raises(MalformedError):
        read([WHOLE[kind] + extra])


def test_headers_are_lower_case_and_joined() -> None:
    """Names are told without their case; a name met twice keeps both values."""
    reader, _ = read([b"HTTP/1.1 200 OK\r\nRetry-After:  7 \r\nWarning: a\r\nwarning: b\r\nContent-Length: 0\r\n\r\n"])
    assert reader.headers == {"retry-after": "7", "warning": "a, b", "content-length": "0"}


@pytest.mark.parametrize(
    "text",
    [
        b"SSH-2.0-OpenSSH_9\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        OK + b"no colon\r\n\r\n",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: 1, 2\r\n\r\n",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        CHUNKED + b"xyz\r\n",
        CHUNKED + b"-1\r\n",
        CHUNKED + b"\r\n\r\n",
        OK + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
        OK + b"Content-Encoding: gzip\r\nContent-Length: 12\r\n\r\n" + GZIP[:12],
        b"x" * 70_000,
    ],
)
def test_what_is_not_http_is_refused(text: bytes) -> None:
    """Never guess at what a broken answer meant."""
    with pytest.raises(MalformedError):
        Reader().feed(text)


@pytest.mark.parametrize(
    "text",
    [
        OK + b"Content-Length: %d\r\n\r\n" % (MAX_ANSWER_BYTES + 1),
        OK + b"\r\n" + bytes(MAX_ANSWER_BYTES + 1),
        CHUNKED + b"900000\r\n" + bytes(0x900000) + b"\r\n",
        CHUNKED + b"9000000\r\n" + bytes(0x900000),
        OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB,
    ],
    ids=["length", "until the end", "chunk", "unfinished chunk", "gzip bomb"],
)
def test_what_is_too_large_is_refused(text: bytes) -> None:
    """Memory is bounded whatever the server sends, packed or not."""
    with pytest.raises(OversizedError):
        Reader().feed(text)
