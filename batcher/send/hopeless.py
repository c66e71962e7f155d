"""Answers that together say that going on is hopeless: nothing but 429 and 503 for too long, or none that can be read."""

from __future__ import annotations

from collections.abc import Callable

import anyio

from ..errors import StopReason
from ..transport.reply import Lost

RATE_LIMITED = 429
UNREADABLE_AT_FIRST = 3


class Hopeless:
    """Shared by all requests of a run. `stop` is called with a message.

    `has_answer`: one came that could be read.
    """

    def __init__(self, give_up_after_seconds: float, stop: Callable[[str, StopReason], None]) -> None:
        self._give_up_after_seconds = give_up_after_seconds
        self._stop = stop
        self._braked_since: float | None = None  # when the server began to answer nothing but 429 and 503
        self._unreadable = 0
        self.has_answer = False

    def passed(self) -> None:
        """An answer came that was neither."""
        self.has_answer = True
        self._braked_since = None

    def braked(self, status: int) -> None:
        """For too long, waiting on would never end."""
        self.has_answer = True
        now = anyio.current_time()
        if self._braked_since is None:
            self._braked_since = now
        elif now - self._braked_since >= self._give_up_after_seconds:
            self._stop(
                f"the server has answered nothing but {status} for {now - self._braked_since:.0f} s. Run the same command "
                "again later; --give-up-after sets how long to wait. If it's always the same row, look at that row.",
                StopReason.RATE_LIMITED if status == RATE_LIMITED else StopReason.UNREACHABLE,
            )

    def unreadable(self, reply: Lost) -> None:
        """One came whole, but can't be understood: if the first ones are like that, the others will be, too."""
        if self.has_answer:
            return
        self._unreadable += 1
        if self._unreadable >= UNREADABLE_AT_FIRST:
            self._stop(
                f"the first {UNREADABLE_AT_FIRST} answers can't be read: {reply.message}. Check what's answering at the "
                "base URL (a proxy?), then run the same command again: what may have been created is looked up first.",
                StopReason.UNREADABLE,
            )
