"""The wire over real sockets: what came back is told apart by whether the server can have seen the request."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from batcher.errors import UsageError
from batcher.http import open_transport
from batcher.proxied import open_proxied
from batcher.transport import MAX_ANSWER_BYTES, Answer, ApiKey, Cause, Lost, NotSent, Reply, Transport

KEY = ApiKey("omni_osk_test")
PATIENT = {"timeout_seconds": 5.0, "connect_timeout_seconds": 5.0}
Opening = Callable[..., AbstractAsyncContextManager[Transport]]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
TRUNCATED_CHUNK = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nab"


def answer(body: bytes = b"{}") -> bytes:
    """A whole answer."""
    return b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


class Script:
    """A server that reads each request and then does the next thing of its script; the last one stays.

    None is: hang up without an answer. After an answer that speaks of `close`, or is unfinished, it hangs up, too.
    """

    def __init__(self, *script: bytes | None) -> None:
        self.script = list(script)
        self.requests: list[bytes] = []
        self.connections = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
                self.requests.append(head + await reader.readexactly(int(length or b"0")))
                now = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                writer.write(now or b"")
                await writer.drain()
                if now is None or b"\r\n\r\n" not in now or b"ength: 99" in now or b"close" in now:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def listening(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """The base URL of a server for the block."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http{'s' if tls else ''}://127.0.0.1:{port}"


async def post(transport: Transport, body: bytes = b'{"name":"a"}') -> Reply:
    """One create."""
    return await transport.request("POST", "/api/v1/documents", KEY, body)


@pytest.fixture(params=[open_transport, open_proxied], ids=["direct", "proxied"])
def opening(request: pytest.FixtureRequest) -> Opening:
    """Both ways to the server."""
    opening: Opening = request.param
    return opening


