"""Requests over HTTP, with each failure told apart by whether the server can have seen the request."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import aiohappyeyeballs
import anyio

from . import __version__
from .errors import UsageError
from .http1 import Connection
from .transport import ApiKey, Cause, NotSent, Reply, Transport

_LOOPBACK = ("localhost", "127.", "::1")
_IDLE_SECONDS = 15.0  # servers drop what is idle for longer, perhaps just when a request leaves
_NAME_SECONDS = 300.0  # how long a looked-up name counts
_SECOND_ADDRESS_SECONDS = 0.25  # when to try the next address of a name beside the first
_Addresses = list[tuple[Any, Any, int, str, Any]]


class HttpTransport:
    """Connections to one base URL; each is kept and used again. As many as there are requests at once."""

    def __init__(self, base_url: str, *, timeout_seconds: float, connect_timeout_seconds: float) -> None:
        self._url: SplitResult = urlsplit(base_url)
        self._timeout_seconds = timeout_seconds
        self._connect_timeout_seconds = min(connect_timeout_seconds, timeout_seconds)
        self._loop = asyncio.get_running_loop()
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._all_lost = asyncio.Event()
        self._heads: dict[str, bytes] = {}
        self._addresses: tuple[float, _Addresses] = (0.0, [])
        self._tls: ssl.SSLContext | None = None

    async def request(
        self, method: str, path: str, key: ApiKey, body: bytes | None = None, query: Mapping[str, str] | None = None
    ) -> Reply:
        """Send once, never follow a redirect (the key is not sent on), never raise for what the network does."""
        target = path if query is None else f"{path}?{urlencode(query, quote_via=quote)}"
        fields = self._heads.get(key.secret) or self._head(key)
        spent = 0.0
        connection = self._kept()
        if connection is None:
            begun = self._loop.time()
            made = await self._connect()
            if isinstance(made, NotSent):
                return made
            connection = made
            spent = self._loop.time() - begun
        request = b"%b %b HTTP/1.1%b%d\r\n\r\n%b" % (
            method.encode(),
            target.encode(),
            fields,
            len(body or b""),
            body or b"",
        )
        reply = await connection.ask(request, spent)
        if connection.is_reusable:
            connection.idle_since = self._loop.time()
            self._idle.append(connection)
        return reply

    def _kept(self) -> Connection | None:
        """The connection that was used last; one that was idle for too long is closed instead."""
        while self._idle:
            connection = self._idle.pop()
            if self._loop.time() - connection.idle_since < _IDLE_SECONDS:
                return connection
            connection.abort()
        return None

    def _head(self, key: ApiKey) -> bytes:
        """All that follows the target, up to the body's length."""
        if not (key.secret.isascii() and key.secret.isprintable()):
            raise UsageError(f"API key {key.number} holds characters that no key can hold; copy it again")
        lines = (
            "",
            f"Host: {self._url.netloc.rpartition('@')[2]}",
            f"User-Agent: omni-batcher/{__version__}",
            "Accept: application/json",
            "Accept-Encoding: identity",
            f"Authorization: Bearer {key.secret}",
            "Content-Type: application/json",
            "Content-Length: ",
        )
        self._heads[key.secret] = head = "\r\n".join(lines).encode("ascii")
        return head

    async def _connect(self) -> Connection | NotSent:
        host = self._url.hostname or ""
        port = self._url.port or (443 if self._url.scheme == "https" else 80)
        stage = Cause.DNS
        try:
            async with asyncio.timeout(self._connect_timeout_seconds):
                addresses = await self._look_up(host, port)
                stage = Cause.REFUSED
                connected = await aiohappyeyeballs.start_connection(
                    addresses, happy_eyeballs_delay=_SECOND_ADDRESS_SECONDS, interleave=1
                )
                stage = Cause.TLS
                return await self._speak(connected, host)
        except TimeoutError:
            return NotSent(Cause.CONNECT_TIMEOUT, "the server did not take the connection in time")
        except ssl.SSLCertVerificationError as error:
            return NotSent(Cause.CERTIFICATE, f"the server's certificate is not valid: {error.verify_message}")
        except (OSError, UnicodeError) as error:
            self._addresses = (0.0, [])
            return _not_sent(stage, error, host, port)

    async def _look_up(self, host: str, port: int) -> _Addresses:
        for family in (socket.AF_INET, socket.AF_INET6):
            with contextlib.suppress(OSError):
                socket.inet_pton(family, host)
                return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))]
        at, addresses = self._addresses
        if not addresses or self._loop.time() - at > _NAME_SECONDS:
            addresses = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            self._addresses = (self._loop.time(), addresses)
        return addresses

    async def _speak(self, connected: socket.socket, host: str) -> Connection:
        """HTTP over this socket, inside TLS for https."""
        try:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _, connection = await self._loop.create_connection(
                lambda: Connection(self._lost, self._timeout_seconds),
                sock=connected,
                ssl=self._tls_context() if self._url.scheme == "https" else None,
                server_hostname=host if self._url.scheme == "https" else None,
            )
        except BaseException:
            connected.close()
            raise
        self._open.add(connection)
        return connection

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls

    def _lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if not self._open:
            self._all_lost.set()

    async def close(self) -> None:
        """Close every connection and wait until they are gone."""
        self._all_lost.clear()
        for connection in tuple(self._open):
            connection.abort()
        if self._open:
            with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                await self._all_lost.wait()


def _not_sent(stage: Cause, error: OSError | UnicodeError, host: str, port: int) -> NotSent:
    if stage is Cause.DNS:
        return NotSent(stage, f"the host {host} is not known")
    number = getattr(error, "errno", None)
    why = os.strerror(number) if number else str(error)
    if stage is Cause.TLS:
        return NotSent(stage, f"no TLS connection: {getattr(error, 'reason', None) or why}")
    return NotSent(stage, f"no connection to {host}:{port} ({why})")


@contextlib.asynccontextmanager
async def open_transport(
    base_url: str, *, timeout_seconds: float = 60.0, connect_timeout_seconds: float = 10.0
) -> AsyncIterator[Transport]:
    """A transport for the block. `timeout_seconds` is for the whole request, of which connecting may take its part."""
    if _behind_proxy(base_url):
        from .proxied import open_proxied  # noqa: PLC0415 - only a proxy needs a general client

        async with open_proxied(
            base_url, timeout_seconds=timeout_seconds, connect_timeout_seconds=connect_timeout_seconds
        ) as proxied:
            yield proxied
        return
    transport = HttpTransport(
        base_url, timeout_seconds=timeout_seconds, connect_timeout_seconds=connect_timeout_seconds
    )
    try:
        yield transport
    finally:
        await transport.close()


def _behind_proxy(base_url: str) -> bool:
    """Whether proxy variables are set for hosts like this one."""
    host = urlsplit(base_url).hostname or ""
    return not host.startswith(_LOOPBACK) and any(name.lower() in ("https_proxy", "http_proxy") for name in os.environ)
