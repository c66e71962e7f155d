"""Rows whose model the instance doesn't know, as the preflight found: they can't work, so they are problems (contract 3)."""

from __future__ import annotations

from collections.abc import Mapping

from ..config import RunSettings
from ..errors import InvalidInput
from ..files.ledger import Ledger
from ..files.past import RowState
from ..models import Problem
from ..plan.seen_rows import SpooledRows
from ..reasons import Reason
from ..report.observers import Observer
from ..runtime import Runtime
from ..send.before_sending import invalid_outcome


def leave_out(
    unknown: Mapping[str, Problem],
    settings: RunSettings,
    spooled: SpooledRows,
    runtime: Runtime,
    ledger: Ledger,
    observer: Observer,
) -> None:
    """Nothing is sent, or (with --skip-invalid) nothing for these rows, which are booked as failed.

    `unknown`: model → what is told of its rows. Raises InvalidInput, UsageError, DiskTrouble.
    """
    for problem in unknown.values():
        observer.problem(problem)
    if unknown and not settings.skip_invalid:
        models = "1 model isn't" if len(unknown) == 1 else f"{len(unknown):,} models aren't"
        raise InvalidInput(
            f"{models} known there; no document was created. Fix these rows, or skip them with --skip-invalid "
            "(--no-preflight sends them anyway)."
        )
    for state in (RowState.NEW, RowState.FAILED) if unknown else ():
        for spec in spooled.take_out(state, lambda spec: spec.model_id in unknown):
            problem = unknown[spec.model_id]
            outcome = invalid_outcome(spec.row, spec.key, [problem], runtime, reason=Reason.NOT_FOUND)
            ledger.book(outcome)
            observer.unsent(outcome)
