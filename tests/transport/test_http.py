"""Each way in which a request can fail, over real sockets: what the server may have seen decides what it is called."""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from batcher.api_keys import ApiKey
from batcher.transport import kept
from batcher.transport.http import open_transport
from batcher.transport.reply import MAX_ANSWER_BYTES, Answer, Cause, Lost, NotSent, Reply, Transport

KEY = ApiKey("omni_osk_secret")
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@asynccontextmanager
async def serving(serve: Serve, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that does with each connection what `serve` does; its address."""

    async def carefully(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(carefully, "127.0.0.1", 0, ssl=context, backlog=512)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def connected(base_url: str, timeout_seconds: float = 2.0) -> AsyncIterator[Transport]:
    """A transport to it."""
    async with open_transport(base_url, timeout_seconds=timeout_seconds, connect_timeout_seconds=0.5) as transport:
        yield transport


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """One request's head; its body is read, too."""
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            await reader.readexactly(int(value))
    return head


def saying(answer: bytes, *, reset: bool = False) -> Serve:
    """Reads a request, writes this, and closes (or resets) the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer)
        await writer.drain()
        if reset:
            plug = writer.get_extra_info("socket")
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    return serve


async def post(answer: bytes, *, reset: bool = False, timeout_seconds: float = 2.0) -> Reply:
    """What a POST to a server with this answer comes to."""
    async with (
        serving(saying(answer, reset=reset)) as address,
        connected(f"http://{address}", timeout_seconds) as transport,
    ):
        return await transport.request("POST", "/api/v1/documents", KEY, b"{}")


async def test_a_whole_answer() -> None:
    """Status, body, and headers that are found in lower case."""
    reply = await post(b'HTTP/1.1 201 Created\r\nRetry-After: 7\r\nContent-Length: 8\r\n\r\n{"a": 1}')
    assert isinstance(reply, Answer)
    assert (reply.status, reply.body, reply.headers.get("retry-after")) == (201, b'{"a": 1}', "7")
    assert reply.elapsed_seconds > 0


async def test_what_is_sent() -> None:
    """Method, path, query, key and body as they were given."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            heads.append(await read_request(reader))
            writer.write(OK)

    async with serving(serve) as address, connected(f"http://{address}") as transport:
        await transport.request("GET", "/api/v1/documents/a%2Fb", KEY, query={"q": "x y"})
        await transport.request("POST", "/api/v1/documents", ApiKey("omni_osk_other", 2), b"{}")
    get, post = heads
    assert get.startswith(b"GET /api/v1/documents/a%2Fb?q=x+y HTTP/1.1\r\n")
    for head, key in ((get, b"omni_osk_secret"), (post, b"omni_osk_other")):
        names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:] if line]
        assert len(names) == len(set(names)), "no header twice"
        for line in (b"Host: %b" % address.encode(), b"Authorization: Bearer %b" % key, b"Accept: application/json"):
            assert line + b"\r\n" in head
        assert re.search(rb"\r\nUser-Agent: omni-batcher/\d[^\r]*\r\n", head)
        assert re.search(rb"\r\nAccept-Encoding: gzip, deflate[^\r]*\r\n", head)
    assert b"Content-Length" not in get
    assert b"Content-Length: 2\r\n" in post
    assert b"Content-Type: application/json\r\n" in post


async def test_nobody_listens() -> None:
    """Refused: certainly not sent."""
    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))
        async with connected(f"http://127.0.0.1:{plug.getsockname()[1]}") as transport:
            reply = await transport.request("POST", "/x", KEY, b"{}")
    assert isinstance(reply, NotSent)
    assert reply.cause is Cause.REFUSED


async def test_an_unknown_host() -> None:
    """DNS: certainly not sent, and the host is named."""
    with anyio.fail_after(20):
        async with connected("http://no-such-host.invalid", 15.0) as transport:
            reply = await transport.request("POST", "/x", KEY, b"{}")
    assert isinstance(reply, NotSent)
    assert reply.cause in (Cause.DNS, Cause.CONNECT_TIMEOUT), "a resolver without a network may be slow"
    assert reply.cause is Cause.CONNECT_TIMEOUT or "no-such-host.invalid" in reply.message


async def test_a_connection_that_is_never_taken() -> None:
    """Connect timeout: certainly not sent."""
    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))
        plug.listen(0)
        address = plug.getsockname()
        fillers = [socket.socket() for _ in range(8)]
        try:
            for filler in fillers:  # the queue of connections that nobody takes is full now
                filler.setblocking(False)
                filler.connect_ex(address)
            async with connected(f"http://127.0.0.1:{address[1]}") as transport:
                reply = await transport.request("POST", "/x", KEY, b"{}")
        finally:
            for filler in fillers:
                filler.close()
    assert isinstance(reply, NotSent)
    assert reply.cause is Cause.CONNECT_TIMEOUT