async def test_the_request_is_as_omni_wants_it(opening: Opening) -> None:
    """Method, path, key, length and body; a query is quoted; the name of the tool is told."""
    serve = Script(answer(b'{"a":1}'))
    async with listening(serve) as url, opening(url, **PATIENT) as transport:
        reply = await post(transport)
        listed = await transport.request("GET", "/api/v1/documents", KEY, query={"cursor": "a&c", "pageSize": "1"})
    assert isinstance(reply, Answer)
    assert isinstance(listed, Answer)
    assert (reply.status, reply.body, reply.headers["content-length"]) == (201, b'{"a":1}', "7")
    head, _, body = serve.requests[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /api/v1/documents HTTP/1.1"
    assert b"Authorization: Bearer omni_osk_test" in lines
    assert b"Content-Type: application/json" in lines
    assert b"Host: " + url.removeprefix("http://").encode() in lines
    assert any(line.startswith(b"User-Agent: omni-batcher/") for line in lines)
    assert body == b'{"name":"a"}'
    assert serve.requests[1].startswith(b"GET /api/v1/documents?cursor=a%26c&pageSize=1 HTTP/1.1\r\n")


async def test_connections_are_kept_and_used_again() -> None:
    """One connection for one request after the other; three for three at once."""
    serve = Script(answer())
    async with listening(serve) as url, open_transport(url) as transport:
        for _ in range(3):
            assert isinstance(await post(transport), Answer)
        assert serve.connections == 1
        await asyncio.gather(*(post(transport) for _ in range(3)))
    assert serve.connections == 3


async def test_a_connection_that_the_server_ends_is_not_used_again() -> None:
    """After `Connection: close` the next request has a new one."""
    serve = Script(b"HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
    async with listening(serve) as url, open_transport(url) as transport:
        for _ in range(3):
            assert isinstance(await post(transport), Answer)
    assert serve.connections == 3


@pytest.mark.parametrize(
    ("said", "cause", "status"),
    [
        (None, Cause.RESET, None),
        (b"HTTP/1.1 201 Cre", Cause.RESET, None),
        (b"what?\r\n\r\nclose", Cause.RESET, None),
        (b"HTTP/1.1 201 Created\r\nContent-Length: 99\r\n\r\n{", Cause.TRUNCATED, 201),
        (TRUNCATED_CHUNK, Cause.TRUNCATED, 201),
    ],
    ids=["hangs up", "half a head", "no HTTP", "half a body", "half a chunk"],
)
async def test_what_the_server_may_have_done_is_lost_not_unsent(
    said: bytes | None, cause: Cause, status: int | None, opening: Opening
) -> None:
    """Once a request has left, a missing answer is unclear; it is never sent again by itself."""
    serve = Script(said)
    async with listening(serve) as url, opening(url, **PATIENT) as transport:
        reply = await post(transport)
    assert isinstance(reply, Lost)
    assert reply.cause is cause
    assert reply.status == status
    assert len(serve.requests) == 1


async def test_a_look_up_is_not_sent_again_by_itself_either(opening: Opening) -> None:
    """Every request counts against the rate, so none leaves without a slot of it."""
    serve = Script(answer(), None)
    async with listening(serve) as url, opening(url, **PATIENT) as transport:
        await transport.request("GET", "/api/v1/whoami", KEY)
        reply = await transport.request("GET", "/api/v1/whoami", KEY)
    assert isinstance(reply, Lost)
    assert len(serve.requests) == 2


async def test_a_reset_is_lost(opening: Opening) -> None:
    """A connection that is cut hard, after the request was read."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    async with listening(cut) as url, opening(url, **PATIENT) as transport:
        reply = await post(transport)
    assert isinstance(reply, Lost)
    assert reply.cause is Cause.RESET


async def test_too_large_an_answer_is_lost(opening: Opening) -> None:
    """The document may be there all the same."""
    size = MAX_ANSWER_BYTES + 1
    serve = Script(b"HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
    async with listening(serve) as url, opening(url, **PATIENT) as transport:
        reply = await post(transport)
    assert isinstance(reply, Lost)
    assert reply.cause is Cause.OVERSIZED


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{"])
async def test_an_answer_that_does_not_come_is_lost(begin: bytes, opening: Opening) -> None:
    """After --timeout, counted over the whole request, begun or not."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(begin)
        await reader.read()
        writer.close()

    async with listening(silent) as url, opening(url, timeout_seconds=0.05, connect_timeout_seconds=5) as transport:
        reply = await post(transport)
    assert isinstance(reply, Lost)
    assert (reply.cause, reply.status) == (Cause.TIMEOUT, 201 if begin else None)
    assert "0.05 s" in reply.message


async def test_a_closed_port_is_not_sent(opening: Opening) -> None:
    """Refused: nobody can have seen it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    async with opening(url, **PATIENT) as transport:
        reply = await post(transport)
    assert isinstance(reply, NotSent)
    assert reply.cause is Cause.REFUSED
    assert "refused" in reply.message.lower()


async def test_an_unknown_host_is_not_sent(opening: Opening) -> None:
    """A name that does not exist is told as such."""
    async with opening("http://nowhere.invalid", **PATIENT) as transport:
        reply = await post(transport)
    assert isinstance(reply, NotSent)
    assert reply.cause is Cause.DNS
    assert "nowhere.invalid" in reply.message


async def test_a_full_backlog_is_a_connect_timeout(opening: Opening) -> None:
    """The server did not take the connection: certainly not sent."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        async with opening(url, timeout_seconds=5, connect_timeout_seconds=0.1) as transport:
            reply = await post(transport)
        for filler in fillers:
            filler.close()
    assert isinstance(reply, NotSent)
    assert reply.cause is Cause.CONNECT_TIMEOUT


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody vouches for, with its key; alone in `own.pem.crt`."""
    path = tmp_path_factory.mktemp("tls") / "own.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=own -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*command.split(), "-keyout", str(path), "-out", f"{path}.crt"], check=True, capture_output=True)
    with path.open("ab") as both:
        both.write(Path(f"{path}.crt").read_bytes())
    return path


def tls_of(certificate: Path) -> ssl.SSLContext:
    """The server's side."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_a_certificate_that_is_not_valid_gets_no_key(certificate: Path, opening: Opening) -> None:
    """Nothing is sent to a server that cannot prove who it is."""
    serve = Script(answer())
    async with listening(serve, tls_of(certificate)) as url, opening(url, **PATIENT) as transport:
        reply = await post(transport)
    assert isinstance(reply, NotSent)
    assert reply.cause is Cause.CERTIFICATE
    assert serve.requests == []


async def test_a_valid_certificate(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTPS, with the system's way to name further authorities; connections are kept there, too."""
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    serve = Script(answer(b'{"a":1}'))
    async with listening(serve, tls_of(certificate)) as url, open_transport(url) as transport:
        for _ in range(3):
            reply = await post(transport)
            assert isinstance(reply, Answer)
            assert reply.body == b'{"a":1}'
    assert serve.connections == 1


async def test_a_server_that_speaks_no_tls_is_not_sent(opening: Opening) -> None:
    """The handshake fails before the request could leave."""

    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with listening(plain) as url, opening(url.replace("http:", "https:"), **PATIENT) as transport:
        reply = await post(transport)
    assert isinstance(reply, NotSent)
    assert reply.cause in (Cause.TLS, Cause.REFUSED)


async def test_a_request_that_is_cut_off_takes_its_connection_with_it() -> None:
    """An answer that comes late must never be taken for the next request's."""
    served, late = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_first = not served.is_set()
        await reader.readuntil(b"\r\n\r\n")
        served.set()
        if is_first:
            await late.wait()
        writer.write(answer(b"late" if is_first else b"own"))
        writer.close()

    async with listening(serve) as url, open_transport(url) as transport:
        first = asyncio.ensure_future(post(transport))
        await served.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        late.set()
        reply = await post(transport)
    assert isinstance(reply, Answer)
    assert reply.body == b"own"


async def test_redirects_are_not_followed(opening: Opening) -> None:
    """The key is not sent on."""
    serve = Script(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")
    async with listening(serve) as url, opening(url, **PATIENT) as transport:
        reply = await post(transport)
    assert isinstance(reply, Answer)
    assert (reply.status, reply.headers["location"]) == (302, "/elsewhere")
    assert len(serve.requests) == 1


async def test_a_key_that_cannot_be_a_header_is_refused_without_being_shown() -> None:
    """A line break in a key would be another header."""
    async with open_transport("http://127.0.0.1:1") as transport:
        with pytest.raises(UsageError) as refused:
            await transport.request("GET", "/", ApiKey("secret\r\nX: y", 2))
    assert "key 2" in str(refused.value)
    assert "secret" not in str(refused.value)


async def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a host that is not this machine, requests go to the proxy."""
    serve = Script(answer(b'{"proxied":1}'))
    async with listening(serve) as url:
        monkeypatch.setenv("http_proxy", url)
        async with open_transport("http://omni.invalid") as transport:
            reply = await post(transport)
    assert isinstance(reply, Answer)
    assert reply.body == b'{"proxied":1}'
    assert serve.requests[0].startswith(b"POST http://omni.invalid/api/v1/documents HTTP/1.1\r\n")
