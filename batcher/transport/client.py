"""The connection to one Omni instance, for programs."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from ..api_keys import api_keys
from .base_url import normalise
from .http import open_transport
from .reply import Transport


class Client:
    """`async with Client("https://acme.omniapp.co", api_key) as client`: one session, its connections reused.

    Several keys make several paces, which add up. Times are seconds. Raises UsageError for a base URL that cannot be
    meant, or that would show the key (plain HTTP to anything but this machine), and for a key that cannot be one.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *more_keys: str,
        timeout_seconds: float = 60.0,
        connect_timeout_seconds: float = 10.0,
    ) -> None:
        self.base_url = normalise(base_url, "base_url")
        self.keys = api_keys((api_key, *more_keys), "api_key")
        self._timeout_seconds = timeout_seconds
        self._connect_timeout_seconds = connect_timeout_seconds
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
        )
        self._transport = await self._opening.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport = None
        await self._opening.__aexit__(kind, error, trace)
