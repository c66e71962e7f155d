"""One key's pace: smoothing, window, brake and what other runs use, and the slots that it grants."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from aiolimiter import AsyncLimiter

from ..api_keys import ApiKey
from ..errors import InternalError
from .brake import Brake
from .rate import CATCH_UP, Rate
from .store import PaceShare, Permit
from .window import Window

_SHORTEST_REST_SECONDS = 0.001  # timers are no finer; a shorter rest would only spin
_SLACK_SECONDS = 0.01  # starts may make up for timers that were late by this much


class Slot:
    """Permission to start one request with `key`. Either `start` or `give_back` it."""

    __slots__ = ("_epoch", "_open", "_pacer", "_permit", "key", "started_at")

    def __init__(self, pacer: Pacer, permit: Permit | None) -> None:
        self.key = pacer.key
        self.started_at: float | None = None
        self._pacer = pacer
        self._epoch = pacer.epoch
        self._permit = permit
        self._open = True

    @property
    def stale(self) -> bool:
        """Has the key been braked or dropped since the slot was granted?"""
        return self._epoch != self._pacer.epoch

    def start(self) -> bool:
        """Call right before the request leaves. False: not now, ask for another slot (this one is given back)."""
        if not self._open:
            raise InternalError("a slot was used twice")
        # Our time is read before the one that other runs see: whatever comes in between, theirs is the later one.
        now = self._pacer.now()
        if self._epoch != self._pacer.epoch or (self._permit is not None and not self._permit.start()):
            self._give_up()
            return False
        self._open = False
        self.started_at = now
        self._pacer.start(now)
        return True

    def give_back(self) -> None:
        """The slot will not be used: the next waiter gets it. Does nothing once it was started or given back."""
        if not self._open:
            return
        if self.stale or not self._pacer.hand_over(Slot(self._pacer, self._permit)):
            self._give_up()
        self._open = False

    def _give_up(self) -> None:
        self._open = False
        if self._permit is not None:
            self._permit.give_back()
        self._pacer.give_back()


class Pacer:
    """One key's pace. `now` is the loop's clock; `hand_over` gives a slot to the next waiter, if there is one."""

    def __init__(
        self,
        key: ApiKey,
        rate: Rate | None,
        share: PaceShare | None,
        *,
        now: Callable[[], float],
        hand_over: Callable[[Slot], bool],
    ) -> None:
        self.key = key
        self.now = now
        self.hand_over = hand_over
        self.rate = rate
        self.epoch = self._epoch_told = 0
        self.dropped = False
        self.brake = Brake(rate)
        self._share = share
        self._window = Window(rate) if rate else None
        self._limiter = _limiter(rate) if rate else None
        self._smoothed = rate is None
        # The limiter's own waits would be shorter than timers are fine; on uvloop they spin.
        self._fast = rate is not None and rate.per_second > 1.0 / (10 * _SHORTEST_REST_SECONDS)
        self._spaced_from = -math.inf
        self._wake = asyncio.Event()
        self._stuck = False  # nothing but a start or a slot given back can open the window

    def start(self, now: float) -> None:
        """A slot's request starts."""
        if self._window is not None:
            self._window.start(now)
            if self._stuck:
                self._wake.set()
        self.brake.started()

    def give_back(self) -> None:
        """A slot will never start."""
        if self._window is not None:
            self._window.give_back()
            self._wake.set()

    def stop(self) -> None:
        """Braked or dropped: slots that are out are void."""
        self.epoch += 1
        self._wake.set()

    async def smooth(self) -> None:
        """Wait for the limiter, unless its last permission was never used."""
        if self._limiter is None or self._smoothed:
            return
        while self._fast and not self._limiter.has_capacity():
            await self.rest(_SHORTEST_REST_SECONDS)
        await self._limiter.acquire()
        self._smoothed = True

    async def try_grant(self) -> Slot | float:
        """A slot, or the seconds to wait (`inf`: until something changes). Raises Stopped if the store is gone."""
        if self._share is not None and self._epoch_told != self.epoch:
            self._epoch_told = self.epoch
            await self._share.pause(max(0.0, self.brake.until - self.now()))
        wait = self._wait_seconds()
        if wait > 0.0:
            return wait
        if self._share is None:
            return self._grant(None)
        epoch = self.epoch
        answer = await self._share.take()
        if isinstance(answer, float):
            return answer
        if self.epoch != epoch:  # braked or dropped while the store was asked
            answer.give_back()
            return 0.0
        return self._grant(answer)

    def _wait_seconds(self) -> float:
        """How long brake and window make us wait."""
        now = self.now()
        wait = max(self.brake.until, self._spaced_until(now)) - now
        if wait <= 0.0 and self._window is not None:
            wait = self._window.opens_at(now) - now
        return wait

    def _grant(self, permit: Permit | None) -> Slot:
        now = self.now()
        if self._window is not None:
            self._window.grant()
            self._smoothed = False
        if self.brake.per_second(now) < math.inf:
            self._spaced_from = max(self._spaced_until(now), now - _SLACK_SECONDS)
        return Slot(self, permit)

    def _spaced_until(self, now: float) -> float:
        """While the brake slows the pace, its slots keep apart."""
        per_second = self.brake.per_second(now)
        if per_second == math.inf:
            return -math.inf
        if per_second == 0.0:
            return self.brake.until
        due = self._spaced_from + 1.0 / per_second
        # The pace grows meanwhile, so a slow one looks again when it has fully come back.
        return min(due, self.brake.settled_at) if now < self.brake.settled_at else due

    @property
    def store_note(self) -> str:
        """Why the store is waited for, or empty."""
        return "" if self._share is None else self._share.note

    async def aclose(self) -> None:
        if self._share is not None:
            await self._share.aclose()

    async def rest(self, seconds: float) -> None:
        """Sleep, but wake early when a slot starts or comes back, and when the key is dropped."""
        self._wake.clear()
        if seconds == math.inf:
            self._stuck = True
            await self._wake.wait()
            self._stuck = False
            return
        # A bare timer costs a tenth of a cancel scope's, and this happens up to a thousand times a second.
        timer = asyncio.get_running_loop().call_later(max(seconds, _SHORTEST_REST_SECONDS), self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()


def _limiter(rate: Rate) -> AsyncLimiter:
    """Smooths the starts: one at a time, but 10 ms worth of them may make up for timers that were late.

    The window alone keeps the law, so the limiter leaks a little faster than the rate (see `CATCH_UP`).
    """
    per_second = CATCH_UP * rate.per_second
    lump = 1.0 + per_second * _SLACK_SECONDS
    return AsyncLimiter(lump, lump / per_second)
