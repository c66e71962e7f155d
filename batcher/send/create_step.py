"""The step that brings a row's document into being (contract 7 and 9).

slot of the rate → intent on disk → POST → verdict ┬ made                       → created
                                                   ├ refused, nothing unclear   → failed (or adopted)
                                                   ├ braked, unsent, key refused → again, not counted
                                                   └ unclear → back off → GET   ┬ there  → created (reconciled)
                                                                                └ absent → again, same identifier
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from ..config import Sending
from ..errors import DiskTrouble
from ..files.journal_lines import Intent
from ..files.ledger import Ledger
from ..files.results import one_line
from ..models import Created, How, Outcome, Reason
from ..omni.verdicts import Braked, EndpointUnusable, KeyRefused, Made, Refused, Unclear, Unsent, Verdict
from ..transport.reply import Answer, NotSent, Reply
from .reconcile import Reconciler
from .requester import Requester
from .row_progress import RowProgress
from .settle_rules import SendAgain
from .workers import WorkerPool

RATE_LIMITED = 429


@dataclass(slots=True)
class CreateStep:
    """Creates documents, one row at a time for each worker. `has_created`: one was, so the address is right."""

    requester: Requester
    ledger: Ledger
    settings: Sending
    pool: WorkerPool
    reconciler: Reconciler
    has_created: bool = False

    async def take(self, progress: RowProgress) -> Outcome | None:
        """Settle what earlier runs left unclear, then send until the verdict is clear. None: nothing new is known."""
        if self.ledger.unclear(progress.key):
            earlier = await self._settle_earlier(progress)
            if not isinstance(earlier, SendAgain):
                return earlier
        while True:
            verdict = await self._attempt(progress)
            match verdict:
                case Made():
                    return self._created(progress, verdict)
                case Refused():
                    return await self.reconciler.refused(progress, verdict)
                case EndpointUnusable(message):
                    self.requester.stop(message)
                    return None
                case Braked(status, message):
                    if status == RATE_LIMITED and self.requester.limited.is_hopeless(progress.key):
                        return await self.reconciler.refused(progress, Refused(Reason.RATE_LIMITED, status, message))
                case KeyRefused() | Unsent():
                    pass
                case Unclear():
                    settled = await self._settle(progress, verdict)
                    if not isinstance(settled, SendAgain):
                        return settled
                case _:
                    assert_never(verdict)

    async def _settle_earlier(self, progress: RowProgress) -> Outcome | SendAgain | None:
        if progress.identifier is not None:
            return await self.reconciler.settle(progress)
        is_by_hand = progress.spec.identifier is not None and self.settings.adopt_existing
        if is_by_hand or not self.settings.resend_uncertain:
            return await self.reconciler.settle_unnamed(progress)
        progress.rename_for_resend(self.ledger.history_of(progress.key), self.settings, self.requester.api)
        return SendAgain()

    async def _settle(self, progress: RowProgress, verdict: Unclear) -> Outcome | SendAgain | None:
        """After an unclear attempt. It's sent again if nothing is there, and attempts are left."""
        progress.last = verdict
        is_outage = self.requester.outage.is_on
        progress.counted += not is_outage
        if verdict.end is not None:
            self.requester.stop(verdict.end)
            return progress.uncertain(self.ledger.run, self.requester.now())
        if progress.identifier is None:
            return await self.reconciler.settle_unnamed(progress)
        if not is_outage:  # else its own pauses hold, and no further row shall become unclear meanwhile
            await self.pool.back_off(max(1, progress.counted))
        settled = await self.reconciler.settle(progress)
        if isinstance(settled, SendAgain) and progress.counted >= self.settings.max_attempts:
            return progress.uncertain(self.ledger.run, self.requester.now())
        return settled

    async def _attempt(self, progress: RowProgress) -> Verdict:
        """One POST: its intent is on disk before it leaves, and only if it has its slot of the rate."""
        requester, api = self.requester, self.requester.api
        while True:
            async with requester.permit(progress.key) as permit:
                if permit.is_open:
                    await self._intend(progress)
                    if permit.start():
                        progress.is_intended = progress.is_resend = False
                        progress.attempts += 1
                        reply = await permit.send(api.create(progress.body))
                        verdict = api.judge_create(reply, is_first=not self.has_created, now=requester.now())
                        permit.learn(reply, verdict)
                        self._note(progress, reply, verdict)
                        return verdict

    def _note(self, progress: RowProgress, reply: Reply, verdict: Verdict) -> None:
        """What the journal and the row must know of it, whatever comes next."""
        progress.elapsed_seconds = reply.elapsed_seconds if isinstance(reply, Answer) else 0.0
        if isinstance(reply, NotSent):
            progress.attempts -= 1  # an attempt is a POST that left
        if not isinstance(verdict, (Made, Unclear)):
            self.ledger.clear(progress.key)

    async def _intend(self, progress: RowProgress) -> None:
        """Write the intent, and wait for the disk. What it wrote before is taken back: its slot came to nothing."""
        if progress.is_intended:  # perhaps an hour ago; an intent tells when a request left
            progress.is_intended = False
            self.ledger.take_back(progress.key)
        synced = self.ledger.intend(self._intent(progress))
        progress.is_intended = True
        try:
            await synced
        except DiskTrouble:
            progress.is_intended = False
            self.ledger.take_back(progress.key)
            raise

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

    def _created(self, progress: RowProgress, made: Made) -> Created:
        self.has_created = True
        asked_for = progress.identifier
        identifier = made.identifier or asked_for or made.dashboard_id or ""
        if asked_for is not None and made.identifier not in (None, asked_for):
            self.requester.stop(
                f"{progress.spec.place}: the server made {made.identifier!r} although {asked_for!r} was asked for. "
                "What keeps batcher from creating twice does not hold on this server, so nothing more is sent. "
                "The document is in the results file. To go on without that protection, use --no-fill-identifiers."
            )
        return progress.created(
            How.CREATED,
            identifier,
            self.requester.api.url(identifier),
            self.ledger.run,
            self.requester.now(),
            status=made.status,
            dashboard_id=made.dashboard_id,
            workbook_id=made.workbook_id,
            response=one_line(made.response),
        )
