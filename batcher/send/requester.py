"""Requests at the pace: each takes its slot of the rate, and brakes, refused keys and outages are dealt with here.

    async with requester.permit(row) as permit:   # waits for outage, brake and slot
        if permit.is_open and permit.start():     # False: ask for another permit
            reply = await permit.send(request)
            permit.learn(reply, verdict)          # brake, outage and keys

Everything that batcher asks of the server passes here: creates as above, with their intent before `start`; look-ups,
preflight, undo and verify by `ask`, which does the same for one question.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import anyio
import anyio.lowlevel

from ..keys import ApiKey
from ..omni.api import Api, Question, Request, V
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
from ..transport.reply import Answer, Cause, Reply, Transport
from .drain import Drain, End
from .limited_rows import LimitedRows
from .outage import Outage

SERVER_ERRORS = 500


class Requester:
    """What all requests of a run share. `warn` takes messages for the user."""

    def __init__(
        self,
        api: Api,
        transport: Transport,
        gate: Gate,
        drain: Drain,
        *,
        give_up_after_seconds: float,
        warn: Callable[[str], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.api = api
        self.transport = transport
        self.gate = gate
        self.drain = drain
        self.now = now
        self.warn = warn
        self.outage = Outage(give_up_after_seconds, self.stop)
        self.limited = LimitedRows()
        self.requests = 0
        self.in_flight = 0
        self._give_up_after_seconds = give_up_after_seconds
        self._braked_since: float | None = None  # when the server began to answer nothing but 429 and 503
        self._has_answer = False
        self._is_deprecation_told = False

    @asynccontextmanager
    async def permit(self, row: str) -> AsyncIterator[Permit]:
        """Wait for outage, brake and slot: then one request may be sent in the block, which only `Drain.abort` cuts off.

        `row` tells troubles of one row from troubles of several. Raises KeysRefused with the last key gone.
        """
        is_probe = await self.outage.enter()
        slot: Slot | None = None
        try:
            slot = await self._slot()
            with self.drain.in_flight():
                yield Permit(self, row, slot, is_probe=is_probe)
            if slot.started_at is None:  # braked meanwhile, or draining: then this is where it ends
                slot.give_back()
                await anyio.lowlevel.checkpoint()
        finally:
            if slot is not None:
                slot.give_back()  # does nothing once it was started
            if is_probe:
                self.outage.leave()

    async def _slot(self) -> Slot:
        try:
            return await self.gate.slot()
        except KeysRefused as refused:
            self.stop(str(refused))
            await anyio.lowlevel.checkpoint()
            raise

    async def ask(self, row: str, question: Question[V]) -> V:
        """One question and what the reply to it means. Raises KeysRefused with the last key gone."""
        return (await self.ask_with_key(row, question))[1]

    async def ask_with_key(self, row: str, question: Question[V]) -> tuple[ApiKey, V]:
        """As `ask`, and with which key it was asked."""
        while True:
            async with self.permit(row) as permit:
                if permit.is_open and permit.start():
                    reply = await permit.send(question.request)
                    verdict = question.judge(reply, self.now())
                    permit.learn(reply, verdict)
                    return permit.key, verdict

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

    def learn(self, row: str, slot: Slot, reply: Reply, verdict: Verdict | Look, *, is_probe: bool) -> None:
        """Let gate and outage know what came back."""
        match verdict:
            case Made() | Refused() | There() | Absent() | EndpointUnusable():
                self.outage.good()
            case Braked(status=status, retry_after_seconds=seconds):
                is_rate = status == 429 and not self.limited.add(row)
                self.gate.brake(slot.key, seconds, slot=slot, limited=is_rate)
                self._has_answer = True
                self._stop_if_braked_for_long(status)
                return
            case KeyRefused(status, message):
                self._drop(slot.key, status, message)
            case Unsent(cause, message):
                if cause is Cause.DNS and not self._has_answer:
                    self.stop(f"{message}. Check --base-url or --instance, and this machine's network.")
                self.outage.bad(row, message, is_certain=True, is_probe=is_probe)
                return
            case Unclear(status=status, message=message) | Unknown(status=status, message=message):
                if verdict.is_outage or (self.outage.is_on and (status or SERVER_ERRORS) >= SERVER_ERRORS):
                    what = message if status is None else f"HTTP {status}"
                    self.outage.bad(row, what, is_certain=False, is_probe=is_probe)
                    return
        if isinstance(reply, Answer):
            self._pass(row, slot.key, reply)

    def _pass(self, row: str, key: ApiKey, answer: Answer) -> None:
        self._has_answer = True
        self._braked_since = None
        self.limited.passes(row)
        self.gate.passed(key)
        if "deprecation" in answer.headers or "sunset" in answer.headers:
            self._warn_of_deprecation(answer)

    def _stop_if_braked_for_long(self, status: int) -> None:
        """Nothing but 429 and 503 for too long: then waiting on would never end."""
        now = anyio.current_time()
        if self._braked_since is None:
            self._braked_since = now
        elif now - self._braked_since >= self._give_up_after_seconds:
            self.stop(
                f"the server has answered nothing but {status} for {now - self._braked_since:.0f} s. Run the same command "
                "again later; run and undo wait as long as --give-up-after says. If it is always the same row, look at that row."
            )

    def _drop(self, key: ApiKey, status: int, message: str) -> None:
        self.gate.drop(key)
        left = self.gate.keys_left
        self.warn(
            f"API key {key.number} was refused ({status}: {message}); " + (f"{left} left" if left else "none is left")
        )
        if not left:
            self.stop(str(KeysRefused()))

    def _warn_of_deprecation(self, answer: Answer) -> None:
        if self._is_deprecation_told:
            return
        self._is_deprecation_told = True
        announced = [
            f"{name}: {printable(answer.headers[name])}"
            for name in ("deprecation", "sunset", "link")
            if name in answer.headers
        ]
        self.warn(
            f"the server announces the end of v1 create ({'; '.join(announced)}); look for a newer batcher in time"
        )


class Permit:
    """Leave to send one request: a slot of one key's rate. `start` it, then `send`, then say what came of it by `learn`."""

    __slots__ = ("_is_probe", "_requester", "_row", "_slot", "key")

    def __init__(self, requester: Requester, row: str, slot: Slot, *, is_probe: bool) -> None:
        self.key = slot.key
        self._requester = requester
        self._row = row
        self._slot = slot
        self._is_probe = is_probe

    @property
    def is_open(self) -> bool:
        """Whether a request may still leave: no drain has begun, and no outage that this one isn't to probe."""
        requester = self._requester
        return not requester.drain.is_on and (self._is_probe or not requester.outage.is_on)

    def start(self) -> bool:
        """Call right before the request leaves. False: it may not, since a drain or the brake came first."""
        return not self._requester.drain.is_on and self._slot.start()

    async def send(self, request: Request) -> Reply:
        """Send it, and wait for what comes back."""
        requester = self._requester
        requester.requests += 1
        requester.in_flight += 1
        try:
            return await requester.transport.request(
                request.method, request.path, self.key, request.body, request.query
            )
        finally:
            requester.in_flight -= 1

    def learn(self, reply: Reply, verdict: Verdict | Look) -> None:
        """Let the brake, the outage and the keys know what came back."""
        self._requester.learn(self._row, self._slot, reply, verdict, is_probe=self._is_probe)
