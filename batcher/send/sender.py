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
from ..files.journal_lines import Intent
from ..files.ledger import Ledger
from ..files.results import one_line
from ..identity import fill_identifier
from ..keys import ApiKey
from ..models import Created, How, Outcome, Reason, Spec
from ..omni.judge import judge_create
from ..omni.verdicts import Braked, EndpointUnusable, KeyRefused, Made, Refused, Unclear, Unsent, Verdict
from ..pace.gate import KeysRefused
from ..transport.reply import Answer, NotSent, Reply
from .reconcile import Reconciler
from .requester import Requester
from .row_progress import RowProgress
from .workers import WorkerPool, backoff_seconds

RATE_LIMITED = 429
TOO_OFTEN_LIMITED = 5  # this many 429s for one row, while others pass, are about the row (contract 8)


@dataclass(slots=True)
class Sender:
    """Turns specs into outcomes. `book` writes an outcome down and tells the world, without waiting."""

    requester: Requester
    ledger: Ledger
    settings: Sending
    pool: WorkerPool
    book: Callable[[Outcome], None]
    random: Random = field(default_factory=Random)
    has_created: bool = False
    reconciler: Reconciler = field(init=False)

    def __post_init__(self) -> None:
        """One reconciler for all rows."""
        self.reconciler = Reconciler(self.requester, self.ledger, self.settings, self.pool, self.random)

    async def send(self, spec: Spec) -> None:
        """Bring one row to its outcome and book it; nothing is booked if it was not attempted or nothing changed."""
        progress = self._set_out(spec)
        outcome = None
        try:
            outcome = await self._travel(progress)
        except DiskTrouble as trouble:
            self.requester.stop(str(trouble))
        except KeysRefused:
            pass  # the requester has stopped the run already
        finally:
            if outcome is None:
                self._break_off(progress)
            else:
                self._book(progress, outcome)

    def awaits_person(self, spec: Spec) -> bool:
        """Whether nothing can be asked or sent for this row: an attempt without identifier is unclear, and it says so."""
        history = self.ledger.history_of(spec.key)
        if not history.unclear or not history.is_uncertain or self.settings.resend_uncertain:
            return False
        is_named = spec.identifier is not None and self.settings.adopt_existing
        return history.unclear[-1].identifier is None and history.failure is not None and not is_named

    def _set_out(self, spec: Spec) -> RowProgress:
        """Under which identifier (contract 5): an unclear attempt's, the user's, the journal's, or a new one."""
        history = self.ledger.history_of(spec.key)
        identifier, is_filled = spec.identifier, False
        if history.unclear:
            identifier, is_filled = history.unclear[-1].identifier, history.unclear[-1].is_filled
        elif identifier is None and self.settings.fill_identifiers:
            identifier = history.identifier or fill_identifier(
                spec.name, spec.key, self.settings.namespace, history.undone
            )
            is_filled = True
        return RowProgress(spec, identifier, is_filled, with_identifier(spec, identifier))

    async def _travel(self, progress: RowProgress) -> Outcome | None:
        reconciler = self.reconciler
        if self.ledger.unclear(progress.key):
            is_by_hand = progress.spec.identifier is not None and self.settings.adopt_existing
            if progress.identifier is None and (is_by_hand or not self.settings.resend_uncertain):
                return await reconciler.settle_unnamed(progress)
            if progress.identifier is None:
                self._rename_for_resend(progress)
            elif (outcome := await reconciler.settle(progress)) is not None:
                return outcome
        while True:
            verdict = await self._attempt(progress)
            match verdict:
                case Made():
                    return self._created(progress, verdict)
                case Refused():
                    return await reconciler.refused(progress, verdict)
                case EndpointUnusable(message):
                    self.requester.stop(message)
                    return None
                case Braked(status, message):
                    if status == RATE_LIMITED and self._is_row_limited(progress):
                        return await reconciler.refused(progress, Refused(Reason.RATE_LIMITED, status, message))
                case KeyRefused() | Unsent():
                    pass
                case Unclear():
                    if (outcome := await self._after_unclear(progress, verdict)) is not None:
                        return outcome
                case _:
                    assert_never(verdict)

    async def _after_unclear(self, progress: RowProgress, verdict: Unclear) -> Outcome | None:
        """None if the row may be sent again: nothing is there, and attempts are left."""
        progress.last = verdict
        if not self.requester.outage.is_on:
            progress.counted += 1
        if verdict.end is not None:
            self.requester.stop(verdict.end)
            return progress.uncertain(self.ledger.run, self.requester.now())
        if progress.identifier is None:
            return await self.reconciler.settle_unnamed(progress)
        if (
            not self.requester.outage.is_on
        ):  # else its own pauses hold, and no further row shall become unclear meanwhile
            await self.pool.wait_without_slot(backoff_seconds(max(1, progress.counted), self.random))
        outcome = await self.reconciler.settle(progress)
        if outcome is None and progress.counted >= self.settings.max_attempts:
            return progress.uncertain(self.ledger.run, self.requester.now())
        return outcome

    def _attempt(self, progress: RowProgress) -> Awaitable[Verdict]:
        """One POST: its intent is on disk before it leaves, and what it did is said as soon as it is known."""

        async def prepare() -> None:
            if (
                progress.is_intended
            ):  # its slot came to nothing, perhaps an hour ago; an intent tells when a request left
                progress.is_intended = False
                self.ledger.take_back(progress.spec.key)
            synced = self.ledger.intend(self._intent(progress))
            progress.is_intended = True
            try:
                await synced
            except DiskTrouble:
                progress.is_intended = False
                self.ledger.take_back(progress.spec.key)
                raise

        def send(key: ApiKey) -> Awaitable[Reply]:
            progress.is_intended = progress.is_resend = False
            progress.attempts += 1
            return self.requester.omni.create(key, progress.body)

        def judge(reply: Reply) -> Verdict:
            progress.elapsed_seconds = reply.elapsed_seconds if isinstance(reply, Answer) else 0.0
            if isinstance(reply, NotSent):
                progress.attempts -= 1  # an attempt is a POST that left
            verdict = judge_create(reply, is_first=not self.has_created, now=self.requester.now())
            if not isinstance(verdict, (Made, Unclear)):
                self.ledger.clear(progress.key)
            return verdict

        return self.requester.request(progress.spec.key, send, judge, prepare)

    def _intent(self, progress: RowProgress) -> Intent:
        spec = progress.spec
        return Intent(
            spec.key,
            progress.identifier,
            progress.is_filled,
            progress.attempts + 1,
            self.requester.now(),
            self.ledger.run,
            spec.source,
            spec.line,
            spec.spec_hash,
            progress.body,
            progress.is_resend,
        )

    def _created(self, progress: RowProgress, verdict: Made) -> Created:
        self.has_created = True
        made = verdict.made
        identifier = made.identifier or progress.identifier or made.dashboard_id or ""
        if progress.identifier is not None and made.identifier is not None and made.identifier != progress.identifier:
            self.requester.stop(
                f"{progress.spec.place}: the server made {made.identifier!r} although {progress.identifier!r} was asked for. "
                "What keeps batcher from creating twice does not hold on this server, so nothing more is sent. "
                "The document is in the results file. To go on without that protection, use --no-fill-identifiers."
            )
        return progress.created(
            How.CREATED,
            identifier,
            self.requester.omni.url(identifier),
            self.ledger.run,
            self.requester.now(),
            status=verdict.status,
            dashboard_id=made.dashboard_id,
            workbook_id=made.workbook_id,
            response=one_line(verdict.response),
        )

    def _is_row_limited(self, progress: RowProgress) -> bool:
        """Whether 429s keep coming for this row while others pass."""
        if self.requester.passed > progress.passed_before or progress.limited == 0:
            progress.limited += 1
        progress.passed_before = self.requester.passed
        return progress.limited >= TOO_OFTEN_LIMITED

    def _rename_for_resend(self, progress: RowProgress) -> None:
        """The user takes the risk: send it again, this time under an identifier if there is to be one."""
        progress.is_resend = True
        progress.identifier = progress.spec.identifier
        if progress.identifier is None and self.settings.fill_identifiers:
            history = self.ledger.history_of(progress.key)
            progress.identifier = fill_identifier(
                progress.spec.name, progress.key, self.settings.namespace, history.undone
            )
            progress.is_filled = True
        progress.body = with_identifier(progress.spec, progress.identifier)

    def _break_off(self, progress: RowProgress) -> None:
        """The run ends under this row: what is unclear is uncertain, anything else was not attempted."""
        with suppress(DiskTrouble):
            if progress.is_intended:  # its intent was written, but the request never left
                progress.is_intended = False
                self.ledger.take_back(progress.key)
            history = self.ledger.history_of(progress.key)
            if history.is_open and (progress.attempts or history.failure is None):
                self._book(progress, progress.uncertain(self.ledger.run, self.requester.now()))

    def _book(self, progress: RowProgress, outcome: Outcome) -> None:
        try:
            self.book(outcome)
        except DiskTrouble as trouble:
            self.requester.stop(str(trouble))
            if isinstance(outcome, Created):
                self._book_unwritten(progress, outcome.identifier)

    def _book_unwritten(self, progress: RowProgress, identifier: str) -> None:
        """Created, but the results file does not take it: uncertain, as far as the journal takes that."""
        said = f"created as {identifier}, but that could not be written down; the next run finds it again"
        self.requester.warn(f"{progress.spec.place}: {said}")
        with suppress(DiskTrouble):
            self.book(progress.uncertain(self.ledger.run, self.requester.now(), message=said))


def with_identifier(spec: Spec, identifier: str | None) -> bytes:
    """The body to send."""
    if identifier == spec.identifier:
        return spec.body
    if spec.identifier is None and identifier is not None:
        return spec.body[:-1] + b',"identifier":"' + identifier.encode() + b'"}'
    fields = orjson.loads(spec.body)
    fields.pop("identifier", None)
    return orjson.dumps(fields if identifier is None else fields | {"identifier": identifier})
