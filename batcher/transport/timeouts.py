"""The time that a request may take, kept for all that are in flight by one timer.

A timer for each would cost a tenth of the request. All have the same time, so that the oldest is due first, and as long
as none is late the timer goes off about once in that time.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Iterator
from time import perf_counter
from typing import Protocol

_LATE_SECONDS = 0.1  # no busy loop is as late as that for long
_GRACE_SECONDS = 0.01


class Connection(Protocol):
    """What a request travels on."""

    @property
    def transport(self) -> asyncio.Transport | None:
        """Its end here; None once it is lost."""


class Timeouts:
    """`start` and `end` around each request; one that runs out of time has its connection aborted in between."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._due: dict[Connection, float] = {}  # of `perf_counter`; `-inf` when it has run out
        self._timer: asyncio.TimerHandle | None = None
        self._meant = 0.0  # when it is to go off

    def start(self, connection: Connection, since: float) -> None:
        """A request that began then leaves on this connection."""
        self._due[connection] = due = since + self.seconds
        if self._timer is None:
            self._look_at(due)

    def end(self, connection: Connection) -> None:
        """Its answer is here, or will not come."""
        del self._due[connection]

    def has_run_out(self, connection: Connection) -> bool:
        """Whether that is why the connection broke."""
        return self._due[connection] == -math.inf

    def _look(self) -> None:
        now, self._timer = perf_counter(), None
        if now - self._meant > _LATE_SECONDS:  # the process stood still; what has come meanwhile is to be read first
            self._look_at(now + _GRACE_SECONDS)
            return
        for connection, due in self._due.items():
            if -math.inf < due <= now:
                self._due[connection] = -math.inf
                if connection.transport is not None:
                    connection.transport.abort()
        left = [due for due in self._due.values() if due > now]
        if left:
            self._look_at(min(left))

    def _look_at(self, due: float) -> None:
        self._meant = due
        self._timer = self._loop.call_later(max(0.0, due - perf_counter()), self._look)

    def close(self) -> None:
        """Leave no timer behind."""
        if self._timer is not None:
            self._timer.cancel()


@contextlib.contextmanager
def open_timeouts(seconds: float) -> Iterator[Timeouts]:
    """Timeouts for the block. `seconds` for each request."""
    timeouts = Timeouts(seconds)
    try:
        yield timeouts
    finally:
        timeouts.close()
