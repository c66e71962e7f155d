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
from anyio.abc import TaskGroup

from ..api_keys import ApiKey
from ..errors import Stopped, StopReason
from .pacer import Pacer, Slot
from .rate import Rate
from .store import PaceStore

__all__ = ["Gate", "KeysRefused", "Slot"]


class KeysRefused(Stopped):
    """No key is left to send with."""

    stop_reason = StopReason.KEY_REFUSED

    def __init__(self) -> None:
        super().__init__("the server rejected every API key; set a valid OMNI_API_KEY and run the same command again")


class Gate:
    """Slots for requests: `async with Gate(keys, rate, shared=None) as gate`, then `await gate.slot()`.

    `rate` is per key; None means unlimited: then a slot costs next to nothing, and only brake and drop stop it.
    `shared` is where runs with the same key meet, so that theirs count, too.
    """

    def __init__(self, keys: Sequence[ApiKey], rate: Rate | None, *, shared: PaceStore | None = None) -> None:
        self._keys = tuple(keys)
        self._rate = rate
        self._shared = shared
        self._pacers: dict[str, Pacer] = {}  # by the key's text: the server counts by it
        self._turn: deque[Pacer] = deque()
        self._waiters: OrderedDict[asyncio.Future[Slot | None], None] = OrderedDict()
        self._wanted = asyncio.Event()
        self._free = rate is None
        self._failure: Stopped | None = None
        self.now: Callable[[], float] = time.monotonic

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        # uvloop's clock stands still while callbacks run, so that a start after a stall would be dated too early.
        self.now = time.monotonic if type(loop).__module__.startswith("uvloop") else loop.time
        self._make_pacers()
        self._tasks: TaskGroup = anyio.create_task_group()
        await self._tasks.__aenter__()
        for pacer in self._turn:
            self._tasks.start_soon(self._serve, pacer, name=f"pace of key {pacer.key.number}")
        return self

    def _make_pacers(self) -> None:
        """One for each key; a key that was given twice is one key."""
        rate, shared = self._rate, self._shared
        for key in self._keys:
            if key.secret not in self._pacers:
                share = shared.share(key, rate) if shared and rate else None
                self._pacers[key.secret] = Pacer(key, rate, share, now=self.now, hand_over=self._hand_over)
        self._turn.extend(self._pacers.values())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tasks.cancel_scope.cancel()
        # Without the body's error: it propagates by itself, not wrapped into a group.
        await self._tasks.__aexit__(None, None, None)
        for pacer in self._pacers.values():
            await pacer.aclose()

    async def slot(self) -> Slot:
        """Wait for permission to start one request. Cancelling it loses nothing.

        Raises:
            KeysRefused: the last key was dropped.
            Stopped: what this run shares its pace through is gone.
        """
        if self._failure is not None:
            raise self._failure
        free = self._free_slot()
        if free is not None:
            return free
        if not self._turn:
            raise KeysRefused
        waiter: asyncio.Future[Slot | None] = asyncio.get_running_loop().create_future()
        self._waiters[waiter] = None
        self._wanted.set()
        try:
            slot = await waiter
        except asyncio.CancelledError:
            self._waiters.pop(waiter, None)
            if waiter.done() and not waiter.cancelled() and (slot := waiter.result()):  # it came in the same instant
                slot.give_back()
            raise
        if slot is None:
            raise KeysRefused
        return slot

    def _free_slot(self) -> Slot | None:
        """Where the rate is unlimited, a slot of the next key that no brake slows: nobody needs to wait for it."""
        if not self._free or self._waiters:
            return None
        now = self.now()
        for _ in range(len(self._turn)):
            pacer = self._turn[0]
            self._turn.rotate(-1)
            if now >= pacer.brake.settled_at:
                return Slot(pacer, None)
        return None

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return len(self._waiters)

    def _hand_over(self, slot: Slot) -> bool:
        """Give a slot to the first waiter; False if nobody waits."""
        while self._waiters:
            waiter, _ = self._waiters.popitem(last=False)
            if not waiter.done():  # else it was cancelled just now
                waiter.set_result(slot)
                return True
        return False

    async def _serve(self, pacer: Pacer) -> None:
        """One key: take slots from its pace, one after the other, and hand each to the first waiter."""
        try:
            await self._serve_until_dropped(pacer)
        except Stopped as failure:
            self._failure = failure
            while self._waiters:
                waiter, _ = self._waiters.popitem(last=False)
                if not waiter.done():
                    waiter.set_exception(failure)

    async def _serve_until_dropped(self, pacer: Pacer) -> None:
        while not pacer.dropped:
            if not self._waiters:
                self._wanted.clear()
                await self._wanted.wait()
            await pacer.smooth()
            while self._waiters and not pacer.dropped:
                granted = await pacer.try_grant()
                if isinstance(granted, Slot):
                    if not self._hand_over(granted):  # the waiter has gone while the store was asked
                        granted.give_back()
                    break
                await pacer.rest(granted)

    def brake(
        self, key: ApiKey, retry_after_seconds: float | None, *, slot: Slot | None = None, limited: bool = True
    ) -> None:
        """The server asked for a pause: 429, or 503 with Retry-After (then `limited=False`: no other client is to blame).

        With the request's `slot`, one that left before the brake began is known to be part of the same event.
        """
        pacer = self._pacers[key.secret]
        pacer.brake.stop(self.now(), retry_after_seconds, started=slot.started_at if slot else None, limited=limited)
        pacer.stop()

    def passed(self, key: ApiKey, *, slot: Slot | None = None) -> None:
        """An answer came that was neither 429 nor maintenance.

        With the request's `slot`, one that left before the brake began is known to say nothing about its end.
        """
        self._pacers[key.secret].brake.passed(self.now(), started=slot.started_at if slot else None)

    def drop(self, key: ApiKey) -> None:
        """The server refused this key: nothing starts with it any more. With the last one every waiter gets KeysRefused."""
        pacer = self._pacers[key.secret]
        if pacer.dropped:
            return
        pacer.dropped = True
        pacer.stop()
        self._turn.remove(pacer)
        if not self._turn:
            while self._waiters:
                waiter, _ = self._waiters.popitem(last=False)
                if not waiter.done():
                    waiter.set_result(None)
        self._wanted.set()

    def holds(self, key: ApiKey) -> bool:
        """Whether this key may still be used."""
        return not self._pacers[key.secret].dropped

    @property
    def keys_left(self) -> int:
        """Keys that the server has not refused."""
        return len(self._turn)

    def rate_now(self) -> float:
        """Requests a second that may start now, over all keys; `inf` if unlimited."""
        return sum(self._rate_of(pacer) for pacer in self._turn)

    def _rate_of(self, pacer: Pacer) -> float:
        full = pacer.rate.per_second if pacer.rate else math.inf
        return min(full, pacer.brake.per_second(self.now()))

    def braked_for(self) -> float:
        """Seconds until the first key may send again; 0.0 if one may now."""
        now = self.now()
        return max(0.0, min((pacer.brake.until - now for pacer in self._turn), default=0.0))

    @property
    def note(self) -> str:
        """For the progress line: who slows us down, or empty."""
        notes = [note for pacer in self._turn for note in (pacer.store_note, self._note_of(pacer)) if note]
        return "; ".join(dict.fromkeys(notes))

    def _note_of(self, pacer: Pacer) -> str:
        share = pacer.brake.share(self.now())
        if pacer.rate is None or share >= 1.0:
            return ""
        which = f"key {pacer.key.number}" if pacer.key.number > 1 or len(self._turn) > 1 else "the key"
        return f"someone else is using {which}: pace lowered to {share:.0%}"
