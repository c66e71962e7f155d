"""When a connection is used again, and when a request may start: once there is one, not before."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from batcher.transport.kept import KeptConnections
from batcher.transport.reply import HELD, Answer

from .test_http import KEY, OK, connected, read_request, serving


class _Connection(SimpleNamespace):
    """A connection that is open, and on which nothing has come."""

    def __init__(self) -> None:
        protocol = SimpleNamespace(is_connected=lambda: True, should_close=False)
        super().__init__(protocol=protocol, is_closed=False, transport=None)

    def close(self) -> None:
        """As aiohttp's."""
        self.is_closed = True


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 4.0),
        ("", 4.0),
        ("max=100", 4.0),
        ("timeout=soon", 4.0),
        ("timeout=1", 0.5),
        ("timeout=5, max=1000", 2.5),
        ("max=3, Timeout = 20", 10.0),
        ("timeout=86400", 60.0),
        ("timeout=0", 0.0),
    ],
)
def test_how_long_a_connection_is_kept(header: str | None, seconds: float) -> None:
    """Half of what the server promises; 4 s where it says nothing. (Before: 15 s, whatever it said.)"""
    headers = {} if header is None else {"Keep-Alive": header}
    for idle, is_good in ((seconds - 0.01, True), (seconds + 0.01, False)):
        kept, connection = KeptConnections(), _Connection()
        kept.keep(as_connection(connection), 100.0, headers)
        found: object = kept.take(100.0 + idle)
        assert (found is connection) is (is_good and idle > 0)
        assert connection.is_closed is (found is None)


def as_connection(connection: _Connection) -> Any:
    """What stands for aiohttp's."""
    return connection


async def test_a_request_starts_once_there_is_a_connection() -> None:
    """`start` is called when the server has taken the connection, right before the request is written."""
    taken, started, connections = asyncio.Event(), list[bool](), list[int]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        taken.set()
        while True:
            await read_request(reader)
            writer.write(OK)

    def start() -> bool:
        started.append(True)
        return True

    async with serving(serve) as address, connected(f"http://{address}") as transport:
        held = await transport.request("POST", "/x", KEY, b"{}", start=lambda: False)
        assert held is HELD
        await asyncio.wait_for(taken.wait(), 2)
        assert isinstance(await transport.request("POST", "/x", KEY, b"{}", start=start), Answer)
    assert (started, len(connections)) == ([True], 1), "the connection that was not needed serves the next one"


async def test_what_is_dropped_carries_nothing_more() -> None:
    """After an answer that was another's, what comes next on its connection may be another's, too."""
    connections: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        while True:
            await read_request(reader)
            writer.write(OK)

    async with serving(serve) as address, connected(f"http://{address}") as transport:
        await transport.request("POST", "/x", KEY, b"{}")
        transport.drop_kept()
        await transport.request("POST", "/x", KEY, b"{}")
    assert len(connections) == 2