@pytest.mark.parametrize(
    ("answer", "status"), [(b"", None), (b"HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\n{", 201)]
)
async def test_no_answer_in_time(answer: bytes, status: int | None) -> None:
    """Silence before or in the middle of the answer: lost, the server may have done it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer)
        await reader.read()

    async with serving(serve) as address, connected(f"http://{address}", 0.3) as transport:
        reply = await transport.request("POST", "/x", KEY, b"{}")
    assert isinstance(reply, Lost)
    assert (reply.cause, reply.status) == (Cause.TIMEOUT, status)


@pytest.mark.parametrize("reset", [True, False])
async def test_the_connection_ends_before_the_answer(reset: bool) -> None:
    """Reset or closed without a byte: lost."""
    reply = await post(b"", reset=reset)
    assert isinstance(reply, Lost)
    assert (reply.cause, reply.status) == (Cause.RESET, None)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{",
        b'HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n',
    ],
)
async def test_the_connection_ends_within_the_answer(answer: bytes) -> None:
    """A truncated body is no answer: lost, with the status that had come."""
    reply = await post(answer)
    assert isinstance(reply, Lost)
    assert (reply.cause, reply.status) == (Cause.TRUNCATED, 201)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 2zz Whatever\r\n\r\n",
        b"\x00\x01\x02\x03 garbage\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Length: nonsense\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 201 Created\r\nX: " + b"y" * 2_000_000 + b"\r\n\r\n",
    ],
)
async def test_something_that_is_no_http(answer: bytes) -> None:
    """A garbage status line, header, length, chunk or encoding: lost, never an exception."""
    reply = await post(answer)
    assert isinstance(reply, Lost), reply


async def test_an_answer_that_is_too_large() -> None:
    """Declared or not, more than the most is not read on."""
    size = MAX_ANSWER_BYTES + 1
    for head in (b"Content-Length: %d\r\n" % size, b""):
        reply = await post(b"HTTP/1.1 201 Created\r\n" + head + b"\r\n" + b" " * size)
        assert isinstance(reply, Lost)
        assert (reply.cause, reply.status) == (Cause.OVERSIZED, 201)


async def test_a_compressed_bomb() -> None:
    """A small compressed body that unfolds to far more than the most: stopped, not kept in memory."""
    bomb = gzip.compress(b" " * (20 * MAX_ANSWER_BYTES))
    head = b"HTTP/1.1 201 Created\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    reply = await post(head + bomb, timeout_seconds=10)
    assert isinstance(reply, Lost)
    assert reply.cause in (Cause.OVERSIZED, Cause.UNREADABLE)  # the latter with aiohttp 3.13


async def test_a_compressed_answer_is_read() -> None:
    """Gzip is understood."""
    body = gzip.compress(b'{"a": 1}')
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    reply = await post(head + body)
    assert isinstance(reply, Answer)
    assert reply.body == b'{"a": 1}'


async def test_a_redirect_is_not_followed_and_the_key_not_sent_on() -> None:
    """302 is an answer like any other; the place that it names hears nothing."""
    elsewhere: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        elsewhere.append(await read_request(reader))
        writer.write(OK)

    async with serving(listen) as other:
        reply = await post(b"HTTP/1.1 307 Moved\r\nLocation: http://%s/\r\nContent-Length: 0\r\n\r\n" % other.encode())
    assert isinstance(reply, Answer)
    assert (reply.status, elsewhere) == (307, [])


async def test_connections_are_reused_and_a_dead_one_is_lost() -> None:
    """Keep-alive; a kept connection that the server closed while the POST left is unclear, never sent again by itself."""
    requests: list[int] = []
    connections: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        for _ in range(2):
            await read_request(reader)
            requests.append(1)
            writer.write(OK)
        await read_request(reader)
        requests.append(1)

    async with serving(serve) as address, connected(f"http://{address}") as transport:
        replies = [await transport.request("POST", "/x", KEY, b"{}") for _ in range(3)]
    assert [type(reply) for reply in replies] == [Answer, Answer, Lost]
    assert (len(connections), len(requests)) == (1, 3)


async def test_a_kept_connection_that_the_server_has_closed_is_not_used() -> None:
    """Closed while it was idle: the next request goes over a new one, and is answered."""
    connections: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        await read_request(reader)
        writer.write(OK)

    async with serving(serve) as address, connected(f"http://{address}") as transport:
        for _ in range(3):
            assert isinstance(await transport.request("POST", "/x", KEY, b"{}"), Answer)
            await anyio.sleep(0.05)
    assert len(connections) == 3


async def test_a_connection_is_not_kept_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has been idle for a while is not used: the server may be about to close it. One that nobody needs goes."""
    monkeypatch.setattr(kept, "_UNKNOWN_SECONDS", 0.1)
    opened, closed = list[int](), list[int]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(1)
        try:
            while True:
                await read_request(reader)
                await asyncio.sleep(0.02)
                writer.write(OK)
        finally:
            closed.append(1)

    async with serving(serve) as address, connected(f"http://{address}") as transport:
        await transport.request("POST", "/x", KEY, b"{}")
        await anyio.sleep(0.15)
        await transport.request("POST", "/x", KEY, b"{}")
        assert len(opened) == 2, "the first one was too old"
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(transport.request, "POST", "/x", KEY, b"{}")
        assert len(opened) == 4, "three at once: one that was kept, and two more"
        for _ in range(10):
            await transport.request("POST", "/x", KEY, b"{}")
        assert (len(opened), len(closed)) == (4, 3), "one after the other need one; those that nobody needed are closed"


