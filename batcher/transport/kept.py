"""Connections that are kept between requests, each for as long as the server surely keeps it, too.

A server closes what has been idle for its time. A request that meets the goodbye on its way is lost, and whether it was
carried out is unknown; so a connection is used again only well before that.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping

from aiohttp.connector import Connection

_UNKNOWN_SECONDS = 4.0  # that a server keeps an idle connection which names no limit: Node's default is 5
_MOST_SECONDS = 60.0  # whatever is promised: what lies between (NAT, proxies) has its own ideas
_TIMEOUT = re.compile(r"(?:^|[,;\s])timeout\s*=\s*\"?([0-9]{1,9})", re.IGNORECASE)


class KeptConnections:
    """Those of one base URL; the last one kept is used first."""

    def __init__(self) -> None:
        self._idle: deque[tuple[Connection, float]] = deque()  # and until when (of `perf_counter`)
        self._promised: tuple[str, float] = ("", _UNKNOWN_SECONDS)  # the last header, and what it came to

    def take(self, now: float) -> Connection | None:
        """One that is still good, if any is."""
        while self._idle:
            connection, until = self._idle.pop()
            if now < until and is_fit(connection):
                return connection
            connection.close()
        return None

    def keep(self, connection: Connection, now: float, headers: Mapping[str, str] | None = None) -> None:
        """Keep it, for half of what the answer's `Keep-Alive: timeout=N` promises."""
        idle = self._idle
        idle.append((connection, now + self._seconds(headers)))
        if now >= idle[0][1]:
            idle.popleft()[0].close()

    def _seconds(self, headers: Mapping[str, str] | None) -> float:
        text = headers.get("Keep-Alive", "") if headers is not None else ""
        if text != self._promised[0]:
            found = _TIMEOUT.search(text)
            self._promised = text, min(int(found[1]) / 2, _MOST_SECONDS) if found else _UNKNOWN_SECONDS
        return self._promised[1]

    def drop(self) -> None:
        """Close them all, without waiting for the server's own good-bye."""
        while self._idle:
            connection, _ = self._idle.pop()
            if connection.transport is not None:
                connection.transport.abort()
            connection.close()


def is_fit(connection: Connection) -> bool:
    """Whether nothing has come on it that nobody asked for, and it is open."""
    protocol = connection.protocol
    return protocol is not None and protocol.is_connected() and not protocol.should_close
