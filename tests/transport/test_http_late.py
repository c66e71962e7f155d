"""A connection that is made only when the request's time is over: the POST is written all the same, and aborted."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import aiohttp
import anyio
import pytest

from batcher.api_keys import ApiKey
from batcher.transport import http, timeouts
from batcher.transport.http import open_transport
from batcher.transport.reply import NotSent, Reply

from ..support.fast import FastLoop, hurry
from .test_http import OK, read_request, serving

KEY = ApiKey("omni_osk_secret")


def test_a_connection_that_comes_too_late_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--timeout 6`: aiohttp rounds a connect limit above 5 s up to the next whole second of the loop's clock.

    Between 6 and 7 s the connection is still taken, the request's own time is over by then, and yet its POST leaves: an
    unclear attempt that counts (without identifier: uncertain), where nothing need have been sent.
    """
    real = aiohttp.TCPConnector._wrap_create_connection

    async def slowly(self: Any, *args: Any, **kwargs: Any) -> Any:  # a slow SYN, TLS handshake or proxy
        await asyncio.sleep(6.25)
        return await real(self, *args, **kwargs)

    monkeypatch.setattr(aiohttp.TCPConnector, "_wrap_create_connection", slowly)
    hurry(monkeypatch, http, timeouts)
    seen: list[bytes] = []
    reply = anyio.run(partial(_request, seen), backend_options={"loop_factory": FastLoop})
    assert isinstance(reply, NotSent), (reply, f"{len(seen)} POSTs arrived")


async def _request(seen: list[bytes]) -> Reply:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await read_request(reader))
        writer.write(OK)

    loop = asyncio.get_running_loop()
    async with (
        serving(serve) as address,
        open_transport(f"http://{address}", timeout_seconds=6.0, connect_timeout_seconds=10.0) as transport,
    ):
        await asyncio.sleep((1.1 - loop.time()) % 1.0)  # so that 6 s from now are rounded up to 6.9 s
        reply: Reply = await transport.request("POST", "/x", KEY, b"{}")
        await asyncio.sleep(0.1)
        return reply