async def test_an_answer_that_nobody_asked_for_is_nobodys() -> None:
    """Sent on a kept connection after the answer proper (a proxy's 408): the next request does not take it for its own."""
    connections: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        await read_request(reader)
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        await reader.read()

    async with serving(serve) as address, connected(f"http://{address}") as transport:
        for _ in range(3):
            reply = await transport.request("POST", "/x", KEY, b"{}")
            assert isinstance(reply, Answer)
            assert reply.status == 201
            await anyio.sleep(0.15)
    assert len(connections) == 3


@pytest.mark.parametrize("is_reset", [True, False])
async def test_an_answer_that_is_whole_counts_however_soon_the_connection_ends(is_reset: bool) -> None:
    """The end of the connection comes in the same moment as the answer, before anybody has read it."""
    answers = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(OK)  # the server's end is closed as soon as this has left
        if is_reset:
            plug = writer.get_extra_info("socket")
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    async with serving(serve) as address, connected(f"http://{address}") as transport:
        for _ in range(100):
            answers += isinstance(await transport.request("POST", "/x", KEY, b"{}"), Answer)
            await anyio.sleep(0.005)  # then the end has been seen, and the next request takes another connection
    assert is_reset or answers == 100  # a reset may overtake what was sent


async def test_an_answer_before_the_whole_request_was_read() -> None:
    """A large body is refused at once: that is the answer, and what is left of the body goes to nobody."""
    connections: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        head = await reader.readuntil(b"\r\n\r\n")
        if b"Content-Length: 2\r\n" in head:
            await reader.readexactly(2)
            writer.write(OK)
        else:
            writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.5)

    async with serving(serve) as address, connected(f"http://{address}") as transport:
        first = await transport.request("POST", "/x", KEY, b" " * 20_000_000)
        second = await transport.request("POST", "/x", KEY, b"{}")
    assert isinstance(first, Answer)
    assert isinstance(second, Answer)
    assert (first.status, second.status, len(connections)) == (413, 200, 2)


async def test_a_large_body_arrives_whole() -> None:
    """Larger than any buffer on the way."""
    body = bytes(range(256)) * 20_000
    read: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.05)
        read.append(await reader.readexactly(len(body)))
        writer.write(OK)

    async with serving(serve) as address, connected(f"http://{address}") as transport:
        assert isinstance(await transport.request("POST", "/x", KEY, body), Answer)
    assert read == [body]


async def test_each_request_has_its_own_time() -> None:
    """Those that began later are cut later, and those that are answered in time are not cut at all."""
    begun, ended = dict[int, float](), dict[int, float]()
    replies: dict[int, Reply] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await read_request(reader)
        if int(head.split(b" ")[1][1:]) % 3 == 0:
            await reader.read()
        await asyncio.sleep(0.1)
        writer.write(OK)

    async with serving(serve) as address, connected(f"http://{address}", 0.4) as transport:

        async def ask(number: int) -> None:
            await anyio.sleep(number * 0.03)
            begun[number] = anyio.current_time()
            replies[number] = await transport.request("GET", f"/{number}", KEY)
            ended[number] = anyio.current_time()

        async with anyio.create_task_group() as tasks:
            for number in range(12):
                tasks.start_soon(ask, number)
    for number, reply in replies.items():
        if number % 3 == 0:
            assert reply == Lost(Cause.TIMEOUT, "no complete answer within 0.4 s", None)
            assert ended[number] - begun[number] > 0.39
        else:
            assert isinstance(reply, Answer), reply
    late = [number for number in sorted(ended, key=lambda one: ended[one]) if number % 3 == 0]
    assert late == [0, 3, 6, 9]


