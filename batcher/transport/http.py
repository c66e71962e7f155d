"""Requests over aiohttp's connections, with each failure told apart by whether the server can have seen the request.

aiohttp connects (names, TLS, proxies) and parses answers. Its session stands aside: what that adds (cookies, redirects,
retries, hooks) is what a create must not have, and costs three times what is used here. So does its pool, which is for
many hosts: connections to this one are kept here, and only those that are used again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import replace
from time import perf_counter
from urllib.parse import urlencode
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.helpers import strip_auth_from_url
from aiohttp.http import HttpProcessingError, RawResponseMessage
from aiohttp.streams import StreamReader
from multidict import CIMultiDict
from yarl import URL

from ..api_keys import ApiKey
from ..errors import UsageError
from ..masking import Mask
from ..version import __version__
from .base_url import is_loopback
from .exchange import Exchange
from .failures import lost, not_sent
from .kept import KeptConnections, is_fit
from .own_connection import AS_EVERYWHERE, OwnConnection, http_proxy
from .reply import HELD, MAX_ANSWER_BYTES, Answer, Cause, Lost, NotSent, Reply, at_once
from .timeouts import Timeouts, open_timeouts

_BUFFER_BYTES = 1 << 16  # aiohttp's own: when twice as much lies unread, it stops reading
_HEADER_BYTES = 1 << 16  # of one header: policies and cookies outgrow the 8 KB that aiohttp takes
_OWN_HEADERS = ("content-length", "content-type")  # of a request without a body
_UNFIT_AT_MOST = 3  # new connections in a row that turn out to be unfit; then the server is in trouble
_INTERIM_AT_MOST = 100
_TOO_LATE = NotSent(Cause.CONNECT_TIMEOUT, "the server didn't accept the connection in time")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class HttpTransport:
    """Connections to one base URL; they are kept and used again."""

    def __init__(
        self,
        connector: aiohttp.BaseConnector,
        request: aiohttp.ClientRequest,
        connecting: aiohttp.ClientTimeout,
        timeouts: Timeouts,
        mask: Mask,
    ) -> None:
        self._connector = connector
        self._request = request  # says where to, and what all requests' heads have in common
        self._connecting = connecting
        self._timeouts = timeouts
        self._mask = mask  # what a server says is never used or kept with a key in it
        self._kept = KeptConnections()
        self.drop_kept = self._kept.drop
        common = (f"{name}: {value}\r\n" for name, value in request.headers.items() if name.lower() not in _OWN_HEADERS)
        self._common = "".join(common)
        self._heads: dict[str, bytes] = {}

    async def request(
        self,
        method: str,
        path: str,
        key: ApiKey,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        *,
        start: Callable[[], bool] = at_once,
    ) -> Reply:
        """Send once, never follow a redirect (the key is not sent on), never raise for what the network does."""
        target = f"{path}?{urlencode(query)}" if query else path
        head = self._heads.get(key.secret) or self._head(key)
        rest = b"" if body is None else b"Content-Length: %d\r\n" % len(body)
        text = b"%b %b HTTP/1.1\r\n%b%b\r\n%b" % (method.encode(), target.encode(), head, rest, body or b"")
        started = perf_counter()
        connection = self._kept.take(started) or await self._connect()
        if isinstance(connection, NotSent):
            return connection
        if perf_counter() - started >= self._timeouts.seconds:  # aiohttp rounds its limit up
            connection.close()
            return _TOO_LATE
        if not start():
            self._kept.keep(connection, started)
            return HELD
        exchange = Exchange(connection)
        self._timeouts.start(exchange, started)
        status, is_kept = None, False
        try:
            protocol = _write(connection, text)
            for _ in range(_INTERIM_AT_MOST):
                message, content = await protocol.read()
                if message.code >= 200 or message.code == 101:  # interim answers are passed over
                    break
            else:
                return Lost(Cause.UNREADABLE, "the answer can't be understood (endless interim answers)")
            status = message.code
            # a small body is often here already
            answered = _whole(message, content) or await exchange.read(protocol, content)
            if answered is None:
                return Lost(Cause.OVERSIZED, f"the answer is larger than {MAX_ANSWER_BYTES} bytes", status)
            now = perf_counter()
            if is_kept := _may_be_kept(connection, message):
                self._kept.keep(connection, now, message.headers)
            answered = self._mask.body(answered.removeprefix(_BYTE_ORDER_MARK))
            return Answer(status, self._mask.headers(message.headers, message.raw_headers), answered, now - started)
        except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
            if self._timeouts.has_run_out(exchange):
                return Lost(Cause.TIMEOUT, f"no complete answer within {self._timeouts.seconds:g} s", status)
            broken = lost(error, status)
            return replace(broken, message=self._mask.text(broken.message))
        finally:
            self._timeouts.end(exchange)
            if not is_kept:
                connection.close()

    def _head(self, key: ApiKey) -> bytes:
        """The headers of all requests with this key."""
        own = f"Authorization: Bearer {key.secret}\r\nContent-Type: application/json\r\n"
        self._heads[key.secret] = head = f"{self._common}{own}".encode("ascii")
        return head

    async def _connect(self) -> Connection | NotSent:
        """A new connection."""
        try:
            for _ in range(_UNFIT_AT_MOST):
                connection = await self._connector.connect(self._request, [], self._connecting)
                if is_fit(connection):
                    return connection
                connection.close()
            return NotSent(Cause.REFUSED, "the server doesn't keep its connections open")
        except TimeoutError:
            return _TOO_LATE
        except (aiohttp.ClientError, OSError) as error:
            refused = not_sent(error)
            return replace(refused, message=self._mask.text(refused.message))

    def close(self) -> None:
        """Close what is kept."""
        self._kept.drop()


def _write(connection: Connection, text: bytes) -> ResponseHandler:
    """Send it all; what the answer will come from."""
    protocol = connection.protocol
    if protocol is None or protocol.transport is None:
        raise aiohttp.ServerDisconnectedError
    protocol.set_response_params(
        read_until_eof=True, read_bufsize=_BUFFER_BYTES, max_line_size=_HEADER_BYTES, max_field_size=_HEADER_BYTES
    )
    protocol.transport.write(text)
    return protocol


def _whole(message: RawResponseMessage, content: StreamReader) -> bytes | None:
    """The body, if all of it is here already and need not be decompressed (an empty one may as well be read)."""
    if not content.is_eof() or message.compression is not None or content.total_bytes > MAX_ANSWER_BYTES:
        return None
    return content.read_nowait(-1)


def _may_be_kept(connection: Connection, message: RawResponseMessage) -> bool:
    """Unless the server ends it, or answered before it had read all: what is left would come first."""
    return not (message.should_close or connection.transport is None or connection.transport.get_write_buffer_size())


@contextlib.asynccontextmanager
async def open_transport(
    base_url: str,
    *,
    keys: Iterable[ApiKey] = (),
    timeout_seconds: float = 60.0,
    connect_timeout_seconds: float = 10.0,
    own: OwnConnection = AS_EVERYWHERE,
) -> AsyncIterator[HttpTransport]:
    """A transport for the block. `timeout_seconds` is for the whole request, of which connecting may take its part.

    These keys, the values of own headers and the proxy's password are cut out of whatever comes back.

    Raises:
        UsageError: the environment names a proxy that cannot be used.
    """
    connecting = aiohttp.ClientTimeout(total=None, connect=min(connect_timeout_seconds, timeout_seconds))
    url = URL(base_url)
    proxy, proxy_auth = strip_auth_from_url(own.proxy) if own.proxy is not None else _proxy_of(url)
    headers = CIMultiDict({"User-Agent": f"omni-batcher/{__version__}", "Accept": "application/json"})
    headers.update(own.headers)
    mask = Mask.of([*(key.secret for key in keys), *_passwords(proxy_auth), *own.headers.values()])
    loop = asyncio.get_running_loop()
    request = aiohttp.ClientRequest("GET", url, headers=headers, loop=loop, proxy=proxy, proxy_auth=proxy_auth)
    # limit=0: the number of workers is the limit; aiohttp's own default would stop at 100
    async with aiohttp.TCPConnector(limit=0, ttl_dns_cache=300, ssl=own.ssl or True) as connector:
        with (
            open_timeouts(timeout_seconds) as timeouts,
            contextlib.closing(HttpTransport(connector, request, connecting, timeouts, mask)) as transport,
        ):
            yield transport
    if url.scheme == "https":
        await asyncio.sleep(0)  # TLS connections close one turn of the loop later


def _passwords(proxy_auth: aiohttp.BasicAuth | None) -> tuple[str, ...]:
    """A proxy's password, also as the proxy gets it."""
    return (proxy_auth.password, proxy_auth.encode().removeprefix("Basic ")) if proxy_auth is not None else ()


def _proxy_of(url: URL) -> tuple[URL | None, aiohttp.BasicAuth | None]:
    """What the environment names for this host. Without TLS there is only loopback, which no proxy serves."""
    named = getproxies().get("https", "")
    if not named or url.scheme != "https" or is_loopback(url.host or "") or proxy_bypass(url.host or ""):
        return None, None
    proxy = http_proxy(named)
    if proxy is None:
        raise UsageError(
            "https_proxy in the environment isn't an HTTP proxy; write it as in http://proxy.example:3128, or unset it"
        )
    return strip_auth_from_url(proxy)
