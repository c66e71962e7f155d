"""The connection to one Omni instance, for programs."""

from __future__ import annotations

from collections.abc import Mapping
from ssl import SSLContext
from types import TracebackType
from typing import Self

from ..api_keys import api_keys
from ..arguments import expect
from .base_url import normalise
from .http import open_transport
from .own_connection import OwnConnection, more_headers, proxy_for
from .reply import Transport


class Client:
    """`async with Client("https://acme.omniapp.co", api_key) as client`: one session, its connections reused.

    Args:
        base_url: of the instance, as in a browser's address bar.
        api_key: Omni's; `more_keys` are further ones. Several keys make several paces, which add up.
        timeout_seconds: for one request; of these, `connect_timeout_seconds` at most to connect.
        ssl: what the server's certificate is checked with; None: the system's authorities, and those of the environment's
            `SSL_CERT_FILE`.
        headers: sent with each request beside batcher's own, such as the token of a gateway before Omni. Their values are
            kept out of files and messages as the keys are.
        proxy: an HTTP proxy, as in `"http://name:password@proxy.example:3128"`; None: what the environment's
            `https_proxy` and `no_proxy` say.

    Raises UsageError for a base URL that cannot be meant, or that would show the key (plain HTTP to anything but this
    machine), for a key, a header or a proxy that cannot be one, and TypeError for an argument of the wrong type.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *more_keys: str,
        timeout_seconds: float = 60.0,
        connect_timeout_seconds: float = 10.0,
        ssl: SSLContext | None = None,
        headers: Mapping[str, str] | None = None,
        proxy: str | None = None,
    ) -> None:
        expect("base_url", base_url, str)
        for key in (api_key, *more_keys):
            expect("api_key", key, str)
        expect("timeout_seconds", timeout_seconds, float)
        expect("connect_timeout_seconds", connect_timeout_seconds, float)
        expect("ssl", ssl, SSLContext, None)
        self.base_url = normalise(base_url, "base_url")
        self.keys = api_keys((api_key, *more_keys), "api_key")
        self._timeout_seconds = timeout_seconds
        self._connect_timeout_seconds = connect_timeout_seconds
        self._own = OwnConnection(ssl, more_headers(headers), proxy_for(self.base_url, proxy))
        self._transport: Transport | None = None

    @property
    def transport(self) -> Transport:
        """The open session. Raises RuntimeError outside the `async with` block."""
        if self._transport is None:
            raise RuntimeError("use the client inside its `async with` block")
        return self._transport

    async def __aenter__(self) -> Self:
        self._opening = open_transport(
            self.base_url,
            keys=self.keys,
            timeout_seconds=self._timeout_seconds,
            connect_timeout_seconds=self._connect_timeout_seconds,
            own=self._own,
        )
        self._transport = await self._opening.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport = None
        await self._opening.__aexit__(kind, error, trace)
