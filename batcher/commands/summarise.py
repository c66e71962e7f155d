"""What a run comes to: each row read stands in exactly one of the summary's counts (contract 6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..config import RunSettings
from ..errors import BatcherError, StopReason
from ..files.disk import Storage
from ..files.due_steps import DueSteps
from ..files.failures_view import journaled_failures
from ..files.history import Reported
from ..files.key_history import NO_HISTORY, KeyHistory
from ..models import stamp
from ..plan.seen_rows import SpooledRows
from ..plan.survey import Survey
from ..reasons import Reason
from ..report.failure_groups import FailureGroup, FailureGroups
from ..report.summary import Summary
from ..runtime import Runtime
from ..send.batch import Batch, Tally
from ..send.drain import Drain, End


@dataclass(frozen=True, slots=True, kw_only=True)
class WithoutDocument:
    """The rows without a document, counted once, when the run is over.

    `failed` (of these `invalid`, and of these `held_back`) and `uncertain` are rows of the inputs; `others` are failed or
    uncertain and no rows of theirs.
    """

    failed: int = 0
    invalid: int = 0
    held_back: int = 0
    uncertain: int = 0
    others: int = 0


def count_without(survey: Survey, spooled: SpooledRows, histories: Mapping[str, KeyHistory]) -> WithoutDocument:
    """What the journal's histories say at the end: whatever is unclear is uncertain, booked or not."""
    failed = uncertain = others = 0
    for key, history in histories.items():
        if not history.is_open and history.failure is None:
            continue
        if not survey.is_input(key):
            others += 1
        elif _is_failed(history):
            failed += 1
        else:
            uncertain += 1
    reasons = Counter(row.reason for row in spooled.invalid if _is_failed(histories.get(row.key, NO_HISTORY)))
    return WithoutDocument(
        failed=failed,
        invalid=reasons.total(),
        held_back=reasons[Reason.SAME_CONTENT],
        uncertain=uncertain,
        others=others,
    )


def count_due(survey: Survey, steps: Mapping[str, DueSteps]) -> tuple[int, int, int]:
    """Created rows of the inputs that lack steps; those of them whose step was refused; failures lines of other rows."""
    mine = [due for key, due in steps.items() if survey.is_input(key)]
    others = sum(due.failure is not None for due in steps.values()) - sum(due.failure is not None for due in mine)
    return len(mine), sum(due.is_refused for due in mine), others


def _is_failed(history: KeyHistory) -> bool:
    """Whether its last outcome is failed, and nothing was sent since that may have done something."""
    return history.failure is not None and not history.is_uncertain and not history.is_open


def failures_by_reason(survey: Survey, storage: Storage, journal: Path, reported: Reported) -> tuple[FailureGroup, ...]:
    """The inputs' rows that are failed, uncertain or unfinished, as the journal tells it.

    Not those of which no outcome is recorded yet. Raises UsageError, DiskTrouble.
    """
    offsets = [
        known.failure
        for key, known in reported.items()
        if known.failure is not None and _is_recorded(known) and survey.is_input(key)
    ]
    groups = FailureGroups()
    for outcome in journaled_failures(storage, journal, sorted(offsets)) if offsets else ():
        groups.add(outcome)
    return groups.grouped()


def _is_recorded(known: KeyHistory | DueSteps) -> bool:
    """Whether its last failures line holds: nothing has been sent since."""
    return isinstance(known, DueSteps) or known.is_uncertain or not known.is_open


def _readable_failures(survey: Survey, storage: Storage, journal: Path, reported: Reported) -> tuple[FailureGroup, ...]:
    """None if the disk has failed: the summary says that."""
    try:
        return failures_by_reason(survey, storage, journal, reported)
    except BatcherError:
        return ()


def rows_left(survey: Survey, without: WithoutDocument, tally: Tally) -> int:
    """Rows that nothing was found out about: a further run sends them.

    They are what the other counts leave of the rows read. That it is right the summary proves by itself: none may be
    left unless something ended the run early, and never less than none (`Summary.adds_up`).
    """
    created = survey.plan.created + tally.created + tally.reconciled + tally.adopted
    return survey.plan.rows - created - without.failed - without.uncertain - survey.plan.undone


def summarise(
    settings: RunSettings,
    runtime: Runtime,
    survey: Survey,
    spooled: SpooledRows,
    drain: Drain,
    *,
    batch: Batch | None = None,
    kept_failures: Path | None = None,
    requests: int = 0,
) -> Summary:
    """The counts, from what was read and what the ledger holds now. Without a `batch` nothing was to be done."""
    histories = survey.past.journaled.histories if batch is None else batch.sender.ledger.histories
    reported = survey.past.journaled.reported if batch is None else batch.sender.ledger.reported
    without = count_without(survey, spooled, histories)
    steps = survey.past.journaled.steps if batch is None else batch.sender.ledger.steps
    unfinished, refused, others = count_due(survey, steps.due)
    tally = batch.tally if batch is not None else Tally()
    is_limit_reached = settings.sending.limit == 0 or (batch is not None and batch.is_limit_reached)
    return Summary(
        run=runtime.run_id,
        started=survey.started,
        finished=stamp(runtime.now()),
        elapsed_seconds=runtime.timer() - survey.begun,
        inputs=settings.inputs,
        base_url=settings.endpoint.base_url,
        sandbox=settings.endpoint.sandbox,
        rows=survey.plan.rows,
        created_now=tally.created,
        created_before=survey.plan.created,
        reconciled=tally.reconciled,
        adopted=tally.adopted,
        unfinished=unfinished,
        unreached=unfinished - refused,
        has_folders=bool(survey.asked.folders),
        failed=without.failed,
        invalid=without.invalid,
        held_back=without.held_back,
        uncertain=without.uncertain,
        to_do=rows_left(survey, without, tally),
        undone=survey.plan.undone,
        changed=survey.plan.changed,
        other_failures=without.others + others,
        requests=requests,
        rate=str(settings.sending.rate) if settings.sending.rate else "none",
        api=settings.sending.api,
        keys=max(1, len(settings.endpoint.keys)),
        stopped=str(drain.stopped) if drain.stopped else None,
        stop_reason=drain.stop_reason or (StopReason.LIMIT if is_limit_reached else None),
        foreign_writer=batch is not None and batch.sender.ledger.has_foreign,
        interrupted=End.INTERRUPTED in drain.ends,
        deadline_reached=End.DEADLINE in drain.ends,
        limit_reached=is_limit_reached,
        files=settings.files,
        kept_failures=kept_failures,
        first_failures=tuple(tally.first),
        failures=_readable_failures(survey, runtime.storage, settings.files.journal, reported),
        links=tuple(tally.links),
        warnings=survey.warnings,
    )
