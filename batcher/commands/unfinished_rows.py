"""Created rows that lack steps: what they ask for now, their steps before anything new is created, what is left at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..config import Files
from ..files.due_steps import kinds_for
from ..files.history import lines_about_rows
from ..files.journal_lines import Intent
from ..files.ledger import Ledger
from ..files.past import Past, RowState
from ..files.results_index import DocumentOf, open_documents
from ..files.step_lines import StepsDue
from ..models import Spec, stamp
from ..plan.seen_rows import SpooledRows
from ..runtime import Runtime
from ..send.absent_rows import spec_of
from ..send.batch import Batch


def ask_anew(spec: Spec, ledger: Ledger, at: str) -> bool:
    """What this created row asks for now is what it lacks. Whether it lacks anything then. Raises DiskTrouble."""
    due = ledger.steps.due.get(spec.key)
    if due is None or due.placement != spec.placement:
        kinds = kinds_for(spec.placement, due)
        ledger.write_step(StepsDue(spec.key, spec.placement, kinds, spec.spec_hash, at, ledger.run))
    return spec.key in ledger.steps.due


def identifiers_of(document_of: DocumentOf) -> Callable[[str], str | None]:
    """The identifier of a key's document, as the results file names it."""

    def identifier_of(key: str) -> str | None:
        created = document_of(key)
        return None if created is None else created.identifier

    return identifier_of


@dataclass(frozen=True, slots=True)
class UnfinishedRows:
    """Those of the inputs, as an earlier run left them, or as `--apply-steps` makes them."""

    spooled: SpooledRows
    past: Past
    files: Files
    runtime: Runtime

    def ask_anew(self, ledger: Ledger) -> None:
        """What these rows ask for now is what they lack; of those that ask for nothing any more, nothing. Raises DiskTrouble."""
        for spec in self._specs():
            ask_anew(spec, ledger, stamp(self.runtime.now()))

    async def finish(self, batch: Batch) -> None:
        """Do their steps. Raises UsageError for a results file that somebody broke."""
        with self._identifiers() as document_of:
            await batch.finish_all(self._specs(), identifiers_of(document_of))

    def leave(self, batch: Batch, ledger: Ledger) -> None:
        """Book those that the run didn't come to and that no earlier run has booked, also if their rows are gone.

        Raises DiskTrouble, UsageError.
        """
        unbooked = {key for key, due in ledger.steps.due.items() if due.failure is None}
        if unbooked:
            specs = {spec.key: spec for spec in self._specs() if spec.key in unbooked}
            with self._identifiers() as document_of:
                for key, spec in (dict(self._gone(unbooked - specs.keys())) | specs).items():
                    if (created := document_of(key)) is not None:
                        batch.sender.leave(spec, created.identifier)

    def _gone(self, keys: set[str]) -> Iterator[tuple[str, Spec]]:
        """Rows that the inputs don't hold anymore, as their last intents tell them."""
        journal = self.files.journal
        for line, _ in lines_about_rows(self.runtime.storage, journal, lambda key: key not in keys) if keys else ():
            if isinstance(line, Intent):
                yield line.key, spec_of(line)

    def _specs(self) -> Iterator[Spec]:
        return iter(self.spooled.valid[RowState.UNFINISHED])

    @contextmanager
    def _identifiers(self) -> Iterator[DocumentOf]:
        with open_documents(self.runtime.storage, self.files.results, self.past.journaled.undone) as document_of:
            yield document_of
