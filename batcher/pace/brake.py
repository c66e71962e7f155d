"""The brake of one key: how long everybody stops after a 429 or a 503, and how the pace comes back afterwards.

Pure: the caller says what time it is (seconds of one clock), and nothing waits here.

    429 ── stop until the time given, else 1, 2, 4, 8 … 60 s ── a quarter of the pace, growing to all of it ── full pace
            └ keep coming because of our pace: somebody else uses the key ── a lower pace (see `room`)
"""

from __future__ import annotations

import math

from .rate import Rate
from .room import Room

_LONGEST_SECONDS = 60.0

_FORGET_SECONDS = 900.0  # without an answer: then nothing is known of others who use the key

_RAMP_FROM = 0.25
_RAMP_SECONDS = (5.0, 60.0)
# Unlimited pace has no quarter: it comes back at 5/s and doubles every second, until it is faster than any server.
_UNLIMITED_FROM = 5.0
_UNLIMITED_SECONDS = 9.0


class Brake:
    """Stops one key, lets it come back gently, and finds the pace at which others who use the key leave room.

    `until`: when requests may start again; `settled_at`: when the pace has fully come back after that.
    """

    def __init__(self, rate: Rate | None) -> None:
        self._rate = rate
        self._room = Room(rate.limit) if rate else None
        self._heard = -math.inf  # the latest answer
        self.until = self.settled_at = -math.inf
        self._began = -math.inf
        self._strikes = 0  # blocks since a request that started after one of them has passed
        self._lowered = False  # for one of these
        self._tried = True  # has a request started since the last brake ended?
        low, high = _RAMP_SECONDS
        self._longest_ramp = min(max(rate.period_seconds, low), high) if rate else _UNLIMITED_SECONDS
        self._ramp = self._longest_ramp

    def stop(self, now: float, seconds: float | None, *, started: float | None, limited: bool) -> None:
        """A request was refused for now. `seconds` as its Retry-After says; `started` if known when it left.

        `limited` tells a 429, for which somebody may be to blame, from maintenance. Requests that were in flight
        when the brake began belong to the same block: only an explicit time can move its end. A time of 0 s, and so
        any that has gone by, is none: asking again at once would only be refused again.
        """
        if now < self.until or not self._tried or (started is not None and started < self._began):
            if seconds:
                self._end_at(now + seconds, self._longest_ramp)
            return
        self._began = self._heard = now
        self._strikes += 1
        if seconds:
            self._end_at(now + seconds, self._longest_ramp)
        else:
            pause = min(2.0 ** min(self._strikes - 1, 10), _LONGEST_SECONDS)
            # The quarter guards a server that has just recovered; a short pause means that it never was in trouble.
            ramp = min(pause / 2, self._longest_ramp) if self._rate else self._longest_ramp
            self._end_at(now + pause, ramp)
        # Until something passes, nothing new is known of a pace that was lowered.
        if limited and not self._lowered and (room := self._room_at(now)):
            self._lowered = room.blocked(named_a_time=bool(seconds))

    def _end_at(self, until: float, ramp: float) -> None:
        if until > self.until:
            self.until, self.settled_at, self._ramp = until, until + ramp, ramp
            self._tried = False

    def started(self) -> None:
        """A request started."""
        self._tried = True

    def passed(self, now: float, *, started: float | None = None) -> None:
        """An answer came that was neither 429 nor maintenance. `started` if known when its request left."""
        if room := self._room_at(now):
            room.passed()
        self._heard = now
        if self._tried and now >= self.until and (started is None or started >= self.until):
            self._strikes = 0
            self._lowered = False

    def share(self, now: float) -> float:
        """The part of the rate that we use, 0 to 1: below 1 while somebody else seems to use the key."""
        room = self._room_at(now)
        return room.share if room else 1.0

    def _room_at(self, now: float) -> Room | None:
        """What is known of the room, None where the rate is unlimited."""
        if self._rate and now - max(self._heard, self.until) > _FORGET_SECONDS and self._heard > -math.inf:
            self._room, self._heard = Room(self._rate.limit), -math.inf
        return self._room

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
