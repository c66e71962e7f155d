"""What a run comes to: each row read stands in exactly one of the summary's counts (contract 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..config import RunSettings
from ..files.failures_file import FailureCounts
from ..files.key_history import KeyHistory
from ..files.past import RowState
from ..models import stamp
from ..plan.survey import Survey
from ..report.summary import Summary
from ..runtime import Runtime
from ..send.batch import Batch, Tally
from ..send.drain import Drain, End


def summarise(
    settings: RunSettings,
    runtime: Runtime,
    found: Survey,
    drain: Drain,
    *,
    batch: Batch | None = None,
    held: FailureCounts | None = None,
    requests: int = 0,
    histories: Mapping[str, KeyHistory] | None = None,
) -> Summary:
    """The counts, from what was read, what was written, and what the failures file holds now.

    Without a `batch` nothing was to be done; with a batch but without `held` the disk failed. `histories` are the
    ledger's, as they are now; without them nothing was written, and they are as they were read.
    """
    tally = batch.tally if batch is not None else Tally()
    held, to_do = _left(found, found.past.journaled.histories if histories is None else histories, batch, held)
    return Summary(
        run=runtime.run_id,
        started=found.started,
        finished=stamp(runtime.now()),
        elapsed_seconds=runtime.timer() - found.begun,
        inputs=settings.inputs,
        base_url=settings.endpoint.base_url,
        sandbox=settings.endpoint.sandbox,
        rows=found.checked.rows,
        created_now=tally.created,
        created_before=found.plan.created,
        reconciled=tally.reconciled,
        adopted=tally.adopted,
        failed=held.failed,
        invalid=held.invalid,
        uncertain=held.uncertain,
        to_do=to_do,
        undone=found.count(RowState.UNDONE),
        changed=found.count(RowState.CHANGED),
        other_failures=held.others,
        requests=requests,
        rate=str(settings.sending.rate) if settings.sending.rate else "none",
        keys=max(1, len(settings.endpoint.keys)),
        stopped=drain.reasons.get(End.STOPPED),
        interrupted=End.INTERRUPTED in drain.reasons,
        deadline_reached=End.DEADLINE in drain.reasons,
        limit_reached=batch is not None and batch.is_limit_reached,
        files=settings.files,
        kept_failures=found.kept_failures,
        first_failures=tuple(tally.first),
        warnings=tuple(found.warnings),
    )


def rows_without_outcome(found: Survey, tally: Tally, held: FailureCounts) -> int:
    """Rows that are neither created nor in the failures file's lines."""
    created = found.plan.created + tally.created + tally.reconciled + tally.adopted
    return found.checked.rows - created - held.failed - held.uncertain


def _left(
    found: Survey, histories: Mapping[str, KeyHistory], batch: Batch | None, held: FailureCounts | None
) -> tuple[FailureCounts, int]:
    """The rows without a document: those that failed or are uncertain, and how many a further run will send."""
    if held is None and batch is not None:  # rows in flight may be uncertain without being booked
        held = _held_without_files(found, histories)
        return held, rows_without_outcome(found, batch.tally, held) - found.count(RowState.UNDONE)
    unlisted = _unlisted(found, histories)
    new_unlisted = sum(not found.past.history_of(key).is_open for key in unlisted)
    to_do = found.count(RowState.NEW) - found.booked.get(RowState.NEW, 0) - new_unlisted + _settled(found, histories)
    to_do += found.unwritten
    if held is None:
        return replace(_held_without_files(found, histories), invalid=found.checked.invalid), to_do
    return replace(held, uncertain=held.uncertain + len(unlisted)), to_do


def _unlisted(found: Survey, histories: Mapping[str, KeyHistory]) -> list[str]:
    """Rows whose attempt is unclear, and whose outcome could not be written: no failures line tells of them."""
    return [key for key, one in histories.items() if one.is_open and one.failure is None and found.is_input(key)]


def _settled(found: Survey, histories: Mapping[str, KeyHistory]) -> int:
    """Rows that were uncertain, are known now not to exist, and were not sent again before the run ended."""
    known = (histories.get(key) for key in found.past.uncertain if found.is_input(key))
    return sum(1 for one in known if one is not None and not one.is_open and one.failure is None)


def _held_without_files(found: Survey, histories: Mapping[str, KeyHistory]) -> FailureCounts:
    """What is known without reading the failures file's lines."""
    held = FailureCounts()
    for key, history in histories.items():
        if not history.is_open and history.failure is None:
            continue
        if not found.is_input(key):
            held.others += 1
        elif history.is_open:
            held.uncertain += 1
        else:
            held.failed += 1
    return held
