"""The firewall's rate limit: a true sliding window for each exact Authorization value."""

from __future__ import annotations

from collections import defaultdict, deque

from batcher.pace.rate import Rate


class SlidingWindows:
    """Admits at most `rate.limit` requests of one Authorization value in any `rate.period_seconds`.

    Only the last `limit` counted requests of each value are kept: the window is full exactly when the oldest of those
    is younger than the period. With `blocked_count` a blocked request is counted like an admitted one, so a client
    that keeps knocking is never let in.
    """

    def __init__(self, rate: Rate, *, blocked_count: bool = False) -> None:
        self._rate = rate
        self._blocked_count = blocked_count
        self._windows: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=rate.limit))

    def blocked_for(self, authorization: str, now: float) -> float:
        """Count one request at `now` (seconds, never going back): 0.0 if admitted, else seconds until one could be."""
        window = self._windows[authorization]
        wait_seconds = 0.0
        if len(window) == self._rate.limit:
            wait_seconds = max(0.0, self._rate.period_seconds - (now - window[0]))
        if wait_seconds == 0.0 or self._blocked_count:
            window.append(now)
        return wait_seconds