async def test_connecting_takes_its_part_of_the_time() -> None:
    """A server that takes its time over TLS leaves less for the answer; it was sent, so it is lost, not unsent."""
    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))
        plug.listen(8)
        async with connected(f"https://127.0.0.1:{plug.getsockname()[1]}", 0.3) as transport:
            begun = anyio.current_time()
            reply = await transport.request("POST", "/x", KEY, b"{}")
    assert isinstance(reply, NotSent)
    assert reply.cause is Cause.CONNECT_TIMEOUT
    assert anyio.current_time() - begun < 5


async def test_a_server_that_speaks_first() -> None:
    """What answers before it was asked is no web server; it gets nothing."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ready\r\n")
        await writer.drain()
        heard.append(await reader.read())

    async with serving(serve) as address, connected(f"http://{address}") as transport:
        for _ in range(2):
            reply = await transport.request("POST", "/x", KEY, b"{}")
            assert isinstance(reply, NotSent | Lost), reply


async def test_an_interim_answer_is_passed_over() -> None:
    """100 Continue before the answer proper."""
    reply = await post(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)
    assert isinstance(reply, Answer)
    assert (reply.status, reply.body) == (200, b"{}")


async def test_an_answer_in_many_pieces() -> None:
    """Chunked, byte by byte, with a trailer: read whole."""
    text = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
    text += b'4;x=y\r\n{"a"\r\n4\r\n: 1}\r\n0\r\nTrailer: t\r\n\r\n'

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        for byte in text:
            writer.write(bytes([byte]))
            await writer.drain()
            await anyio.lowlevel.checkpoint()

    async with serving(serve) as address, connected(f"http://{address}") as transport:
        reply = await transport.request("POST", "/x", KEY, b"{}")
    assert isinstance(reply, Answer)
    assert reply.body == b'{"a": 1}'


async def test_a_request_that_is_cancelled_leaves_no_connection_in_use() -> None:
    """After a cancelled request the next one does not read its answer."""
    numbers = iter(range(100))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            number = next(numbers)
            await asyncio.sleep(0.2 if number == 0 else 0)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)

    async with serving(serve) as address, connected(f"http://{address}") as transport:
        with anyio.move_on_after(0.05):
            await transport.request("POST", "/x", KEY, b"{}")
        await anyio.sleep(0.3)
        reply = await transport.request("POST", "/x", KEY, b"{}")
    assert isinstance(reply, Answer)
    assert reply.body == b"1"


async def test_many_requests_at_once() -> None:
    """Each gets its own answer, over as many connections as there are requests in flight."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await read_request(reader)
            path = head.split(b" ")[1]
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path))

    replies: dict[str, Reply] = {}

    async with serving(serve) as address, connected(f"http://{address}") as transport:

        async def ask(path: str) -> None:
            replies[path] = await transport.request("GET", path, KEY)

        async with anyio.create_task_group() as tasks:
            for number in range(150):
                tasks.start_soon(ask, f"/{number}")
    assert all(isinstance(reply, Answer) and reply.body == path.encode() for path, reply in replies.items())
    assert len(replies) == 150


def certificate(directory: Path) -> ssl.SSLContext:
    """A server's context with a certificate that nobody has signed."""
    key, cert = directory / "key.pem", directory / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost"),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


async def test_a_certificate_that_is_not_valid(tmp_path: Path) -> None:
    """The key is not sent to a server that cannot prove who it is."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.read())

    async with serving(serve, certificate(tmp_path)) as address, connected(f"https://{address}") as transport:
        reply = await transport.request("POST", "/x", KEY, b"{}")
    assert isinstance(reply, NotSent)
    assert reply.cause is Cause.CERTIFICATE
    assert heads in ([], [b""])


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
async def test_tls_that_is_cut_or_is_none(answer: bytes) -> None:
    """A handshake that ends early, or plain HTTP where TLS is expected: certainly not sent."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(answer)
        await writer.drain()

    async with serving(serve) as address, connected(f"https://{address}") as transport:
        reply = await transport.request("POST", "/x", KEY, b"{}")
    assert isinstance(reply, NotSent), reply
    assert reply.cause in (Cause.TLS, Cause.REFUSED)


async def test_messages_and_reprs_hold_no_key() -> None:
    """Whatever a reply or a key is printed as."""
    reply = await post(b"")
    assert "secret" not in f"{reply!r} {KEY!r} {KEY}"
