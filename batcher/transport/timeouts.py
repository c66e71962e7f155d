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


class Exchange(Protocol):
    """A request that is waited for."""

    def cut(self) -> None:
        """End the connection, and the wait itself, whatever became of the connection."""


class Timeouts:
    """`start` and `end` around each request; one that runs out of time is cut in between."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._due: dict[Exchange, float] = {}  # of `perf_counter`; `-inf` when it has run out
        self._timer: asyncio.TimerHandle | None = None
        self._meant = 0.0  # when it is to go off

    def start(self, exchange: Exchange, since: float) -> None:
        """A request that began then leaves."""
        self._due[exchange] = due = since + self.seconds
        if self._timer is None:
            self._look_at(due)

    def end(self, exchange: Exchange) -> None:
        """Its answer is here, or will not come."""
        del self._due[exchange]

    def has_run_out(self, exchange: Exchange) -> bool:
        """Whether that is why it broke."""
        return self._due[exchange] == -math.inf

    def _look(self) -> None:
        now, self._timer = perf_counter(), None
        if now - self._meant > _LATE_SECONDS:  # the process stood still; what has come meanwhile is to be read first
            self._look_at(now + _GRACE_SECONDS)
            return
        for exchange, due in self._due.items():
            if -math.inf < due <= now:
                self._due[exchange] = -math.inf
                exchange.cut()
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
