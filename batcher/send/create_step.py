"""The step that brings a row's document into being (contract 7 and 9).

slot of the rate → intent on disk → POST → verdict ┬ made                       → created
                                                   ├ refused, nothing unclear   → failed (or adopted)
                                                   ├ braked, unsent, key refused → again, not counted
                                                   └ unclear → back off → GET   ┬ there  → created (reconciled)
                                                                                └ absent → again, same identifier
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

import anyio

from ..config import Sending
from ..files.journal_lines import Intent
from ..files.ledger import Ledger
from ..models import Created, How, Outcome
from ..omni.verdicts import Braked, EndpointUnusable, KeyRefused, Made, Refused, Unclear, Unsent
from ..reasons import Reason
from ..transport.reply import Answer, NotSent
from .reconcile import Reconciler
from .requester import RATE_LIMITED, Requester
from .row_progress import RowProgress
from .settle_rules import SendAgain
from .workers import WorkerPool

RENAMED = (
    "{place}: the server made {made!r} although {asked_for!r} was asked for. "
    "What keeps batcher from creating twice does not hold on this server, so nothing more is sent. "
    "The document is in the results file. To go on without that protection, use --no-fill-identifiers."
)

NotMade = Refused | Braked | KeyRefused | EndpointUnusable | Unsent | Unclear


@dataclass(slots=True)
class CreateStep:
    """Creates documents, one row at a time for each worker. `has_created`: one was, so the address is right."""

    requester: Requester
    ledger: Ledger
    settings: Sending
    pool: WorkerPool
    reconciler: Reconciler
    has_created: bool = False

    async def take(self, progress: RowProgress, flight: anyio.CancelScope) -> Outcome | None:
        """Settle what earlier runs left unclear, then send until the verdict is clear. None: nothing new is known."""
        settled = await self._settle_earlier(progress) if progress.history.unclear else SendAgain()
        while isinstance(settled, SendAgain):
            attempted = await self._attempt(progress, flight)
            if isinstance(attempted, Created):
                return attempted
            settled = await self._settle(progress, attempted)
        return settled

    async def _settle_earlier(self, progress: RowProgress) -> Outcome | SendAgain | None:
        if progress.identifier is not None:
            return await self.reconciler.settle(progress)
        is_by_hand = progress.spec.identifier is not None and self.settings.adopt_existing
        if is_by_hand or not self.settings.resend_uncertain:
            return await self.reconciler.settle_unnamed(progress)
        progress.rename_for_resend(self.settings, self.requester.api, self.ledger.header)
        return SendAgain()

    async def _settle(self, progress: RowProgress, verdict: NotMade) -> Outcome | SendAgain | None:
        """What an attempt that made nothing, or perhaps something, leads to."""
        match verdict:
            case Unclear():
                return await self._settle_unclear(progress, verdict)
            case Refused():
                return await self.reconciler.refused(progress, verdict)
            case EndpointUnusable(message):
                self.requester.stop(message)
                return None
            case Braked(status, message):
                if status == RATE_LIMITED and self.requester.limited.is_hopeless(progress.key):
                    return await self.reconciler.refused(progress, Refused(Reason.RATE_LIMITED, status, message))
                return SendAgain()
            case KeyRefused() | Unsent():
                return SendAgain()
            case _:
                assert_never(verdict)

    async def _settle_unclear(self, progress: RowProgress, verdict: Unclear) -> Outcome | SendAgain | None:
        """It's sent again if nothing is there, and attempts are left."""
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

    async def _attempt(self, progress: RowProgress, flight: anyio.CancelScope) -> Created | NotMade:
        """One POST: its intent is on disk before it leaves, and only if it has its slot of the rate."""
        requester, api = self.requester, self.requester.api
        while True:
            with await requester.permit(progress.spec.key) as permit:
                await self._intend(progress)
                reply = await permit.send(api.create(progress.body), flight, progress.leaves)
                if reply is None:
                    continue
                now = requester.now()
                verdict = api.judge_create(reply, is_first=not self.has_created, now=now)
                requester.learn(permit, reply, verdict)
            progress.elapsed_seconds = reply.elapsed_seconds if isinstance(reply, Answer) else 0.0
            if isinstance(verdict, Made):
                return self._created(progress, verdict, now)
            if isinstance(reply, NotSent):
                progress.take_back_intent(self.ledger)
            elif not isinstance(verdict, Unclear):
                self.ledger.clear(progress.spec.key)
            return verdict

    def _intend(self, progress: RowProgress) -> Awaitable[None]:
        """Write the intent. To be awaited: then it is on disk. One whose slot came to nothing is taken back first."""
        spec = progress.spec
        if progress.is_intended:  # perhaps an hour ago; an intent tells when a request left
            progress.take_back_intent(self.ledger)
        intent = Intent(
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
        synced = self.ledger.intend(intent)
        progress.is_intended = True  # until it leaves; the sender takes it back if it never does
        return synced

    def _created(self, progress: RowProgress, made: Made, now: datetime) -> Created:
        self.has_created = True
        asked_for = progress.identifier
        identifier = made.identifier or asked_for or made.dashboard_id or ""
        if asked_for is not None and made.identifier not in (None, asked_for):
            self.requester.stop(RENAMED.format(place=progress.spec.place, made=made.identifier, asked_for=asked_for))
        return progress.created(
            How.CREATED,
            identifier,
            self.requester.api.url(identifier),
            self.ledger.run,
            now,
            status=made.status,
            dashboard_id=made.dashboard_id,
            workbook_id=made.workbook_id,
            response=made.response,
        )
