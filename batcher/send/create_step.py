"""The step that brings a row's document into being (contract 7 and 9).

slot of the rate → intent on disk → POST → verdict ┬ made                       → created
                                                   ├ refused, nothing unclear   → failed (or adopted)
                                                   ├ braked, unsent, key refused → again, not counted
                                                   ├ blocked by a firewall      → last, then failed
                                                   └ unclear → back off → GET   ┬ there  → created (reconciled)
                                                                                └ absent → again, same identifier
"""

from __future__ import annotations

import math
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

import anyio

from ..config import Sending
from ..errors import StopReason
from ..files.journal_lines import Intent
from ..files.ledger import Ledger
from ..models import Created, How, Outcome
from ..omni.verdicts import (
    Blocked,
    Braked,
    EndpointUnusable,
    KeyDoubted,
    KeyRefused,
    Made,
    Refused,
    Unclear,
    Unsent,
)
from ..placement import NO_PLACEMENT, steps_of
from ..reasons import STEP_HINTS, Reason
from ..transport.reply import Answer, NotSent
from .firewall import Firewall
from .key_doubts import KeyDoubts
from .misnamed import Misnamed, Misnaming
from .places import Places
from .reconcile import Reconciler
from .requester import RATE_LIMITED, Requester
from .row_progress import RowProgress
from .settle_rules import SendAgain
from .workers import WorkerPool


@dataclass(frozen=True, slots=True)
class SetAside:
    """Nothing new is known of the row; it's to be tried again after all others."""


NotMade = Refused | Braked | KeyRefused | Blocked | EndpointUnusable | Unsent | Unclear | Misnamed


class CreateStep:
    """Creates documents, one row at a time for each worker."""

    def __init__(
        self,
        requester: Requester,
        ledger: Ledger,
        settings: Sending,
        pool: WorkerPool,
        reconciler: Reconciler,
        places: Places,
    ) -> None:
        self.requester = requester
        self.ledger = ledger
        self.settings = settings
        self.pool = pool
        self.reconciler = reconciler
        self.places = places
        self.firewall = Firewall(requester.stop)
        self._doubts = KeyDoubts(requester)
        self._has_created = ledger.has_created_before
        self._misnaming = Misnaming(requester, reconciler)

    async def take(self, progress: RowProgress, flight: anyio.CancelScope) -> Outcome | SetAside | None:
        """Settle what earlier runs left unclear, then send until the verdict is clear. None: nothing new is known."""
        settled: Outcome | SendAgain | SetAside | None
        settled = await self._settle_earlier(progress) if progress.history.unclear else SendAgain()
        while isinstance(settled, SendAgain):
            refused = None
            if progress.spec.placement != NO_PLACEMENT:
                if not await self.places.look_up(steps_of(progress.spec.placement)):
                    return None
                refused = self._unplaceable(progress)
            attempted = refused or await self._attempt(progress, flight)
            if isinstance(attempted, Created):
                return attempted
            settled = await self._settle(progress, attempted)
        return settled

    def _unplaceable(self, progress: RowProgress) -> Refused | None:
        """Why nothing is sent for a row whose folder or labels aren't there. In a run that was found before the first POST."""
        placement, places = progress.spec.placement, self.places
        folder = None if placement.folder is None else places.folder(placement.folder)
        progress.folder_id = None if folder is None else folder.id
        problem = next(places.problems(placement), None)
        return (
            None if problem is None else Refused(Reason.NOT_FOUND, 404, problem[1], hint=STEP_HINTS[Reason.NOT_FOUND])
        )

    async def _settle_earlier(self, progress: RowProgress) -> Outcome | SendAgain | None:
        if progress.identifier is not None:
            return await self.reconciler.settle(progress)
        is_by_hand = progress.spec.identifier is not None and self.settings.adopt_existing
        if is_by_hand or not self.settings.resend_uncertain:
            return await self.reconciler.settle_unnamed(progress)
        progress.rename_for_resend(self.settings, self.requester.api, self.ledger.header)
        return SendAgain()

    async def _settle(self, progress: RowProgress, verdict: NotMade) -> Outcome | SendAgain | SetAside | None:
        """What an attempt that made nothing, or perhaps something, leads to."""
        match verdict:
            case Unclear():
                return await self._settle_unclear(progress, verdict)
            case Misnamed():
                progress.counted += 1
                return await self._misnaming.settle(progress, verdict)
            case Refused():
                self.firewall.passes(progress.key)
                return await self.reconciler.refused(progress, verdict)
            case Blocked():
                return await self._settle_blocked(progress, verdict)
            case EndpointUnusable(message, stop_reason):
                self.requester.stop(message, stop_reason)
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
            self.requester.stop(verdict.end, StopReason.NOT_OMNI)
            return progress.uncertain(self.ledger.run, self.requester.now())
        if progress.identifier is None:
            return await self.reconciler.settle_unnamed(progress)
        if not is_outage:  # else its own pauses hold, and no further row shall become unclear meanwhile
            await self.pool.back_off(max(1, progress.counted))
        settled = await self.reconciler.settle(progress)
        if isinstance(settled, SendAgain) and progress.counted >= self.settings.max_attempts:
            return progress.uncertain(self.ledger.run, self.requester.now())
        return settled

    async def _settle_blocked(self, progress: RowProgress, blocked: Blocked) -> Outcome | SendAgain | SetAside | None:
        """It's tried again last; but a row that is unclear keeps its place, as it must not be forgotten."""
        refused = self.firewall.meets(progress.key, blocked)
        if refused is not None:
            return await self.reconciler.refused(progress, refused)
        if self.requester.drain.is_on:
            return None
        if not self.ledger.unclear(progress.key):
            return SetAside()
        await self.pool.back_off(1)
        return SendAgain()

    async def _attempt(self, progress: RowProgress, flight: anyio.CancelScope) -> Created | NotMade:
        """One POST: its intent is on disk before it leaves, and only if it has its slot of the rate."""
        requester, api = self.requester, self.requester.api
        while True:
            if self._misnaming.rows:
                await self.pool.wait_without_slot(math.inf)  # for the run to stop
            with await requester.permit(progress.spec.key) as permit:
                await self._intend(progress)
                reply = await permit.send(api.create(progress.body, progress.folder_id), flight, progress.leaves)
                if reply is None:
                    continue
                progress.ended_at = now = requester.now()
                verdict = api.judge_create(
                    reply,
                    is_proven=self._has_created or requester.is_proven,
                    has_created=self._has_created,
                    now=now,
                )
                requester.learn(permit, reply, verdict)
            progress.elapsed_seconds = reply.elapsed_seconds if isinstance(reply, Answer) else 0.0
            if isinstance(verdict, Made):
                return self._made(progress, verdict, now)
            if isinstance(reply, NotSent):
                progress.take_back_intent(self.ledger)
            elif not isinstance(verdict, Unclear):
                self.ledger.clear(progress.spec.key)
            if isinstance(verdict, KeyDoubted):
                refused = verdict.refused
                is_good = await self._doubts.is_good(permit.slot.key, verdict)
                return refused if is_good else KeyRefused(refused.status, refused.message)
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
            self.settings.timeout_seconds,
            spec.placement,
            api=self.requester.api.version,
        )
        synced = self.ledger.intend(intent)
        progress.is_intended = True  # until it leaves; the sender takes it back if it never does
        return synced

    def _made(self, progress: RowProgress, made: Made, now: datetime) -> Created | Misnamed:
        """Created, if the answer is this row's."""
        asked_for = progress.identifier
        identifier = made.identifier or asked_for or made.dashboard_id or ""
        if not self._misnaming.takes(identifier, asked_for):
            return Misnamed(made)
        self._has_created = True
        self.firewall.passes(progress.key)
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
