"""One row through its steps: creating the document, and then what its placement asks for (contract 14).

The create's outcome is booked before a step begins. Only a row that is created has steps, and none creates it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import anyio

from ..config import Sending
from ..errors import DiskTrouble
from ..files.key_history import KeyHistory
from ..files.ledger import Ledger
from ..files.step_lines import StepsDue
from ..models import Created, How, Outcome, Spec, Unfinished
from ..pace.gate import KeysRefused
from ..placement import NO_PLACEMENT, steps_of
from .ask_for_step import AskForStep
from .create_step import CreateStep, SetAside
from .finish_step import Finished, FinishStep
from .places import Places
from .reconcile import Reconciler
from .requester import Requester
from .row_progress import RowProgress, set_out
from .settle_rules import Case, Decision
from .workers import WorkerPool


@dataclass(frozen=True, slots=True)
class Aside:
    """A row to be sent again after all others; with the `identifier` of its document it is created, and lacks steps."""

    spec: Spec
    identifier: str | None = None


@dataclass(slots=True)
class Sender:
    """Turns specs into outcomes. `book` writes an outcome down and tells the world, without waiting.

    `on_finished` is called when the steps of a row are done.
    """

    requester: Requester
    ledger: Ledger
    settings: Sending
    pool: WorkerPool
    book: Callable[[Outcome], None]
    decide: Callable[[Case], Decision]
    on_finished: Callable[[], None]
    reconciler: Reconciler = field(init=False)
    places: Places = field(init=False)
    _create: CreateStep = field(init=False)
    _finish: FinishStep = field(init=False)

    def __post_init__(self) -> None:
        """One reconciler for all rows, and one list of folders and labels."""
        asking = AskForStep(self.requester, self.pool, self.settings.max_attempts)
        self.places = Places(self.requester, asking)
        self.reconciler = Reconciler(self.requester, self.ledger, self.settings, self.pool, self.decide)
        self._create = CreateStep(self.requester, self.ledger, self.settings, self.pool, self.reconciler, self.places)
        self._finish = FinishStep(asking, self.ledger, self.places, self._create.firewall)

    async def send(self, spec: Spec, history: KeyHistory, flight: anyio.CancelScope) -> Aside | None:
        """Bring one row to its outcome and book it; nothing is booked if it was not attempted or nothing changed.

        What it returns is to be sent again after all others.
        `flight` is an open scope around this call, shielded while the row's own requests are on their way.
        """
        progress = set_out(spec, history, self.settings, self.requester.api, self.ledger.header)
        outcome: Outcome | SetAside | None = None
        is_booked = False
        try:
            outcome = await self._create.take(progress, flight)
        except DiskTrouble as trouble:
            self.requester.stop(str(trouble), trouble.stop_reason)
        except KeysRefused:
            pass  # the requester has stopped the run already
        finally:
            if outcome is None:
                self._break_off(progress)
            elif not isinstance(outcome, SetAside):
                is_booked = self._book(progress, outcome)
        if isinstance(outcome, SetAside):
            return Aside(spec)
        if isinstance(outcome, Created) and spec.placement != NO_PLACEMENT and is_booked:
            self.owe(spec, outcome)
            return await self.finish(spec, outcome.identifier)
        return None

    def owe(self, spec: Spec, created: Created) -> None:
        """From now on its steps are due. Those of a found document are written: its attempt may have asked for others."""
        if spec.placement == NO_PLACEMENT:
            return
        is_ours = created.how is How.CREATED
        kinds = self.requester.api.steps_of(spec.placement) if is_ours else steps_of(spec.placement)
        self.ledger.steps.owe(spec.key, spec.placement, kinds)
        if not is_ours:
            with self._stopping_at_trouble():
                line = StepsDue(spec.key, spec.placement, kinds, spec.spec_hash, created.at, self.ledger.run)
                self.ledger.write_step(line)

    async def finish(self, spec: Spec, identifier: str) -> Aside | None:
        """Do the steps of a row that is created, and book it if any is missing then; see `send`."""
        result: Finished | Unfinished | SetAside | None = None
        try:
            with self._stopping_at_trouble():
                result = await self._finish.take(spec, identifier)
        finally:
            if isinstance(result, Unfinished):
                with self._stopping_at_trouble():
                    self.book(result)
            elif result is None:
                self.leave(spec, identifier)
        if isinstance(result, Finished):
            self.on_finished()
        return Aside(spec, identifier) if isinstance(result, SetAside) else None

    def leave(self, spec: Spec, identifier: str) -> None:
        """The run ends before this row's steps are done: that is booked, unless it is known already."""
        if (outcome := self._finish.not_reached(spec, identifier)) is not None:
            with self._stopping_at_trouble():
                self.book(outcome)

    @contextmanager
    def _stopping_at_trouble(self) -> Iterator[None]:
        try:
            yield
        except DiskTrouble as trouble:
            self.requester.stop(str(trouble), trouble.stop_reason)
        except KeysRefused:
            pass  # the requester has stopped the run already

    def awaits_person(self, spec: Spec, history: KeyHistory) -> bool:
        """Whether nothing can be asked or sent for this row: an attempt without identifier is unclear, and it says so."""
        if not history.unclear or self.settings.resend_uncertain:
            return False
        is_named = spec.identifier is not None and self.settings.adopt_existing
        return history.unclear[-1].identifier is None and history.failure is not None and not is_named

    def _break_off(self, progress: RowProgress) -> None:
        """The run ends under this row: what is unclear is uncertain, anything else was not attempted."""
        with suppress(DiskTrouble):
            progress.take_back_intent(self.ledger)
            history = self.ledger.history_of(progress.key)
            if history.is_open and (progress.attempts or history.failure is None):
                self._book(progress, progress.uncertain(self.ledger.run, self.requester.now()))

    def _book(self, progress: RowProgress, outcome: Outcome) -> bool:
        """Whether it is written."""
        try:
            self.book(outcome)
        except DiskTrouble as trouble:
            self.requester.stop(str(trouble), trouble.stop_reason)
            if isinstance(outcome, Created):
                self._book_unwritten(progress, outcome.identifier)
            return False
        return True

    def _book_unwritten(self, progress: RowProgress, identifier: str) -> None:
        """Created, but the results file does not take it: uncertain, as far as the journal takes that."""
        message = f"created as {identifier}, but that couldn't be recorded; the next run will find it"
        self.requester.warn(f"{progress.spec.place}: {message}")
        with suppress(DiskTrouble):
            self.book(progress.uncertain(self.ledger.run, self.requester.now(), message=message))
