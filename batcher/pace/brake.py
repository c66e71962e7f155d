"""The brake of one key: how long everybody stops after a 429 or a 503, and how the pace comes back afterwards.

Pure: the caller says what time it is (seconds of one clock), and nothing waits here.

    429 ── stop until the time given, else 5, 15, 30, 60 s ── a quarter of the pace, growing to all of it ── full pace
            └ keep coming although we keep to the limit: somebody else uses the key ── lower the pace, raise it slowly

A server that answers 429 at random looks the same and costs a lot: of 100 a second 14 are left if one answer in 500 is a
429, 2 if one in 50 is (the pauses alone, without Retry-After, leave less than 10 of those). Not lowering the pace after
a whole window without a 429, and starting the ladder again after some passes, was tried and gained little.
"""

from __future__ import annotations

import math

from .rate import Rate

_LADDER_SECONDS = (5.0, 15.0, 30.0, 60.0)

_RAMP_FROM = 0.25
_RAMP_SECONDS = (5.0, 60.0)
# Unlimited pace has no quarter: it comes back at 5/s and doubles every second, until it is faster than any server.
_UNLIMITED_FROM = 5.0
_UNLIMITED_SECONDS = 9.0

# Tuned by tests/pace/test_shared_key.py against a client that takes half the rate and never backs off.
_LOWER_TO = 0.7
_LOWEST = 0.05
_RAISE_SLOWLY = 0.02  # of the limit in each window, up to where it last met the other client and a little beyond
_BEYOND = 0.1
_RAISE_FAST = 0.1  # from there on: the other one seems to be gone
_SOON_WINDOWS = 5.0
_SHORTEST_WINDOW_SECONDS = 10.0


class Brake:
    """Stops one key, lets it come back gently, and finds the pace at which others who use the key leave room.

    `until`: when requests may start again; `settled_at`: when the pace has fully come back after that.
    """

    def __init__(self, rate: Rate | None) -> None:
        self._rate = rate
        self.until = self.settled_at = -math.inf
        self._began = -math.inf
        self._strikes = 0
        self._tried = True  # has a request started since the last brake ended?
        self._passed = True  # has one passed since then?
        self._base = 1.0  # the share of the rate right after it was last lowered …
        self._ceiling = 1.0  # … and right before
        self._lowered_at = -math.inf
        self._window = max(rate.period_seconds if rate else 0.0, _SHORTEST_WINDOW_SECONDS)
        self._raise_every = self._window
        low, high = _RAMP_SECONDS
        self._ramp = min(max(rate.period_seconds, low), high) if rate else _UNLIMITED_SECONDS

    def stop(self, now: float, seconds: float | None, *, started: float | None, limited: bool) -> None:
        """A request was refused for now. `seconds` as its Retry-After says; `started` if known when it left.

        `limited` tells a 429, for which somebody may be to blame, from maintenance. Requests that were in flight
        when the brake began belong to the same event: only an explicit time can move its end.
        """
        if now < self.until or not self._tried or (started is not None and started < self._began):
            if seconds is not None:
                self._end_at(now + seconds)
            return
        soon = now - self.until < _SOON_WINDOWS * self._window
        lower = limited and self._passed and (soon or self.share(now) < 1.0)
        before = self.share(now)
        self._strikes += 1
        self._began = now
        self._end_at(
            now + (_LADDER_SECONDS[min(self._strikes, len(_LADDER_SECONDS)) - 1] if seconds is None else seconds)
        )
        if lower:
            self._ceiling, self._base, self._lowered_at = before, max(_LOWEST, before * _LOWER_TO), self.until
            # Where a block costs more than a window, it is risked less often.
            self._raise_every = max(self._window, self.until - now)

    def _end_at(self, until: float) -> None:
        if until > self.until:
            self.until, self.settled_at = until, until + self._ramp
            self._tried = self._passed = False

    def started(self) -> None:
        """A request started."""
        self._tried = True

    def passed(self, now: float) -> None:
        """An answer came that was neither 429 nor maintenance."""
        if self._passed and not self._strikes:
            return
        if self._tried and now >= self.until:
            self._passed = True
            if now >= self.settled_at:
                self._strikes = 0

    def share(self, now: float) -> float:
        """The part of the rate that we use, 0 to 1: below 1 while somebody else seems to use the key."""
        if self._base >= 1.0:
            return 1.0
        windows = max(0.0, now - self._lowered_at) / self._raise_every
        slow = min(windows, max(0.0, self._ceiling + _BEYOND - self._base) / _RAISE_SLOWLY)
        share = self._base + slow * _RAISE_SLOWLY + (windows - slow) * _RAISE_FAST
        if share >= 1.0:
            self._base = 1.0
        return min(share, 1.0)

    def per_second(self, now: float) -> float:
        """How many requests a second may start now; `inf` when the brake does not slow us at all."""
        if now < self.until:
            return 0.0
        back = (now - self.until) / self._ramp
        if self._rate is None:
            return _UNLIMITED_FROM * 2 ** (now - self.until) if back < 1.0 else math.inf
        share = self.share(now)
        if back >= 1.0 and share >= 1.0:
            return math.inf
        return self._rate.per_second * share * min(1.0, _RAMP_FROM + (1.0 - _RAMP_FROM) * back)
