"""Behind a proxy: the tunnel is the proxy's affair, the request and the key are the server's alone."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from batcher.api_keys import ApiKey
from batcher.errors import UsageError
from batcher.transport.client import Client
from batcher.transport.http import open_transport
from batcher.transport.reply import Answer, Cause, NotSent

HOST = "acme.example.test"
KEY = ApiKey("omni_osk_secret")
ASK = f"""
import asyncio, ssl
from batcher.transport.http import open_transport
from batcher.api_keys import ApiKey

async def ask():
    async with open_transport("https://{HOST}", timeout_seconds=10) as transport:
        for body in (b"1", b"22"):
            print(await transport.request("POST", "/x", ApiKey("omni_osk_secret"), body))

asyncio.run(ask())
"""


@pytest.fixture(autouse=True)
def _no_other_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "http_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@asynccontextmanager
async def proxying(heads: list[bytes], answer: bytes, *, to: int | None = None) -> AsyncIterator[str]:
    """A proxy that notes each head, answers so, and then passes bytes on to a port of this machine."""

    async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(1 << 16):
                target.write(data)
        target.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        if to is not None:
            their_reader, their_writer = await asyncio.open_connection("127.0.0.1", to)
            writers.append(their_writer)
            await asyncio.gather(pass_on(reader, their_writer), pass_on(their_reader, writer))
        writer.close()

    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for writer in writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def certificate(directory: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate of its own for HOST, and a server's context that shows it."""
    key, cert = directory / "key.pem", directory / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *(
                "-keyout",
                key,
                "-out",
                cert,
                "-days",
                "2",
                "-subj",
                f"/CN={HOST}",
                "-addext",
                f"subjectAltName=DNS:{HOST}",
            ),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return cert, context


