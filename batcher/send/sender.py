"""One spec → one outcome: attempts, and between them finding out what an unclear one did (contract 7 and 9).

slot of the rate → intent on disk → POST → verdict ┬ made                       → created
                                                   ├ refused, nothing unclear   → failed (or adopted)
                                                   ├ braked, unsent, key refused → again, not counted
                                                   └ unclear → back off → GET   ┬ there  → created (reconciled)
                                                                                └ absent → again, same identifier
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import assert_never

import orjson

from ..config import Sending
from ..errors import DiskTrouble
from ..files.journal import Intent
from ..files.ledger import Ledger
from ..files.results import one_line
from ..identity import fill_identifier
from ..keys import ApiKey
from ..models import Created, How, Outcome, Reason, Spec
from ..omni.judge import judge_create
from ..omni.verdicts import Braked, KeyRefused, Made, NoWay, Refused, Unclear, Unsent, Verdict
from ..pace.gate import KeysRefused
from ..transport.reply import Answer, NotSent, Reply
from .reconcile import Reconciler
from .requester import Wire
from .row_progress import Way
from .workers import Crew, backoff_seconds

RATE_LIMITED = 429
TOO_OFTEN_LIMITED = 5  # this many 429s for one row, while others pass, are about the row (contract 8)


@dataclass(slots=True)
class Sender:
    """Turns specs into outcomes. `book` writes an outcome down and tells the world, without waiting."""

    wire: Wire
    ledger: Ledger
    settings: Sending
    crew: Crew
    book: Callable[[Outcome], None]
    random: Random = field(default_factory=Random)
    has_created: bool = False
    reconciler: Reconciler = field(init=False)

    def __post_init__(self) -> None:
        """One reconciler for all rows."""
        self.reconciler = Reconciler(self.wire, self.ledger, self.settings, self.crew, self.random)

    async def send(self, spec: Spec) -> None:
        """Bring one row to its outcome and book it; nothing is booked if it was not attempted or nothing changed."""
        way = self._set_out(spec)
        outcome = None
        try:
            outcome = await self._travel(way)
        except DiskTrouble as trouble:
            self.wire.stop(str(trouble))
        except KeysRefused:
            pass  # the wire has stopped the run already
        finally:
            if outcome is None:
                self._break_off(way)
            else:
                self._book(way, outcome)

    def awaits_person(self, spec: Spec) -> bool:
        """Whether nothing can be asked or sent for this row: an attempt without identifier is unclear, and it says so."""
        history = self.ledger.histories.get(spec.key)
        if history is None or not history.unclear or not history.is_uncertain or self.settings.resend_uncertain:
            return False
        is_named = spec.identifier is not None and self.settings.adopt_existing
        return history.unclear[-1].identifier is None and history.failure is not None and not is_named

    def _set_out(self, spec: Spec) -> Way:
        """Under which identifier (contract 5): an unclear attempt's, the user's, the journal's, or a new one."""
        history = self.ledger.histories.get(spec.key)
        unclear = history.unclear if history is not None else []
        identifier, is_filled = spec.identifier, False
        if unclear:
            identifier, is_filled = unclear[-1].identifier, unclear[-1].is_filled
        elif identifier is None and self.settings.fill_identifiers:
            known = history.identifier if history is not None else None
            undone = history.undone if history is not None else 0
            identifier = known or fill_identifier(spec.name, spec.key, self.settings.namespace, undone)
            is_filled = True
        return Way(spec, identifier, is_filled, with_identifier(spec, identifier))

    async def _travel(self, way: Way) -> Outcome | None:
        reconciler = self.reconciler
        if self.ledger.unclear(way.key):
            is_by_hand = way.spec.identifier is not None and self.settings.adopt_existing
            if way.identifier is None and (is_by_hand or not self.settings.resend_uncertain):
                return await reconciler.settle_unnamed(way)
            if way.identifier is None:
                self._rename_for_resend(way)
            elif (outcome := await reconciler.settle(way)) is not None:
                return outcome
        while True:
            verdict = await self._attempt(way)
            match verdict:
                case Made():
                    return self._created(way, verdict)
                case Refused():
                    return await reconciler.refused(way, verdict)
                case NoWay(message):
                    self.wire.stop(message)
                    return None
                case Braked(status, message):
                    if status == RATE_LIMITED and self._is_row_limited(way):
                        return await reconciler.refused(way, Refused(Reason.RATE_LIMITED, status, message))
                case KeyRefused() | Unsent():
                    pass
                case Unclear():
                    if (outcome := await self._after_unclear(way, verdict)) is not None:
                        return outcome
                case _:
                    assert_never(verdict)

    async def _after_unclear(self, way: Way, verdict: Unclear) -> Outcome | None:
        """None if the row may be sent again: nothing is there, and attempts are left."""
        way.last = verdict
        if not self.wire.outage.is_on:
            way.counted += 1
        if verdict.end is not None:
            self.wire.stop(verdict.end)
            return way.uncertain(self.ledger.run, self.wire.now())
        if way.identifier is None:
            return await self.reconciler.settle_unnamed(way)
        if not self.wire.outage.is_on:  # else its own pauses hold, and no further row shall become unclear meanwhile
            await self.crew.step_aside(backoff_seconds(max(1, way.counted), self.random))
        outcome = await self.reconciler.settle(way)
        if outcome is None and way.counted >= self.settings.max_attempts:
            return way.uncertain(self.ledger.run, self.wire.now())
        return outcome

    def _attempt(self, way: Way) -> Awaitable[Verdict]:
        """One POST: its intent is on disk before it leaves, and what it did is said as soon as it is known."""

        async def prepare() -> None:
            if way.is_intended:  # its slot came to nothing, perhaps an hour ago; an intent tells when a request left
                way.is_intended = False
                self.ledger.take_back(way.spec.key)
            synced = self.ledger.intend(self._intent(way))
            way.is_intended = True
            try:
                await synced
            except DiskTrouble:
                way.is_intended = False
                self.ledger.take_back(way.spec.key)
                raise

        def send(key: ApiKey) -> Awaitable[Reply]:
            way.is_intended = way.is_resend = False
            way.attempts += 1
            return self.wire.omni.create(key, way.body)

        def judge(reply: Reply) -> Verdict:
            way.elapsed_seconds = reply.elapsed_seconds if isinstance(reply, Answer) else 0.0
            if isinstance(reply, NotSent):
                way.attempts -= 1  # an attempt is a POST that left
            verdict = judge_create(reply, is_first=not self.has_created, now=self.wire.now())
            if not isinstance(verdict, (Made, Unclear)):
                self.ledger.clear(way.key)
            return verdict

        return self.wire.exchange(way.spec.key, send, judge, prepare)

    def _intent(self, way: Way) -> Intent:
        spec = way.spec
        return Intent(
            spec.key,
            way.identifier,
            way.is_filled,
            way.attempts + 1,
            self.wire.now(),
            self.ledger.run,
            spec.source,
            spec.line,
            spec.spec_hash,
            way.body,
            way.is_resend,
        )

    def _created(self, way: Way, verdict: Made) -> Created:
        self.has_created = True
        made = verdict.made
        identifier = made.identifier or way.identifier or made.dashboard_id or ""
        if way.identifier is not None and made.identifier is not None and made.identifier != way.identifier:
            self.wire.stop(
                f"{way.spec.place}: the server made {made.identifier!r} although {way.identifier!r} was asked for. "
                "What keeps batcher from creating twice does not hold on this server, so nothing more is sent. "
                "The document is in the results file. To go on without that protection, use --no-fill-identifiers."
            )
        return way.created(
            How.CREATED,
            identifier,
            self.wire.omni.url(identifier),
            self.ledger.run,
            self.wire.now(),
            status=verdict.status,
            dashboard_id=made.dashboard_id,
            workbook_id=made.workbook_id,
            response=one_line(verdict.response),
        )

    def _is_row_limited(self, way: Way) -> bool:
        """Whether 429s keep coming for this row while others pass."""
        if self.wire.passed > way.passed_before or way.limited == 0:
            way.limited += 1
        way.passed_before = self.wire.passed
        return way.limited >= TOO_OFTEN_LIMITED

    def _rename_for_resend(self, way: Way) -> None:
        """The user takes the risk: send it again, this time under an identifier if there is to be one."""
        way.is_resend = True
        way.identifier = way.spec.identifier
        if way.identifier is None and self.settings.fill_identifiers:
            history = self.ledger.histories[way.key]
            way.identifier = fill_identifier(way.spec.name, way.key, self.settings.namespace, history.undone)
            way.is_filled = True
        way.body = with_identifier(way.spec, way.identifier)

    def _break_off(self, way: Way) -> None:
        """The run ends under this row: what is unclear is uncertain, anything else was not attempted."""
        with suppress(DiskTrouble):
            if way.is_intended:  # its intent was written, but the request never left
                way.is_intended = False
                self.ledger.take_back(way.key)
            history = self.ledger.histories.get(way.key)
            if history is not None and history.is_open and (way.attempts or history.failure is None):
                self._book(way, way.uncertain(self.ledger.run, self.wire.now()))

    def _book(self, way: Way, outcome: Outcome) -> None:
        try:
            self.book(outcome)
        except DiskTrouble as trouble:
            self.wire.stop(str(trouble))
            if isinstance(outcome, Created):
                self._book_unwritten(way, outcome.identifier)

    def _book_unwritten(self, way: Way, identifier: str) -> None:
        """Created, but the results file does not take it: uncertain, as far as the journal takes that."""
        said = f"created as {identifier}, but that could not be written down; the next run finds it again"
        self.wire.warn(f"{way.spec.place}: {said}")
        with suppress(DiskTrouble):
            self.book(way.uncertain(self.ledger.run, self.wire.now(), message=said))


def with_identifier(spec: Spec, identifier: str | None) -> bytes:
    """The body to send."""
    if identifier == spec.identifier:
        return spec.body
    if spec.identifier is None and identifier is not None:
        return spec.body[:-1] + b',"identifier":"' + identifier.encode() + b'"}'
    fields = orjson.loads(spec.body)
    fields.pop("identifier", None)
    return orjson.dumps(fields if identifier is None else fields | {"identifier": identifier})
