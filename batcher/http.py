"""Requests over aiohttp, with each failure told apart by whether the server can have seen the request."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
from collections.abc import AsyncIterator, Mapping
from time import perf_counter
from urllib.parse import urlsplit

import aiohttp

from . import __version__
from .transport import MAX_ANSWER_BYTES, Answer, ApiKey, Cause, Lost, NotSent, Reply

_LOOPBACK = ("localhost", "127.", "::1")
_SENT_AT_ONCE_BYTES = 1 << 16  # a larger body goes in pieces: at a megabyte aiohttp warns that it would block the loop


class HttpTransport:
    """One session to one base URL; connections are kept and reused."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session = session
        self._base_url = base_url
        self._headers: dict[str, dict[str, str]] = {}

    async def request(
        self, method: str, path: str, key: ApiKey, body: bytes | None = None, query: Mapping[str, str] | None = None
    ) -> Reply:
        """Send once, never follow a redirect (the key is not sent on), never raise for what the network does."""
        headers = self._headers.get(key.secret)
        if headers is None:
            headers = {"Authorization": f"Bearer {key.secret}", "Content-Type": "application/json"}
            self._headers[key.secret] = headers
        data = body if body is None or len(body) <= _SENT_AT_ONCE_BYTES else io.BytesIO(body)
        status = None
        started = perf_counter()
        try:
            async with self._session.request(
                method, self._base_url + path, data=data, params=query, headers=headers, allow_redirects=False
            ) as response:
                status = response.status
                text = await _read(response)
                if text is None:
                    return Lost(Cause.OVERSIZED, f"the answer is larger than {MAX_ANSWER_BYTES} bytes", status)
                return Answer(status, response.headers, text, perf_counter() - started)
        except aiohttp.ClientConnectorCertificateError as error:
            return NotSent(Cause.CERTIFICATE, f"the server's certificate is not valid: {error.certificate_error}")
        except aiohttp.ClientConnectorSSLError as error:
            return NotSent(Cause.TLS, f"no TLS connection: {error.os_error}")
        except aiohttp.ClientConnectorDNSError as error:
            return NotSent(Cause.DNS, f"the host {error.host} is not known")
        except aiohttp.ClientConnectorError as error:
            return NotSent(Cause.REFUSED, f"no connection to {error.host}:{error.port} ({_why(error.os_error)})")
        except aiohttp.ConnectionTimeoutError:
            return NotSent(Cause.CONNECT_TIMEOUT, "the server did not take the connection in time")
        except TimeoutError:
            return Lost(Cause.TIMEOUT, f"no whole answer within {self._session.timeout.total:g} s", status)
        except aiohttp.ClientPayloadError:
            return Lost(Cause.TRUNCATED, "the answer ended early", status)
        except (aiohttp.ClientError, OSError) as error:
            # includes a dead keep-alive connection: whether the server read the request is not known
            return Lost(Cause.RESET, f"the connection was lost ({type(error).__name__})", status)


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    """The body, or None if it is too large. A small declared size, not compressed, is read in one go."""
    length = response.content_length
    if length is not None and length <= MAX_ANSWER_BYTES and "Content-Encoding" not in response.headers:
        return await response.read()
    pieces, size = [], 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > MAX_ANSWER_BYTES:
            response.close()
            return None
        pieces.append(piece)
    return b"".join(pieces)


@contextlib.asynccontextmanager
async def open_transport(
    base_url: str, *, timeout_seconds: float = 60.0, connect_timeout_seconds: float = 10.0
) -> AsyncIterator[HttpTransport]:
    """A transport for the block. `timeout_seconds` is for the whole request, of which connecting may take its part."""
    timeout = aiohttp.ClientTimeout(total=timeout_seconds, connect=min(connect_timeout_seconds, timeout_seconds))
    # limit=0: the number of workers is the limit; aiohttp's own default would stop at 100
    connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=300)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"omni-batcher/{__version__}", "Accept": "application/json"},
        trust_env=_behind_proxy(base_url),
    ) as session:
        # aiohttp would send a GET or DELETE whose connection broke a second time, past the pace (its own test client
        # switches that off in the same way; there is no public one)
        session._retry_connection = False  # noqa: SLF001
        yield HttpTransport(session, base_url)
    if base_url.startswith("https"):
        await asyncio.sleep(0)  # TLS connections close one turn of the loop later


def _behind_proxy(base_url: str) -> bool:
    """Whether proxy variables apply; looking them up for each request is slow, so only where one is set."""
    host = urlsplit(base_url).hostname or ""
    return not host.startswith(_LOOPBACK) and any(name.lower() in ("https_proxy", "http_proxy") for name in os.environ)


def _why(error: OSError) -> str:
    """The system's words; asyncio puts the address into their place, which stands beside them anyway."""
    return os.strerror(error.errno).lower() if error.errno else str(error)
