"""Finding out what an unclear attempt did, and whose a taken identifier is (contract 7).

settle   before anything is sent again: GET → there (reconciled), absent (may be sent again), or unknown (uncertain)
refused  after a clear refusal: whether an earlier attempt, or somebody else, holds the identifier
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import assert_never

import anyio
import orjson

from ..config import Sending
from ..files.key_history import SentAttempt
from ..files.ledger import Ledger
from ..models import Created, Failed, How, Outcome, Reason, Uncertain
from ..omni.compare import is_match
from ..omni.verdicts import Absent, Refused, There, Unknown
from .candidates import find_candidates
from .hints import HINTS, TRASH, UNCERTAIN_UNNAMED, UNREADABLE
from .requester import Requester
from .row_progress import RowProgress
from .workers import WorkerPool, backoff_seconds

_MAY_LAG = (400, 409, 422)


@dataclass(slots=True)
class Reconciler:
    """Asks the server, through the same pace as everything else."""

    requester: Requester
    ledger: Ledger
    settings: Sending
    pool: WorkerPool
    random: Random

    async def settle(self, progress: RowProgress) -> Outcome | None:
        """What became of this row's unclear attempts. None if it may be sent (again): nothing is there."""
        look = await self._look_until_known(progress)
        match look:
            case There():
                return self._of_our_attempt(progress, look)
            case Absent():
                self._settle_if_old(progress)
                return self._unless_unnamed(progress)
            case Unknown():
                progress.last = look
                return self._uncertain(progress)
            case None:
                return self._uncertain(progress)
            case _:
                assert_never(look)

    def _unless_unnamed(self, progress: RowProgress) -> Uncertain | None:
        """Sent again with --resend-uncertain, and that came to nothing: the attempt before it is as unclear as ever."""
        sent = self.ledger.unclear(progress.key)
        if self.settings.resend_uncertain or all(one.identifier is not None for one in sent):
            return None
        message = (
            f"there is no document {progress.identifier!r} (yet); the attempt without an identifier is still unclear"
        )
        progress.identifier = sent[-1].identifier
        return self._uncertain(progress, message, UNCERTAIN_UNNAMED)

    async def refused(self, progress: RowProgress, refused: Refused) -> Outcome:
        """The outcome of a row whose last attempt was clearly refused."""
        if self.ledger.unclear(progress.key):
            progress.last = refused
            return await self._refused_after_unclear(progress, refused)
        if not refused.may_be_taken or progress.identifier is None:
            return self._failed(progress, refused)
        look = await self._look_until_known(progress)
        if isinstance(look, There):
            return self._taken(progress, look, refused)
        hint = HINTS[refused.reason] + TRASH if isinstance(look, Absent) else None
        return self._failed(progress, refused, hint)

    async def settle_unnamed(self, progress: RowProgress) -> Outcome | None:
        """A row whose unclear attempt had no identifier: only a person can settle it (contract 7)."""
        if progress.spec.identifier is not None and self.settings.adopt_existing:
            return await self._adopt_by_hand(progress, progress.spec.identifier)
        history = self.ledger.history_of(progress.key)
        if progress.attempts == 0 and history.failure is not None:
            return None if history.is_uncertain else self._uncertain(progress)
        candidates = await find_candidates(self.requester, progress.key, progress.spec.name, history.unclear[0].at)
        message = progress.last.message if progress.last is not None else "the run ended before an answer came"
        if candidates:
            message += f"; documents with this name: {', '.join(candidates)}"
        return progress.uncertain(self.ledger.run, self.requester.now(), message=message)

    async def _look_until_known(self, progress: RowProgress) -> There | Absent | Unknown | None:
        """GET until the server tells, at most --max-attempts times (an outage is not counted)."""
        asked = 0
        while True:
            look = await self.requester.look(progress.key, progress.identifier or "")
            if not isinstance(look, Unknown):
                return look
            if self.requester.outage.is_on:
                continue  # its own pauses hold, and this row keeps its place
            asked += 1
            if asked >= self.settings.max_attempts:
                return look
            await self.pool.wait_without_slot(backoff_seconds(asked, self.random))

    def _of_our_attempt(self, progress: RowProgress, there: There) -> Outcome:
        """It exists, and an attempt of ours at this identifier is unclear: is it ours?"""
        sent = [one for one in self.ledger.unclear(progress.key) if one.identifier == progress.identifier]
        if not sent:  # the unclear attempt had another identifier, or none: it says nothing about this document
            return self._of_other_attempt(progress, there)
        last = sent[-1]
        if last.is_filled:  # nobody else would have chosen this identifier: existence is proof
            found = there.document.name if there.document is not None else None
            if found is not None and found != (name := str(orjson.loads(self.ledger.body_of(last)).get("name"))):
                self.requester.warn(
                    f"{progress.spec.place}: {last.identifier} is this row's document, but is named {found!r}, not {name!r}"
                )
            return self._reconciled(progress, there, last)
        if there.document is None:
            return self._uncertain(
                progress, f"a document {last.identifier!r} exists but cannot be read ({there.status})", UNREADABLE
            )
        for one in reversed(sent):
            if is_match(orjson.loads(self.ledger.body_of(one)), there.document.fields):
                return self._reconciled(progress, there, one)
        return self._of_nobody_we_know(progress, there, len(sent))

    def _of_nobody_we_know(self, progress: RowProgress, there: There, count: int) -> Outcome:
        """Somebody else's: the last so many attempts, at its identifier, did nothing; one without any may be before them."""
        said = "another document with other content has it"
        if count == len(self.ledger.unclear(progress.key)):
            return self._identifier_taken(progress, there.status, said)
        for _ in range(count):
            self.ledger.clear(progress.key)
        said = f"{progress.identifier}: {said}; an earlier attempt without an identifier is still unclear"
        progress.identifier = None
        return self._uncertain(progress, said)

    def _of_other_attempt(self, progress: RowProgress, there: There) -> Outcome:
        """It exists, and was refused to us as taken: ours at most by what it holds; the other attempt stays unclear."""
        bodies = [progress.body, *(self.ledger.body_of(one) for one in self.ledger.unclear(progress.key))]
        is_same = there.document is not None and any(
            is_match(orjson.loads(body), there.document.fields) for body in bodies
        )
        if is_same and (progress.is_filled or self.settings.adopt_existing):
            return self._adopted(progress, there, progress.identifier or "")
        return self._uncertain(progress)

    async def _refused_after_unclear(self, progress: RowProgress, refused: Refused) -> Outcome:
        """A refusal while an earlier attempt is unclear: perhaps because that one made it. Reads may lag: ask for 30 s."""
        if progress.identifier is None:  # nothing to look for: the earlier attempt stays as it was
            return self._uncertain(progress)
        until = anyio.current_time() + LAG_SECONDS
        wait = 1.0
        while True:
            look = await self._look_until_known(progress)
            match look:
                case There():
                    return self._of_our_attempt(progress, look)
                case Absent():
                    if self._settle_if_old(progress):
                        return self._failed(progress, refused)
                    left = until - anyio.current_time()
                    if refused.status not in _MAY_LAG or left <= 0:
                        return self._uncertain(progress)
                    await self.pool.wait_without_slot(min(wait, left))
                    wait *= 2
                case Unknown() | None:
                    return self._uncertain(progress)
                case _:
                    assert_never(look)

    def _taken(self, progress: RowProgress, there: There, refused: Refused) -> Outcome:
        """Refused as taken, and no earlier attempt of ours is unclear: nobody knows that it is ours."""
        is_same = there.document is not None and is_match(orjson.loads(progress.body), there.document.fields)
        if is_same and (progress.is_filled or self.settings.adopt_existing):
            return self._adopted(progress, there, progress.identifier or "")
        return self._identifier_taken(progress, refused.status, refused.message)

    async def _adopt_by_hand(self, progress: RowProgress, identifier: str) -> Outcome:
        """A person says that this document is the row's."""
        progress.identifier = identifier
        look = await self._look_until_known(progress)
        sent = self.ledger.unclear(progress.key)
        if isinstance(look, There) and look.document is not None:
            bodies = [orjson.loads(self.ledger.body_of(one)) for one in sent]
            if any(is_match(body, look.document.fields) for body in bodies):
                return self._adopted(progress, look, identifier)
            said = f"the document {identifier!r} is not what this row sent"
        else:
            said = f"no readable document {identifier!r} was found"
        progress.identifier = None
        return self._uncertain(progress, f"{said}; the attempt without an identifier is still unclear")

    def _settle_if_old(self, progress: RowProgress) -> bool:
        """A 404 long after the last unclear attempt at this identifier proves that none of them did anything."""
        sent = self.ledger.unclear(progress.key)
        if not sent or self.requester.now() - sent[-1].at <= timedelta(seconds=SETTLED_SECONDS):
            return False
        if all(one.identifier == progress.identifier for one in sent):
            self.ledger.settle(progress.key)
            return True
        while self.ledger.unclear(progress.key)[-1].identifier == progress.identifier:  # one without is before them
            self.ledger.clear(progress.key)
        return False

    def _reconciled(self, progress: RowProgress, there: There, sent: SentAttempt) -> Created:
        return self._exists(progress, How.RECONCILED, there, sent.identifier or "", sent.spec_hash)

    def _adopted(self, progress: RowProgress, there: There, identifier: str) -> Created:
        self.requester.warn(
            f"{progress.spec.place}: adopted the document {identifier} that exists already and reads the same; "
            "batcher did not create it in this run, and undo will not touch it"
        )
        return self._exists(progress, How.ADOPTED, there, identifier, None)

    def _exists(self, progress: RowProgress, how: How, there: There, identifier: str, sent_hash: str | None) -> Created:
        return progress.created(
            how,
            identifier,
            self.requester.omni.url(identifier),
            self.ledger.run,
            self.requester.now(),
            status=there.status,
            sent_hash=sent_hash,
            response=there.response,
        )

    def _identifier_taken(self, progress: RowProgress, status: int, message: str) -> Failed:
        return self._failed(progress, Refused(Reason.IDENTIFIER_TAKEN, status, message))

    def _failed(self, progress: RowProgress, refused: Refused, hint: str | None = None) -> Failed:
        return progress.failed(refused, self.ledger.run, self.requester.now(), hint)

    def _uncertain(self, progress: RowProgress, message: str | None = None, hint: str | None = None) -> Uncertain:
        return progress.uncertain(self.ledger.run, self.requester.now(), message=message, hint=hint)


LAG_SECONDS = 30.0  # how long a refusal is held against a GET that says 404 (contract 7)


SETTLED_SECONDS = 600.0  # a GET 404 this long after an unclear attempt proves that it did nothing (contract 7)
