"""One row through its steps, of which creating the document is the first, and today the only one.

A step ends in an outcome, which is booked before the next step begins; the first that isn't `Created` is the row's last.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

import anyio

from ..config import Sending
from ..errors import DiskTrouble
from ..files.key_history import KeyHistory
from ..files.ledger import Ledger
from ..models import Created, Outcome, Spec
from ..pace.gate import KeysRefused
from .create_step import CreateStep, SetAside
from .reconcile import Reconciler
from .requester import Requester
from .row_progress import RowProgress, set_out
from .settle_rules import Case, Decision
from .workers import WorkerPool


class Step(Protocol):
    """One thing to be done for each row."""

    async def take(self, progress: RowProgress, flight: anyio.CancelScope) -> Outcome | SetAside | None:
        """Do it, sending inside `flight`. None: not attempted, or nothing changed. Raises DiskTrouble, KeysRefused."""


@dataclass(slots=True)
class Sender:
    """Turns specs into outcomes. `book` writes an outcome down and tells the world, without waiting."""

    requester: Requester
    ledger: Ledger
    settings: Sending
    pool: WorkerPool
    book: Callable[[Outcome], None]
    decide: Callable[[Case], Decision]
    reconciler: Reconciler = field(init=False)
    steps: tuple[Step, ...] = field(init=False)

    def __post_init__(self) -> None:
        """One reconciler for all rows."""
        self.reconciler = Reconciler(self.requester, self.ledger, self.settings, self.pool, self.decide)
        self.steps = (CreateStep(self.requester, self.ledger, self.settings, self.pool, self.reconciler),)

    async def send(self, spec: Spec, history: KeyHistory, flight: anyio.CancelScope) -> bool:
        """Bring one row to its outcome and book it; nothing is booked if it was not attempted or nothing changed.

        False: it's to be sent again after all others.
        `flight` is an open scope around this call, shielded while the row's own requests are on their way.
        """
        progress = set_out(spec, history, self.settings, self.requester.api, self.ledger.header)
        for step in self.steps:
            outcome: Outcome | SetAside | None = None
            try:
                outcome = await step.take(progress, flight)
            except DiskTrouble as trouble:
                self.requester.stop(str(trouble), trouble.stop_reason)
            except KeysRefused:
                pass  # the requester has stopped the run already
            finally:
                if outcome is None:
                    self._break_off(progress)
                elif not isinstance(outcome, SetAside):
                    self._book(progress, outcome)
            if isinstance(outcome, SetAside):
                return False
            if not isinstance(outcome, Created):
                break
        return True

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

    def _book(self, progress: RowProgress, outcome: Outcome) -> None:
        try:
            self.book(outcome)
        except DiskTrouble as trouble:
            self.requester.stop(str(trouble), trouble.stop_reason)
            if isinstance(outcome, Created):
                self._book_unwritten(progress, outcome.identifier)

    def _book_unwritten(self, progress: RowProgress, identifier: str) -> None:
        """Created, but the results file does not take it: uncertain, as far as the journal takes that."""
        message = f"created as {identifier}, but that couldn't be recorded; the next run will find it"
        self.requester.warn(f"{progress.spec.place}: {message}")
        with suppress(DiskTrouble):
            self.book(progress.uncertain(self.ledger.run, self.requester.now(), message=message))
