"""The law of the pace: no window ever holds more starts than the limit.

Pure: the caller says what time it is.
"""

from __future__ import annotations

import math
from collections import deque

from .rate import Rate


class Window:
    """Slots granted and not yet started, and starts of the last window, are never more than the limit.

    A start turns a granted slot into a start and age takes a start away, so the sum grows by grants alone; a grant is
    allowed only while the sum is below the limit. Hence no window ever holds more starts than the limit, however long
    a slot takes to start, and whatever order they start in. Times are seconds of one clock that never runs backwards.
    """

    __slots__ = ("_starts", "limit", "pending", "seconds")

    def __init__(self, rate: Rate) -> None:
        small = rate.divided()
        self.limit = small.limit
        self.seconds = small.guarded_seconds
        self.pending = 0
        self._starts: deque[float] = deque()

    def opens_at(self, now: float) -> float:
        """When the next slot may be granted: not after `now` if at once, `inf` if a granted one must start first."""
        starts = self._starts
        while starts and now - starts[0] >= self.seconds:
            starts.popleft()
        excess = self.pending + len(starts) - self.limit + 1
        if excess <= 0:
            return now
        return starts[excess - 1] + self.seconds if excess <= len(starts) else math.inf

    def grant(self) -> None:
        """A slot was handed out."""
        self.pending += 1

    def start(self, now: float) -> None:
        """A granted slot's request starts now."""
        self.pending -= 1
        self._starts.append(now)

    def give_back(self) -> None:
        """A granted slot will never start."""
        self.pending -= 1