async def test_through_a_tunnel(tmp_path: Path) -> None:
    """CONNECT with the proxy's own credentials; the key travels only inside, and the connection is kept."""
    cert, context = certificate(tmp_path)
    seen: list[bytes] = []
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                seen.append(await reader.readuntil(b"\r\n\r\n"))
                await reader.readexactly(len(seen))
                writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with proxying(heads, b"HTTP/1.1 200 Connection established\r\n\r\n", to=port) as proxy:
            variables = {"HTTPS_PROXY": f"http://me:word@{proxy}", "SSL_CERT_FILE": str(cert), "HOME": str(tmp_path)}
            asking = await asyncio.create_subprocess_exec(
                sys.executable, "-c", ASK, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            said, complained = await asking.communicate()
    assert said.count(b"Answer(status=201") == 2, said + complained
    [head] = heads
    assert head.startswith(b"CONNECT acme.example.test:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic bWU6d29yZA==\r\n" in head
    assert b"omni_osk_secret" not in head
    assert len(seen) == 2
    for request in seen:
        assert request.startswith(b"POST /x HTTP/1.1\r\nHost: acme.example.test\r\n")
        assert b"Authorization: Bearer omni_osk_secret\r\n" in request
        assert b"Proxy-Authorization" not in request


async def test_what_a_program_sets_of_its_connection(tmp_path: Path) -> None:
    """Its own context, proxy and headers, whatever the environment says; the headers travel only inside the tunnel."""
    cert, context = certificate(tmp_path)
    seen: list[bytes] = []
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with (
            proxying(heads, b"HTTP/1.1 200 Connection established\r\n\r\n", to=port) as proxy,
            Client(
                f"https://{HOST}",
                KEY.secret,
                ssl=ssl.create_default_context(cafile=str(cert)),
                headers={"X-Gateway": "token of the gateway", "user-agent": "mine/1"},
                proxy=f"http://me:word@{proxy}",
            ) as client,
        ):
            answered = await client.transport.request("GET", "/x", client.keys[0])
    assert isinstance(answered, Answer), answered
    [head], [request] = heads, seen
    assert b"Proxy-Authorization: Basic bWU6d29yZA==\r\n" in head
    assert b"gateway" not in head
    assert b"X-Gateway: token of the gateway\r\n" in request
    assert request.lower().count(b"user-agent: ") == request.count(b"mine/1") == 1


@pytest.mark.parametrize("status", [b"407 Proxy Authentication Required", b"502 Bad Gateway", b"403 Forbidden"])
async def test_a_proxy_that_refuses(monkeypatch: pytest.MonkeyPatch, status: bytes) -> None:
    """Then nothing was sent, and it is the proxy that is named."""
    heads: list[bytes] = []
    async with proxying(heads, b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status) as proxy:
        monkeypatch.setenv("https_proxy", f"http://{proxy}")
        async with open_transport(f"https://{HOST}", timeout_seconds=5) as transport:
            reply = await transport.request("POST", "/x", KEY, b"{}")
    assert isinstance(reply, NotSent), reply
    assert reply.cause is Cause.REFUSED
    assert "proxy" in reply.message
    assert status[:3].decode() in reply.message
    assert len(heads) == 1


async def test_a_proxy_that_repeats_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason of a refusal goes into messages and files; the password stood there, also as it was sent."""
    heads: list[bytes] = []
    sent = b64encode(b"me:s3cret-pass").decode()
    answer = f"HTTP/1.1 407 s3cret-pass of {sent} is wrong\r\nContent-Length: 0\r\n\r\n"
    async with proxying(heads, answer.encode()) as proxy:
        monkeypatch.setenv("https_proxy", f"http://me:s3cret-pass@{proxy}")
        async with open_transport(f"https://{HOST}", timeout_seconds=5) as transport:
            reply = await transport.request("POST", "/x", KEY, b"{}")
    assert sent.encode() in heads[0]
    assert isinstance(reply, NotSent), reply
    assert "407 (key) of (key) is wrong" in reply.message


async def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was sent; the message names the proxy's address, which is where to look."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    async with open_transport(f"https://{HOST}", timeout_seconds=5) as transport:
        reply = await transport.request("POST", "/x", KEY, b"{}")
    assert isinstance(reply, NotSent), reply
    assert reply.cause is Cause.REFUSED
    assert "127.0.0.1:1" in reply.message


@pytest.mark.parametrize(
    ("base_url", "no_proxy"), [("http://127.0.0.1:1", ""), ("https://127.0.0.1:1", ""), (f"https://{HOST}", HOST)]
)
async def test_what_goes_past_the_proxy(monkeypatch: pytest.MonkeyPatch, base_url: str, no_proxy: str) -> None:
    """This machine, and what no_proxy names."""
    heads: list[bytes] = []
    async with proxying(heads, b"HTTP/1.1 502 Bad Gateway\r\n\r\n") as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://{proxy}")
        monkeypatch.setenv("no_proxy", no_proxy)
        async with open_transport(base_url, timeout_seconds=5, connect_timeout_seconds=2) as transport:
            reply = await transport.request("POST", "/x", KEY, b"{}")
    assert isinstance(reply, NotSent), reply
    assert heads == []


@pytest.mark.parametrize(
    "named", ["http://[bad", "https://127.0.0.1:1", "socks5://127.0.0.1:1", "http://", "http://x:port", "http://:3128"]
)
async def test_a_proxy_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    """Told before anything is sent, without the credentials that it may hold; never passed over."""
    monkeypatch.setenv("https_proxy", named)
    with pytest.raises(UsageError, match=r"https_proxy .* http://proxy\.example:3128"):
        async with open_transport(f"https://{HOST}"):
            pass


async def test_a_proxy_without_a_scheme_is_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """As curl reads it."""
    heads: list[bytes] = []
    async with proxying(heads, b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n") as proxy:
        monkeypatch.setenv("https_proxy", proxy)
        async with open_transport(f"https://{HOST}", timeout_seconds=5) as transport:
            await transport.request("POST", "/x", KEY, b"{}")
    assert len(heads) == 1
