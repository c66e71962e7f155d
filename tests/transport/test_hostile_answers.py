"""Answers that mean harm or are broken: none hangs a request past its time, fills the memory, or is taken for something else."""

from __future__ import annotations

import asyncio
import gc
import gzip
import socket
import struct

import pytest

from batcher.transport.reply import Answer, Cause, Lost

from .hostile import BROKEN, CHUNKED, FLOODS, HEAD, MEGABYTE, TORN, drips, in_pieces, meet, peak_bytes
from .test_http import KEY, connected, read_request, serving


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize("stay", [0.0, 5.0])
async def test_a_broken_answer_in_two_packets_ends_the_wait(what: str, stay: float) -> None:
    """Wherever it is cut. (Failed before: the body's reader was told nothing, and the request hung for ever.)"""
    whole = BROKEN[what]
    cuts = sorted({1, len(HEAD), len(CHUNKED) + 5, *range(len(CHUNKED), len(whole), 6), len(whole) - 1})

    async def one(cut: int) -> None:
        reply, _ = await meet(in_pieces(whole[:cut], whole[cut:], stay=stay), seconds=0.5)
        assert isinstance(reply, Lost) or (isinstance(reply, Answer) and reply.body == b"{}"), (cut, reply)

    async with asyncio.timeout(60):  # a request that hangs never ends; nothing else here takes a second
        await asyncio.gather(*(one(cut) for cut in cuts if 0 < cut < len(whole)))


async def test_a_torn_body_says_what_the_parser_met() -> None:
    """When it meets it: what is noticed only when the request's time is over has another cause."""
    reply, _ = await meet(in_pieces(TORN[:-28], TORN[-28:], stay=5.0), seconds=4.0)
    assert isinstance(reply, Lost)
    assert (reply.cause, reply.status) == (Cause.UNREADABLE, 201)
    assert "can't be understood" in reply.message


async def test_drips_do_not_outlast_the_time() -> None:
    """A byte now and then isn't an answer: the time is for all of it. Without it the server's close would be the cause."""
    reply, _ = await meet(drips(), seconds=0.4)
    assert isinstance(reply, Lost)
    assert reply.cause is Cause.TIMEOUT


@pytest.mark.parametrize("what", FLOODS)
async def test_floods_are_cut(what: str) -> None:
    """Within the request's time, and within a few times the 8 MiB that an answer may have."""
    pieces = FLOODS[what]()
    before = peak_bytes()
    reply, seconds = await meet(pieces, seconds=3.0)
    assert isinstance(reply, Lost)
    assert seconds < 30  # 3 seconds on an idle machine; without the cut it would be 60
    assert peak_bytes() - before < 100 * MEGABYTE


@pytest.mark.parametrize("size", [9_000, 32_000, 64_000])
async def test_a_long_header_is_taken(size: int) -> None:
    """A policy, a cookie: other clients take them. (Failed before with 8 KB: made, and never noticed.)"""
    reply, _ = await meet(in_pieces(HEAD + b"Set-Cookie: " + b"x" * size + b"\r\nContent-Length: 2\r\n\r\n{}"))
    assert isinstance(reply, Answer)
    assert reply.body == b"{}"


async def test_a_header_that_nobody_takes_is_named() -> None:
    """It came whole and can't be understood; no connection was lost."""
    reply, _ = await meet(in_pieces(HEAD + b"X: " + b"x" * 200_000 + b"\r\nContent-Length: 2\r\n\r\n{}", stay=1))
    assert isinstance(reply, Lost)
    assert reply.cause is Cause.UNREADABLE
    assert "65536" in reply.message
    assert len(reply.message) < 300


async def test_a_body_that_does_not_unpack_is_named() -> None:
    """Whole by its length, and no gzip."""
    body = gzip.compress(b"{}")[:-12] + b"garbage.garbage!"
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    reply, _ = await meet(in_pieces(head + body, stay=1))
    assert isinstance(reply, Lost)
    assert (reply.cause, reply.status) == (Cause.UNREADABLE, 201)


async def test_a_byte_order_mark_is_taken_off() -> None:
    """Some servers begin JSON with one. (Failed before: it was no JSON.)"""
    reply, _ = await meet(in_pieces(HEAD + b"Content-Length: 5\r\n\r\n\xef\xbb\xbf{}"))
    assert isinstance(reply, Answer)
    assert reply.body == b"{}"


async def test_a_reset_after_a_whole_answer_is_nobodys_complaint() -> None:
    """Regression: asyncio wrote "Future exception was never retrieved" to the screen, with a traceback."""
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(CHUNKED + b"2\r\n{}\r\n")
        await asyncio.sleep(0.05)
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with serving(serve) as address, connected(f"http://{address}", 2.0) as transport:
        assert isinstance(await transport.request("POST", "/x", KEY, b"{}"), Answer)
        await asyncio.sleep(0.2)
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []
