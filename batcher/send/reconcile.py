"""Finding out what an unclear attempt did, and whose a taken identifier is (contract 7).

    look at the identifier ─ `settle_rules.decide` ─ carry the decision out: ledger, warnings, outcome

settle          before anything is sent again
refused         after a clear refusal: whether an earlier attempt, or somebody else, holds the identifier
settle_unnamed  of an attempt without an identifier, which only a person can settle
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeGuard, assert_never

import anyio

from ..config import Sending
from ..errors import InternalError
from ..files.key_history import SentAttempt
from ..files.ledger import Ledger
from ..models import Created, Failed, How, Outcome, Uncertain
from ..omni.verdicts import Absent, Made, Refused, There, Unknown
from ..reasons import Reason
from .candidates import find_candidates
from .look_up import look_up
from .requester import Requester
from .row_progress import DIED, RowProgress
from .settle_rules import (
    LAG_SECONDS,
    Adopted,
    AskAgain,
    Attempt,
    Case,
    Decision,
    NotCreated,
    Reconciled,
    SendAgain,
    StillUncertain,
    Taken,
    decide_by_hand,
)
from .workers import WorkerPool


@dataclass(slots=True)
class Reconciler:
    """Asks the server, through the same pace as everything else, and does what `decide` says."""

    requester: Requester
    ledger: Ledger
    settings: Sending
    pool: WorkerPool
    decide: Callable[[Case], Decision]

    async def settle(self, progress: RowProgress) -> Outcome | SendAgain:
        """What became of this row's unclear attempts."""
        look = await self._look(progress)
        if isinstance(look, Unknown):
            progress.last = look
        decision = self.decide(self._case(progress, look))
        if not isinstance(decision, SendAgain):
            return self._carry_out(progress, decision)
        named = None if self.settings.resend_uncertain else self._named_instead(progress)
        if named is not None and (outcome := await self._settle_named(progress, named)) is not None:
            return outcome
        self._disprove(progress, decision.disproved)
        return decision

    async def refused(self, progress: RowProgress, refused: Refused) -> Outcome:
        """The outcome of a row whose last attempt was clearly refused. Reads may lag: then it's asked for 30 s."""
        progress.last = refused
        is_unclear = bool(self.ledger.unclear(progress.key))
        if progress.identifier is None or not (is_unclear or refused.may_be_taken):  # nothing to look for
            return self._carry_out(progress, StillUncertain() if is_unclear else NotCreated(refused))
        until, wait = anyio.current_time() + LAG_SECONDS, 1.0
        while True:
            look = await self._look(progress)
            left = until - anyio.current_time()
            decision = self.decide(replace(self._case(progress, look), refused=refused, lag_left_seconds=left))
            if not isinstance(decision, AskAgain):
                return self._carry_out(progress, decision)
            self._disprove(progress, decision.disproved)
            await self.pool.wait_without_slot(min(wait, left))
            wait *= 2

    async def settle_misnamed(self, progress: RowProgress, made: Made) -> Outcome:
        """The answer to this row's create named another document: was it another row's, or is that the row's own?

        First its own identifier is looked up. If nothing is there, what the answer named is its document, if it exists and
        isn't another row's, nor reads otherwise. Reads may lag: then it's asked for 30 s.
        """
        if progress.identifier is None:
            return await self.settle_unnamed(progress) or self._uncertain(progress, StillUncertain())
        settled = await self.settle(progress)
        if not isinstance(settled, SendAgain):
            return settled
        if made.identifier is not None and not self.ledger.names(made.identifier):
            until, wait = anyio.current_time() + LAG_SECONDS, 1.0
            while isinstance(look := await self._look_at(progress, made.identifier), Absent):
                left = until - anyio.current_time()
                if left <= 0:
                    break
                await self.pool.wait_without_slot(min(wait, left))
                wait *= 2
            if self._may_be_own(look, progress):
                return self._exists(progress, How.CREATED, look, made.identifier, None)
            return replace(self._uncertain(progress, StillUncertain()), identifier=made.identifier)
        return self._uncertain(progress, StillUncertain())

    def _may_be_own(self, look: There | Absent | Unknown | None, progress: RowProgress) -> TypeGuard[There]:
        """Whether what the server named in answer to this row's create is the row's: it reads the same."""
        return isinstance(look, There) and self._is_same(progress.body, look)

    def _named_instead(self, progress: RowProgress) -> str | None:
        """What the answer of an earlier run's attempt named instead of this row's identifier: it may be its document."""
        failure = self.ledger.failure_of(progress.key) if self.ledger.history_of(progress.key).is_uncertain else None
        if failure is None or failure.reason is not Reason.BAD_RESPONSE:
            return None
        own = {progress.identifier, *(sent.identifier for sent in self.ledger.unclear(progress.key))}
        return None if failure.identifier in own else failure.identifier

    async def _settle_named(self, progress: RowProgress, named: str) -> Outcome | None:
        """Created if that reads the same, uncertain while anything is there; None if nothing is."""
        look = await self._look_at(progress, named)
        if isinstance(look, Absent):
            return None
        if self._may_be_own(look, progress):
            return self._exists(progress, How.RECONCILED, look, named, None)
        failure = self.ledger.failure_of(progress.key)
        uncertain = self._uncertain(progress, StillUncertain())
        return uncertain if failure is None else failure.become(Uncertain, at=uncertain.at, run=uncertain.run)

    async def settle_unnamed(self, progress: RowProgress) -> Outcome | None:
        """A row whose unclear attempt had no identifier. None if the outcome of an earlier run still says it all."""
        if progress.spec.identifier is not None and self.settings.adopt_existing:
            progress.identifier = progress.spec.identifier
            look = await self._look(progress)
            return self._carry_out(progress, decide_by_hand(progress.identifier, look, self._attempts(progress, look)))
        history = self.ledger.history_of(progress.key)
        if progress.attempts == 0 and history.failure is not None:
            return None if history.is_uncertain else self._uncertain(progress, StillUncertain())
        candidates = await find_candidates(self.requester, progress.key, progress.spec.name, history.unclear[0].at)
        message = progress.last.message if progress.last is not None else DIED
        if candidates:
            message += f"; documents with this name: {', '.join(candidates)}"
        return self._uncertain(progress, StillUncertain(message))

    async def _look(self, progress: RowProgress) -> There | Absent | Unknown | None:
        return await self._look_at(progress, progress.identifier or "")

    async def _look_at(self, progress: RowProgress, identifier: str) -> There | Absent | Unknown | None:
        """Through the version of the last unclear attempt first, which knows best what it made."""
        unclear, attempts = self.ledger.unclear(progress.key), self.settings.max_attempts
        by = unclear[-1].api if unclear else None
        return await look_up(self.requester, self.pool, progress.key, identifier, attempts, by)

    def _case(self, progress: RowProgress, look: There | Absent | Unknown | None) -> Case:
        """All that `decide` must know."""
        unclear = self.ledger.unclear(progress.key)
        return Case(
            progress.identifier or "",
            look,
            self._attempts(progress, look),
            age_seconds=self._age(progress, unclear),
            is_filled=progress.is_filled,
            is_same=self._is_same(progress.body, look),
            adopts_existing=self.settings.adopt_existing,
            resends_uncertain=self.settings.resend_uncertain,
        )

    def _age(self, progress: RowProgress, unclear: tuple[SentAttempt, ...]) -> float:
        """Seconds since the last attempt ended."""
        if not unclear:
            return 0.0
        return (self.requester.now() - (progress.ended_at or unclear[-1].ended_by)).total_seconds()

    def _attempts(self, progress: RowProgress, look: There | Absent | Unknown | None) -> tuple[Attempt, ...]:
        """The unclear ones. Bodies are read and compared only if there's a document to compare them with."""
        is_readable = isinstance(look, There) and look.document is not None
        return tuple(
            Attempt(sent.identifier, sent.is_filled, is_readable and self._is_same(self.ledger.body_of(sent), look))
            for sent in self.ledger.unclear(progress.key)
        )

    def _is_same(self, body: bytes, look: There | Absent | Unknown | None) -> bool:
        document = look.document if isinstance(look, There) else None
        return document is not None and self.requester.api.is_match(body, document)

    def _carry_out(self, progress: RowProgress, decision: Decision) -> Outcome:
        match decision:
            case Reconciled(attempt, there):
                return self._reconciled(progress, self.ledger.unclear(progress.key)[attempt], there)
            case Adopted(there):
                return self._adopted(progress, there)
            case Taken(status, message):
                return self._failed(progress, NotCreated(Refused(Reason.IDENTIFIER_TAKEN, status, message)))
            case NotCreated():
                return self._failed(progress, decision)
            case StillUncertain():
                return self._uncertain(progress, decision)
            case SendAgain() | AskAgain():
                raise InternalError(f"{progress.spec.place}: {decision} isn't an outcome")
            case _:
                assert_never(decision)

    def _disprove(self, progress: RowProgress, attempts: int) -> None:
        """So many of the last attempts did nothing."""
        if attempts and attempts == len(self.ledger.unclear(progress.key)):
            self.ledger.settle(progress.key)
            return
        for _ in range(attempts):
            self.ledger.clear(progress.key)

    def _reconciled(self, progress: RowProgress, sent: SentAttempt, there: There) -> Created:
        api, identifier = self.requester.api, sent.identifier or ""
        if there.document is not None:
            for difference in api.differences(self.ledger.body_of(sent), there.document):
                if difference.part == "name" and not difference.is_note:
                    self.requester.warn(
                        f"{progress.spec.place}: {identifier} is this row's document, but is named {difference.echoed!r}, "
                        f"not {difference.sent!r}"
                    )
        return self._exists(progress, How.RECONCILED, there, identifier, sent.spec_hash)

    def _adopted(self, progress: RowProgress, there: There) -> Created:
        return self._exists(progress, How.ADOPTED, there, progress.identifier or "", None)

    def _exists(self, progress: RowProgress, how: How, there: There, identifier: str, sent_hash: str | None) -> Created:
        return progress.created(
            how,
            identifier,
            self.requester.api.url(identifier),
            self.ledger.run,
            self.requester.now(),
            status=there.status,
            sent_hash=sent_hash,
            response=there.response,
        )

    def _failed(self, progress: RowProgress, decision: NotCreated) -> Failed:
        return progress.failed(decision.refused, self.ledger.run, self.requester.now(), decision.hint)

    def _uncertain(self, progress: RowProgress, decision: StillUncertain) -> Uncertain:
        self._disprove(progress, decision.disproved)
        if decision.is_of_unnamed:
            progress.identifier = None
        return progress.uncertain(self.ledger.run, self.requester.now(), message=decision.message, hint=decision.hint)
