"""Requests at the pace: each takes its slot of the rate, and brakes, refused keys and outages are dealt with here.

Everything that batcher asks of the server goes through `Requester.request`: creates, look-ups, preflight, undo, verify.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

import anyio.lowlevel

from ..keys import ApiKey
from ..omni.judge import judge_look
from ..omni.v1 import Omni
from ..omni.verdicts import (
    Absent,
    Braked,
    EndpointUnusable,
    KeyRefused,
    Look,
    Made,
    Refused,
    There,
    Unclear,
    Unknown,
    Unsent,
    Verdict,
)
from ..pace.gate import Gate, KeysRefused, Slot
from ..transport.headers import printable
from ..transport.reply import Answer, Cause, Reply
from .drain import Drain, End
from .outage import Outage

V = TypeVar("V", bound=Verdict | Look)
SERVER_ERRORS = 500


class Requester:
    """What all requests of a run share. `warn` takes messages for the user."""

    def __init__(
        self,
        omni: Omni,
        gate: Gate,
        drain: Drain,
        *,
        give_up_after_seconds: float,
        warn: Callable[[str], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.omni = omni
        self.gate = gate
        self.drain = drain
        self.now = now
        self.warn = warn
        self.outage = Outage(give_up_after_seconds, self.stop)
        self._give_up_after_seconds = give_up_after_seconds
        self._braked_since: float | None = None  # when the server began to answer nothing but 429 and 503
        self.requests = 0
        self.in_flight = 0
        self.passed = 0  # answers that no brake held up
        self.has_answer = False
        self._is_deprecation_told = False
        self._limited: dict[str, int] = {}  # row → how many had passed when it last met a 429

    async def request(
        self,
        row: str,
        send: Callable[[ApiKey], Awaitable[Reply]],
        judge: Callable[[Reply], V],
        prepare: Callable[[], Awaitable[None]] | None = None,
    ) -> V:
        """One request and what its reply means. Waits for outage, brake and slot, then for `prepare` (the intent).

        `row` tells troubles of one row from troubles of several. Raises KeysRefused with the last key gone.
        """
        while True:
            is_probe = self.outage.is_on and await self.outage.enter()
            slot: Slot | None = None
            try:
                slot = self.gate.slot_at_once() or await self.gate.slot()
                if self.outage.is_on and not is_probe:
                    continue
                with self.drain.in_flight():
                    if prepare is not None and not self.drain.is_on:
                        await prepare()
                    if not self.drain.is_on and slot.start():
                        self.requests += 1
                        self.in_flight += 1
                        try:
                            reply = await send(slot.key)
                        finally:
                            self.in_flight -= 1
                        verdict = judge(reply)
                        self._tell(row, slot, reply, verdict, is_probe=is_probe)
                        return verdict
                # braked meanwhile, or draining: then this is where it ends
                slot.give_back()
                await anyio.lowlevel.checkpoint()
            except KeysRefused as refused:
                self.stop(str(refused))
                await anyio.lowlevel.checkpoint()
                raise
            finally:
                if slot is not None:
                    slot.give_back()  # does nothing once it was started
                if is_probe:
                    self.outage.leave()

    async def look(self, row: str, identifier: str) -> There | Absent | Unknown | None:
        """GET a document, through brakes and outages. None if the run must stop."""
        while True:
            look: Look = await self.request(
                row,
                lambda key: self.omni.get(key, identifier),
                lambda reply: judge_look(reply, identifier, now=self.now()),
            )
            match look:
                case There() | Absent() | Unknown():
                    return look
                case EndpointUnusable(message):
                    self.stop(message)
                    return None
                case Braked() | KeyRefused() | Unsent():
                    continue

    def stop(self, message: str) -> None:
        """End the run: nothing more is sent."""
        self.drain.start(End.STOPPED, message)

    @property
    def note(self) -> str:
        """Why it is slower than allowed, for the progress line."""
        return self.outage.note or self.gate.note

    def rate_now(self) -> float:
        """Requests a second allowed now."""
        return 0.0 if self.outage.is_on else self.gate.rate_now()

    def braked_for(self) -> float:
        """Seconds until the brake lets go."""
        held = self.gate.braked_for()
        return held if math.isfinite(held) else 0.0

    def _tell(self, row: str, slot: Slot, reply: Reply, verdict: Verdict | Look, *, is_probe: bool) -> None:
        """Let gate and outage know what came back."""
        match verdict:
            case Made() | Refused() | There() | Absent() | EndpointUnusable():
                self.outage.good()
            case Braked(status=status, retry_after_seconds=seconds):
                self.gate.brake(slot.key, seconds, slot=slot, limited=status == 429 and not self._is_rows_own(row))
                self.has_answer = True
                self._tell_braked(status)
                return
            case KeyRefused(status, message):
                self._drop(slot.key, status, message)
            case Unsent(cause, message):
                if cause is Cause.DNS and not self.has_answer:
                    self.stop(f"{message}. Check --base-url or --instance, and this machine's network.")
                self.outage.bad(row, message, is_certain=True, is_probe=is_probe)
                return
            case (
                Unclear(status=status, message=message, is_outage=is_outage)
                | Unknown(status=status, message=message, is_outage=is_outage)
            ):
                if is_outage or (self.outage.is_on and (status or SERVER_ERRORS) >= SERVER_ERRORS):
                    what = message if status is None else f"HTTP {status}"
                    self.outage.bad(row, what, is_certain=False, is_probe=is_probe)
                    return
        if isinstance(reply, Answer):
            self.has_answer = True
            self.passed += 1
            self._braked_since = None
            self._limited.pop(row, None)
            self.gate.passed(slot.key)
            if "deprecation" in reply.headers or "sunset" in reply.headers:
                self._tell_deprecation(reply)

    def _tell_braked(self, status: int) -> None:
        """Nothing but 429 and 503 for too long: then waiting on would never end."""
        now = anyio.current_time()
        if self._braked_since is None:
            self._braked_since = now
        elif now - self._braked_since >= self._give_up_after_seconds:
            self.stop(
                f"the server has answered nothing but {status} for {now - self._braked_since:.0f} s. Run the same command "
                "again later; run and undo wait as long as --give-up-after says. If it is always the same row, look at that row."
            )

    def _is_rows_own(self, row: str) -> bool:
        """Whether this 429 is rather about the row than about the rate: it had one before, and others passed since.

        Then nobody else is to blame, and the pace need not be lowered for all that follow.
        """
        before = self._limited.get(row)
        self._limited[row] = self.passed
        return before is not None and self.passed > before

    def _drop(self, key: ApiKey, status: int, message: str) -> None:
        self.gate.drop(key)
        left = self.gate.keys_left
        self.warn(
            f"API key {key.number} was refused ({status}: {message}); " + (f"{left} left" if left else "none is left")
        )
        if not left:
            self.stop(str(KeysRefused()))

    def _tell_deprecation(self, answer: Answer) -> None:
        if self._is_deprecation_told:
            return
        self._is_deprecation_told = True
        says = [
            f"{name}: {printable(answer.headers[name])}"
            for name in ("deprecation", "sunset", "link")
            if name in answer.headers
        ]
        self.warn(f"the server announces the end of v1 create ({'; '.join(says)}); look for a newer batcher in time")
