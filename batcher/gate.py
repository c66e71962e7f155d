"""The gate: hands out the slots of the pace, first come first served, over all keys.

    worker ── await gate.slot() ──▶ FIFO of waiters ◀── one task per key: smoothing, brake, window ── Slot
    worker ── slot.start() right before the request leaves: that instant is what the window remembers

One task per key alone waits on the limiter, so waiting workers cost nothing and are served in order.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

import anyio
from aiolimiter import AsyncLimiter
from anyio.abc import TaskGroup

from .brake import Brake
from .errors import InternalError, Stopped
from .pace import Rate, Window
from .shared_pace import Permit, RunShare, SharedPace
from .transport import ApiKey

_SHORTEST_REST_SECONDS = 0.001  # timers are no finer; a shorter rest would only spin
_SLACK_SECONDS = 0.01  # starts may make up for timers that were late by this much


class KeysRefused(Stopped):
    """No key is left to send with."""

    def __init__(self) -> None:
        super().__init__(
            "no API key is left: the server refused every one; give a working key and run the same command again"
        )


class Slot:
    """Leave to start one request with `key`. Either `start` or `give_back` it."""

    __slots__ = ("_epoch", "_open", "_pacer", "_permit", "key", "started_at")

    def __init__(self, pacer: _Pacer, permit: Permit | None) -> None:
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
        if self.stale or (self._permit is not None and not self._permit.start()):
            self._give_up()
            return False
        self._open = False
        self.started_at = self._pacer.start()
        return True

    def give_back(self) -> None:
        """The slot will not be used: the next waiter gets it. Does nothing once it was started or given back."""
        if not self._open:
            return
        if self.stale or not self._pacer.gate.waiting:
            self._give_up()
        else:
            self._open = False
            self._pacer.gate.hand_over(Slot(self._pacer, self._permit))

    def _give_up(self) -> None:
        self._open = False
        if self._permit is not None:
            self._permit.give_back()
        self._pacer.give_back()


class _Waiter:
    """One call of `Gate.slot` that waits."""

    __slots__ = ("ready", "slot")

    def __init__(self) -> None:
        self.ready = anyio.Event()
        self.slot: Slot | None = None


class _Pacer:
    """One key's pace: smoothing, window, brake, and the share of other runs."""

    def __init__(self, gate: Gate, key: ApiKey, rate: Rate | None, share: RunShare | None) -> None:
        self.gate = gate
        self.key = key
        self.rate = rate
        self.epoch = 0
        self.dropped = False
        self.brake = Brake(rate)
        self._share = share if rate else None
        self._window = Window(rate) if rate else None
        self._limiter = _limiter(rate) if rate else None
        self._smoothed = rate is None
        # The limiter's own waits would be shorter than timers are fine; on uvloop they spin.
        self._fast = rate is not None and rate.per_second > 1.0 / (10 * _SHORTEST_REST_SECONDS)
        self._spaced_from = -math.inf
        self._wake = asyncio.Event()
        self._stuck = False  # nothing but a start or a slot given back can open the window

    def start(self) -> float:
        now = self.gate.now()
        if self._window is not None:
            self._window.start(now)
            if self._stuck:
                self._wake.set()
        self.brake.started()
        return now

    def give_back(self) -> None:
        if self._window is not None:
            self._window.give_back()
            self._wake.set()

    def stop(self) -> None:
        """Braked or dropped: slots that are out are void."""
        self.epoch += 1
        self._wake.set()

    async def smooth(self) -> None:
        """Wait for the limiter, unless its leave was never used."""
        if self._limiter is None or self._smoothed:
            return
        while self._fast and not self._limiter.has_capacity():
            await self.rest(_SHORTEST_REST_SECONDS)
        await self._limiter.acquire()
        self._smoothed = True

    def try_grant(self) -> Slot | float:
        """A slot, or the seconds to wait (`inf`: until something changes)."""
        now = self.gate.now()
        wait = max(self.brake.until, self._spaced_until(now)) - now
        if wait <= 0.0 and self._window is not None:
            wait = self._window.opens_at(now) - now
        if wait > 0.0:
            self.rest_from_sharing()
            return wait
        permit = None
        if self._share is not None:
            answer = self._share.take()
            if isinstance(answer, float):
                return answer
            permit = answer
        return self._grant(now, permit)

    def _grant(self, now: float, permit: Permit | None) -> Slot:
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

    def rest_from_sharing(self) -> None:
        """We could not start anything now: let the other runs pass."""
        if self._share is not None:
            self._share.leave()

    def close(self) -> None:
        """The gate closes."""
        if self._share is not None:
            self._share.close()

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

    The window alone keeps the law, so the limiter leaks at the full rate.
    """
    lump = 1.0 + rate.per_second * _SLACK_SECONDS
    return AsyncLimiter(lump, lump / rate.per_second)


class Gate:
    """Slots for requests: `async with Gate(keys, rate, shared=None) as gate`, then `await gate.slot()`.

    `rate` is per key; None means unlimited: then a slot costs next to nothing, and only brake and drop stop it.
    `shared` makes other runs with the same key count, too.
    """

    def __init__(self, keys: Sequence[ApiKey], rate: Rate | None, *, shared: SharedPace | None = None) -> None:
        # A key that was given twice is one key: the server counts by its text.
        first = {key.secret: key for key in reversed(keys)}
        pacers = {
            key: _Pacer(self, key, rate, shared.share(key, rate) if shared and rate else None) for key in first.values()
        }
        self._pacers = {key: pacers[first[key.secret]] for key in keys}
        self._turn = deque(dict.fromkeys(self._pacers.values()))
        self._waiters: OrderedDict[_Waiter, None] = OrderedDict()
        self._wanted = asyncio.Event()
        self._free = rate is None
        self.now: Callable[[], float] = time.monotonic

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        # uvloop's clock stands still while callbacks run, which would date a start too early after a stall.
        self.now = time.monotonic if type(loop).__module__.startswith("uvloop") else loop.time
        self._tasks: TaskGroup = anyio.create_task_group()
        await self._tasks.__aenter__()
        for pacer in self._turn:
            self._tasks.start_soon(self._serve, pacer, name=f"pace of key {pacer.key.number}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tasks.cancel_scope.cancel()
        # Without the body's error: it goes on its way by itself, not wrapped into a group.
        await self._tasks.__aexit__(None, None, None)
        for pacer in dict.fromkeys(self._pacers.values()):
            pacer.close()

    async def slot(self) -> Slot:
        """Wait for leave to start one request. Cancelling it loses nothing.

        Raises:
            KeysRefused: the last key was dropped.
        """
        if self._free and not self._waiters:
            free = self._free_slot()
            if free is not None:
                return free
        if not self._turn:
            raise KeysRefused
        return await self._wait()

    async def _wait(self) -> Slot:
        waiter = _Waiter()
        self._waiters[waiter] = None
        self._wanted.set()
        taken = False
        try:
            await waiter.ready.wait()
            taken = True
        finally:
            if not taken:
                self._waiters.pop(waiter, None)
                if waiter.slot is not None:
                    waiter.slot.give_back()
        if waiter.slot is None:
            raise KeysRefused
        return waiter.slot

    def _free_slot(self) -> Slot | None:
        """Unlimited: a slot of the next key that no brake slows."""
        for _ in range(len(self._turn)):
            pacer = self._turn[0]
            self._turn.rotate(-1)
            if self.now() >= pacer.brake.settled_at:
                return Slot(pacer, None)
        return None

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return len(self._waiters)

    def hand_over(self, slot: Slot) -> None:
        """Give a slot to the first waiter; there must be one."""
        waiter, _ = self._waiters.popitem(last=False)
        waiter.slot = slot
        waiter.ready.set()

    async def _serve(self, pacer: _Pacer) -> None:
        """One key: take slots from its pace, one after the other, and hand each to the first waiter."""
        while not pacer.dropped:
            if not self._waiters:
                self._wanted.clear()
                pacer.rest_from_sharing()
                await self._wanted.wait()
            await pacer.smooth()
            while self._waiters and not pacer.dropped:
                granted = pacer.try_grant()
                if isinstance(granted, Slot):
                    self.hand_over(granted)
                    break
                await pacer.rest(granted)

    def brake(
        self, key: ApiKey, retry_after_seconds: float | None, *, slot: Slot | None = None, limited: bool = True
    ) -> None:
        """The server asked for a pause: 429, or 503 with Retry-After (then `limited=False`: nobody else is to blame).

        With the request's `slot`, one that left before the brake began is known to be part of the same event.
        """
        pacer = self._pacers[key]
        pacer.brake.stop(self.now(), retry_after_seconds, started=slot.started_at if slot else None, limited=limited)
        pacer.stop()

    def passed(self, key: ApiKey) -> None:
        """An answer came that was neither 429 nor maintenance."""
        self._pacers[key].brake.passed(self.now())

    def drop(self, key: ApiKey) -> None:
        """The server refused this key: nothing starts with it any more. With the last one all waiters are told."""
        pacer = self._pacers[key]
        if pacer.dropped:
            return
        pacer.dropped = True
        pacer.stop()
        pacer.rest_from_sharing()
        self._turn.remove(pacer)
        if not self._turn:
            while self._waiters:
                self._waiters.popitem(last=False)[0].ready.set()
        self._wanted.set()

    @property
    def keys_left(self) -> int:
        """Keys that the server has not refused."""
        return len(self._turn)

    def rate_now(self) -> float:
        """Requests a second that may start now, over all keys; `inf` if unlimited."""
        return sum(self._rate_of(pacer) for pacer in self._turn)

    def _rate_of(self, pacer: _Pacer) -> float:
        full = pacer.rate.per_second if pacer.rate else math.inf
        return min(full, pacer.brake.per_second(self.now()))

    def braked_for(self) -> float:
        """Seconds until the first key may send again; 0.0 if one may now."""
        now = self.now()
        return max(0.0, min((pacer.brake.until - now for pacer in self._turn), default=0.0))

    @property
    def note(self) -> str:
        """For the progress line: who slows us down, or empty."""
        return "; ".join(filter(None, map(self._note_of, self._turn)))

    def _note_of(self, pacer: _Pacer) -> str:
        share = pacer.brake.share(self.now())
        if pacer.rate is None or share >= 1.0:
            return ""
        which = f"key {pacer.key.number}" if pacer.key.number > 1 or len(self._turn) > 1 else "the key"
        return f"somebody else is using {which}: pace lowered to {share:.0%}"
