"""The firewall's rate limit: a true sliding window for each exact Authorization value."""

from __future__ import annotations

from collections import deque

from batcher.pace import Rate

MAX_WINDOWS = 10_000  # a client that invents keys must not eat the memory


class SlidingWindows:
    """Admits at most `rate.limit` requests of one Authorization value in any `rate.period_seconds`.

    Only the last `limit` counted requests of each value are kept: the window is full exactly when the oldest of those
    is younger than the period. With `blocked_count` a blocked request is counted like an admitted one, so a client
    that keeps knocking is never let in.
    """

    def __init__(self, rate: Rate, *, blocked_count: bool = False) -> None:
        self._rate = rate
        self._blocked_count = blocked_count
        self._windows: dict[str, deque[float]] = {}

    def blocked_for(self, authorization: str, now: float) -> float:
        """Count one request at `now` (seconds, never going back): 0.0 if admitted, else seconds until one could be."""
        window = self._windows.get(authorization)
        if window is None:
            window = self._new_window(authorization, now)
        wait_seconds = 0.0
        if len(window) == self._rate.limit:
            wait_seconds = max(0.0, self._rate.period_seconds - (now - window[0]))
        if wait_seconds == 0.0 or self._blocked_count:
            window.append(now)
        return wait_seconds

    def _new_window(self, authorization: str, now: float) -> deque[float]:
        if len(self._windows) >= MAX_WINDOWS:
            self._forget_idle(now)
        window: deque[float] = deque(maxlen=self._rate.limit)
        self._windows[authorization] = window
        return window

    def _forget_idle(self, now: float) -> None:
        """Drop the windows in which nothing counts any more; should all be busy, the oldest goes."""
        horizon = now - self._rate.period_seconds
        idle = [name for name, window in self._windows.items() if not window or window[-1] <= horizon]
        for name in idle or [next(iter(self._windows))]:
            del self._windows[name]
