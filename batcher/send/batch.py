"""Specs into the crew, outcomes out of it: what `run` and the library have in common."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import anyio

from ..config import Sending
from ..errors import BatcherError, InternalError, StopReason
from ..files.ledger import Ledger
from ..models import Created, Failed, Failure, How, Outcome, Spec, Uncertain, Unfinished
from ..reasons import Reason
from ..runtime import Runtime
from .drain import Drain
from .requester import Requester
from .sender import Aside, Sender
from .settle_rules import decide
from .streak import Streak
from .workers import WorkerPool

LINKS = 5  # of a canary's documents
TOLD_ADOPTED = 5  # by name; the summary counts them all


@dataclass(slots=True)
class Tally:
    """Outcomes of this run, counted as they are written. `links`: the URLs of the first documents, if they are wanted."""

    created: int = 0
    reconciled: int = 0
    adopted: int = 0
    failed: int = 0
    uncertain: int = 0
    unfinished: int = 0
    first: list[Failure] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    links_wanted: int = 0

    def count(self, outcome: Outcome, shown: int = 10) -> None:
        """Count one."""
        match outcome:
            case Created(how=How.CREATED):
                self.created += 1
                if self.links_wanted:
                    self.links_wanted -= 1
                    self.links.append(outcome.url)
            case Created(how=How.RECONCILED):
                self.reconciled += 1
            case Created():
                self.adopted += 1
            case Failed():
                self.failed += 1
            case Uncertain():
                self.uncertain += 1
            case Unfinished():
                self.unfinished += 1
        if not isinstance(outcome, Created) and len(self.first) < shown:
            self.first.append(outcome)


class Batch:
    """Sends specs with a pool of workers, books each outcome, and stops when the rows are probably not to blame."""

    def __init__(
        self,
        requester: Requester,
        ledger: Ledger,
        settings: Sending,
        drain: Drain,
        on_outcome: Callable[[Outcome], None],
        runtime: Runtime,
        room: Callable[[], Awaitable[None]] | None = None,
        on_waiting: Callable[[Spec], None] = lambda _: None,
        on_finished: Callable[[Spec], None] = lambda _: None,
    ) -> None:
        self.tally = Tally(links_wanted=0 if settings.limit is None else LINKS)
        self.is_limit_reached = False
        self.pool = WorkerPool(settings.concurrency, runtime.random)
        self.sender = Sender(
            requester, ledger, settings, self.pool, self.book, runtime.decide or decide, self._finished
        )
        self._requester = requester
        self._ledger = ledger
        self._settings = settings
        self._drain = drain
        self._on_outcome = on_outcome
        self._on_waiting = on_waiting
        self._on_finished = on_finished
        self._room = room
        self._left = settings.limit
        self._pulling = anyio.Lock()
        self._streak = Streak(settings.stop_after)
        self._counts_streak = True
        self._step_streak = Streak(settings.stop_after)
        self._aside: list[Aside] = []
        self.identifier_of: Callable[[str], str | None] = lambda _: None  # of rows that an earlier run created

    async def send_all(self, specs: Iterator[Spec] | AsyncIterator[Spec], *, failed_before: bool = False) -> None:
        """Send them all, or until the drain. `failed_before`: in an earlier run."""
        self._counts_streak = not failed_before

        await self._work(partial(self._send_next, specs))

    async def finish_all(self, specs: Iterator[Spec], identifier_of: Callable[[str], str | None]) -> None:
        """Do the steps that these created rows lack, or until the drain; none of them is created again."""
        self.identifier_of = identifier_of
        await self._work(partial(self._finish_next, specs))

    async def _work(self, step: Callable[[anyio.CancelScope], Awaitable[bool]]) -> None:
        with self._drain.waits():
            try:
                await self.pool.work(step)
                while self._aside and not self._drain.is_on:
                    again, self._aside = self._aside, []
                    await self.pool.work(partial(self._send_again, iter(again)))
            except BaseExceptionGroup as group:
                self._stop_by(group)
        for aside in self._aside:
            if aside.identifier is not None:
                self.sender.leave(aside.spec, aside.identifier)

    async def _send_next(self, specs: Iterator[Spec] | AsyncIterator[Spec], flight: anyio.CancelScope) -> bool:
        """One row; False if none is left, or no more may be sent."""
        if self._room is not None:
            await self._room()
        if self._left is not None and self._left <= 0:
            self.is_limit_reached = True
            return False
        if self._drain.is_on:
            return False
        spec = next(specs, None) if isinstance(specs, Iterator) else await self._next(specs)
        if spec is None:
            return False
        history = self._ledger.history_of(spec.key)
        if history.is_uncertain and self.sender.awaits_person(spec, history):  # nothing leaves: the limit is for others
            self._on_waiting(spec)
            return True
        if self._left is not None:
            self._left -= 1
        if spec.key in self._ledger.steps.due:  # it is created: only steps are missing
            await self._finish(spec)
        elif (aside := await self.sender.send(spec, history, flight)) is not None:
            self._aside.append(aside)
        return True

    async def _finish_next(self, specs: Iterator[Spec], _: anyio.CancelScope) -> bool:
        """The steps of one row; as `_send_next`."""
        if self._left is not None and self._left <= 0:
            self.is_limit_reached = True
            return False
        if self._drain.is_on or (spec := next(specs, None)) is None:
            return False
        if spec.key in self._ledger.steps.due:
            if self._left is not None:
                self._left -= 1
            await self._finish(spec)
        return True

    async def _finish(self, spec: Spec) -> None:
        """A created row's steps. One whose document the results file doesn't name waits until it does."""
        identifier = self.identifier_of(spec.key)
        aside = None if identifier is None else await self.sender.finish(spec, identifier)
        if aside is not None:
            self._aside.append(aside)
        else:
            self._on_finished(spec)

    async def _send_again(self, again: Iterator[Aside], flight: anyio.CancelScope) -> bool:
        """One of those that were set aside."""
        if self._drain.is_on or (aside := next(again, None)) is None:
            return False
        if aside.identifier is None:
            later = await self.sender.send(aside.spec, self._ledger.history_of(aside.spec.key), flight)
        else:
            later = await self.sender.finish(aside.spec, aside.identifier)
        if later is not None:
            self._aside.append(later)
        return True

    async def _next(self, specs: AsyncIterator[Spec]) -> Spec | None:
        async with self._pulling:  # an asynchronous source is asked by one worker at a time
            try:
                return await anext(specs)
            except StopAsyncIteration:
                return None

    def _stop_by(self, group: BaseExceptionGroup[BaseException]) -> None:
        """An error of ours ends the run gracefully; anything else is a bug, and is shown as one."""
        ours, rest = group.split(BatcherError)
        if ours is None or rest is not None:
            raise group
        error: BatcherError | BaseExceptionGroup[BatcherError] = ours
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, InternalError):
            raise error from group
        self._requester.stop(str(error), error.stop_reason)

    def book(self, outcome: Outcome) -> None:
        """Write it down, count it, tell; and stop when the same failure comes again and again."""
        self._ledger.book(outcome)
        self.tally.count(outcome)
        self._on_outcome(outcome)
        if isinstance(outcome, Created):
            if outcome.how is How.ADOPTED and self.tally.adopted <= TOLD_ADOPTED:
                self._requester.warn(
                    f"{outcome.source}:{outcome.line}: adopted the existing document {outcome.identifier}, which matches "
                    "this row; batcher didn't create it in this run, and undo won't touch it"
                )
            if self._streak.times:
                self._streak.end()
        elif isinstance(outcome, Unfinished):
            if outcome.reason is not Reason.INTERRUPTED:
                self._count_streak(self._step_streak, outcome)
        elif self._counts_streak:
            self._count_streak(self._streak, outcome)

    def _finished(self) -> None:
        """The steps of a row are done."""
        self._step_streak.end()

    def _count_streak(self, streak: Streak, outcome: Failure) -> None:
        if streak.add(f"{outcome.reason}: {outcome.message}", outcome.identifier, outcome.key):
            self._drain.stop(
                f"{streak.times} rows in a row failed the same way ({streak.text}), so the rows are probably "
                "not to blame. Fix the cause and run again; --stop-after changes the limit.",
                StopReason.SAME_FAILURE,
            )
