"""Requests at the pace: each takes its slot of the rate, and brakes, refused keys and outages are dealt with here.

    with await requester.permit(row) as permit:     # waits for outage, brake and slot
        reply = await permit.send(request, flight)  # None: ask for another permit
        if reply is not None:
            requester.learn(permit, reply, verdict) # brake, outage and keys

Everything that is asked of the server passes here: creates as above, with their intent before `send`; all else by `ask`.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import anyio
import anyio.lowlevel

from ..api_keys import ApiKey
from ..errors import StopReason
from ..models import ApiVersion
from ..omni.api import Api, Question, Request, V
from ..omni.verdicts import (
    Absent,
    Blocked,
    Braked,
    EndpointUnusable,
    KeyDoubted,
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
from ..transport.reply import HELD, Answer, Cause, Lost, NotSent, Reply, Transport
from .announced_end import AnnouncedEnd
from .drain import Drain
from .hopeless import Hopeless
from .outage import Outage
from .rate_limited_rows import LimitedRows

RATE_LIMITED, SERVER_ERRORS = 429, 500


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
        self.hopeless = Hopeless(give_up_after_seconds, self.stop)
        self.requests = 0
        self.is_proven = False  # an answer has shown that the base URL is Omni's
        self.gone: set[ApiVersion] = set()  # versions whose documents can't be read here any more
        self.proves_nothing: set[tuple[ApiVersion, int]] = set()  # answers to any look-up whatever (see look_up.py)
        self._end = AnnouncedEnd(api.version, warn)

    async def permit(self, row: str) -> Permit:
        """Wait for outage, brake and slot: then one request may be sent, in a `with` block of the permit.

        `row` tells troubles of one row from troubles of several. Raises KeysRefused with the last key gone.
        """
        while True:
            is_probe = self.outage.is_on and await self.outage.enter()
            try:
                permit = Permit(self, row, await self.gate.slot(), is_probe)
            except BaseException as error:
                if is_probe:
                    self.outage.leave()
                if isinstance(error, KeysRefused):
                    self.stop(str(error), error.stop_reason)
                    await anyio.lowlevel.checkpoint()  # inside `Drain.waits`, this ends here
                raise
            if not self.drain.is_on and (is_probe or not self.outage.is_on):
                return permit
            with permit:  # a drain or an outage came first: it isn't used
                await anyio.lowlevel.checkpoint()

    async def ask(self, row: str, question: Question[V]) -> V:
        """One question and what the reply to it means. Raises KeysRefused with the last key gone."""
        return (await self.ask_with_key(row, question))[1]

    async def ask_with_key(
        self, row: str, question: Question[V], before: Callable[[], Awaitable[None]] | None = None
    ) -> tuple[ApiKey, V]:
        """As `ask`, and with which key it was asked. `before` is awaited once there is a slot for it."""
        while True:
            with await self.permit(row) as permit, anyio.CancelScope() as flight:
                if before is not None:
                    await before()
                reply = await permit.send(question.request, flight)
                if reply is not None:
                    verdict = question.judge(reply, self.now())
                    self.learn(permit, reply, verdict)
                    return permit.slot.key, verdict

    def stop(self, message: str, stop_reason: StopReason) -> None:
        """End the run: nothing more is sent."""
        self.drain.stop(message, stop_reason)

    @property
    def in_flight(self) -> int:
        """Requests without an answer yet."""
        return len(self.drain.flights)

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

    def learn(self, permit: Permit, reply: Reply, verdict: Verdict | Look) -> None:
        """Let brake, outage and keys know what came back."""
        match verdict:
            case Blocked():  # no word of the server's
                return
            case Made() | Refused() | There() | Absent() | EndpointUnusable() | KeyDoubted():
                if self.outage.troubled:
                    self.outage.good()
            case Braked():
                self._brake(permit, verdict)
                return
            case Unsent():
                self._miss(permit, verdict)
                return
            case KeyRefused():
                self.drop(permit.slot.key, verdict)
            case Unclear() | Unknown():
                if self._is_outage(verdict):
                    what = verdict.message if verdict.status is None else f"HTTP {verdict.status}"
                    self.outage.bad(permit.row, what, is_certain=False, is_probe=permit.is_probe)
                    return
        if isinstance(reply, Answer):
            self._pass(permit, reply)
        elif isinstance(reply, Lost) and reply.cause is Cause.UNREADABLE:
            self.hopeless.unreadable(reply)

    def _miss(self, permit: Permit, unsent: Unsent) -> None:
        """The server was not reached."""
        if unsent.cause is Cause.DNS and not self.hopeless.has_answer:
            check = "Check --base-url or --instance, and this machine's network."
            self.stop(f"{unsent.message}. {check}", StopReason.UNREACHABLE)
        self.outage.bad(permit.row, unsent.message, is_certain=True, is_probe=permit.is_probe)

    def _is_outage(self, verdict: Unclear | Unknown) -> bool:
        """Whether the server is to blame: by the kind of trouble, or, while an outage is on, by any that may be its own."""
        return verdict.is_outage or (self.outage.is_on and (verdict.status or SERVER_ERRORS) >= SERVER_ERRORS)

    def _brake(self, permit: Permit, braked: Braked) -> None:
        is_rate = braked.status == RATE_LIMITED and not self.limited.add(permit.row)
        self.gate.brake(permit.slot.key, braked.retry_after_seconds, slot=permit.slot, limited=is_rate)
        self.hopeless.braked(braked.status)

    def _pass(self, permit: Permit, answer: Answer) -> None:
        self.hopeless.passed()
        self.limited.passes(permit.row)
        self.gate.passed(permit.slot.key, slot=permit.slot)
        if "deprecation" in answer.headers or "sunset" in answer.headers:
            self._end.meet(permit.path, answer.headers)

    def drop(self, key: ApiKey, refused: KeyRefused) -> None:
        """The server refuses this key: nothing starts with it any more."""
        self.gate.drop(key)
        left = self.gate.keys_left
        rest = f"{left} left" if left else "none is left"
        self.warn(f"API key {key.number} was refused ({refused.status}: {refused.message}); {rest}")
        if not left:
            self.stop(str(KeysRefused()), StopReason.KEY_REFUSED)


@dataclass(slots=True)
class Permit:
    """Leave to send one request: a slot of one key's rate. `send` starts it; the block's end gives back the rest."""

    requester: Requester
    row: str
    slot: Slot
    is_probe: bool
    path: str = ""  # of the request that was sent with it

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.slot.started_at is None:
            self.slot.give_back()
        if self.is_probe:
            self.requester.outage.leave()

    async def send(
        self, request: Request, flight: anyio.CancelScope, leaves: Callable[[], None] = lambda: None
    ) -> Reply | None:
        """Send it, and wait for what comes back; None if a drain or the brake came before there was a connection.

        `leaves` is called when the request does; from then on a drain doesn't touch it, only `Drain.abort` cuts it off.
        `flight` is an open scope around this, which one request after the other may use: entering one costs 6 µs.
        """
        requester = self.requester
        self.path = request.path

        def start() -> bool:
            if requester.drain.is_on or not self.slot.start():
                return False
            requester.requests += 1
            requester.drain.take_off(flight)
            leaves()
            return True

        try:
            reply = await requester.transport.request(
                request.method, request.path, self.slot.key, request.body, request.query, start=start
            )
        finally:
            requester.drain.land(flight)
        if reply is HELD:
            return None
        requester.requests += isinstance(reply, NotSent)  # an attempt to reach the server counts as one, too
        return reply
