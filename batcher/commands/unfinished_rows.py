"""Created rows that lack steps: what they ask for now, their steps before anything new is created, what is left at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..config import Files
from ..files.due_steps import kinds_for
from ..files.ledger import Ledger
from ..files.past import Past, RowState
from ..files.results_index import DocumentOf, open_documents
from ..files.step_lines import StepsDue
from ..models import Spec, stamp
from ..plan.seen_rows import SpooledRows
from ..runtime import Runtime
from ..send.batch import Batch


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
            due = ledger.steps.due.get(spec.key)
            if due is None or due.placement != spec.placement:
                kinds, at = kinds_for(spec.placement, due), stamp(self.runtime.now())
                ledger.write_step(StepsDue(spec.key, spec.placement, kinds, spec.spec_hash, at, ledger.run))

    async def finish(self, batch: Batch) -> None:
        """Do their steps. Raises UsageError for a results file that somebody broke."""
        with self._identifiers() as document_of:

            def identifier_of(key: str) -> str | None:
                created = document_of(key)
                return None if created is None else created.identifier

            await batch.finish_all(self._specs(), identifier_of)

    def leave(self, batch: Batch, ledger: Ledger) -> None:
        """Book those that the run didn't come to and that no earlier run has booked. Raises DiskTrouble, UsageError."""
        steps = ledger.steps.due
        if any(due.failure is None for due in steps.values()):
            with self._identifiers() as document_of:
                for spec in self._specs():
                    due = steps.get(spec.key)
                    if due is not None and due.failure is None and (created := document_of(spec.key)) is not None:
                        batch.sender.leave(spec, created.identifier)

    def _specs(self) -> Iterator[Spec]:
        return iter(self.spooled.valid[RowState.UNFINISHED])

    @contextmanager
    def _identifiers(self) -> Iterator[DocumentOf]:
        with open_documents(self.runtime.storage, self.files.results, self.past.journaled.undone) as document_of:
            yield document_of
