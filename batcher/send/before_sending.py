"""What is booked before anything is sent: invalid rows, and what somebody edited in the failures file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from ..files.key_history import KeyHistory, SentAttempt
from ..files.ledger import Ledger
from ..models import Failed, Problem, Row, Spec, Uncertain, stamp
from ..omni.fields import KEY
from ..read.read import as_read
from ..reasons import HINTS, UNCERTAIN, UNCERTAIN_UNNAMED, Reason
from ..runtime import Runtime
from ..validate.checked_rows import InvalidRow
from .row_progress import DIED


def invalid_outcome(
    row: Row,
    key: str,
    problems: Sequence[Problem],
    runtime: Runtime,
    unclear: Sequence[SentAttempt] = (),
    reason: Reason = Reason.INVALID,
) -> Failed | Uncertain:
    """The outcome of a row that has these problems. With an unclear attempt it is uncertain: failed forgets attempts."""
    outcome = Uncertain if unclear else Failed
    return outcome(
        key=key,
        source=row.source,
        line=row.line,
        reason=reason,
        status=None,
        message="; ".join(
            f"{problem.field}: {problem.message}" if problem.field else problem.message for problem in problems
        ),
        hint=HINTS[reason],
        attempts=0,
        identifier=unclear[-1].identifier if unclear else None,
        at=stamp(runtime.now()),
        run=runtime.run_id,
        spec=as_read(row),
    )


_BETWEEN_SYNCS = 500  # rows: what is booked waits in memory for the failures file until the journal is durable


async def book_invalid(
    rows: Iterable[InvalidRow], runtime: Runtime, ledger: Ledger, tell: Callable[[Failed | Uncertain], None]
) -> None:
    """With --skip-invalid: invalid rows go to the failures file, unless they stand there already. Raises DiskTrouble.

    `tell` is called for each of them.
    """
    for number, row in enumerate(rows, 1):
        if number % _BETWEEN_SYNCS == 0:
            await ledger.sync()
        if ledger.unclear(row.key):
            continue  # an attempt of it is unclear: uncertain until it is fixed, as it cannot be called failed
        outcome = invalid_outcome(row.row, row.key, row.problems, runtime, reason=row.reason)
        before = ledger.failure_of(row.key)
        if before is None or _what(before, row.row) != _what(outcome, row.row):
            ledger.book(outcome)
        tell(outcome)


def _what(outcome: Failed | Uncertain, row: Row) -> tuple[object, ...]:
    """What of it is new if it differs: where the row is in the input, too, but for a line that the failures file has of it."""
    place = None if row.is_fed_back else (outcome.source, outcome.line)
    return outcome.reason, outcome.message, outcome.spec, place


async def book_edits(specs: Iterable[Spec], ledger: Ledger) -> None:
    """The rows of a failures file that is the input, as somebody edited them, outlive a run that does not come to them.

    The failures file is written anew from the journal, so the journal must hold the edits. Raises DiskTrouble.
    """
    for number, spec in enumerate(specs, 1):
        if number % _BETWEEN_SYNCS == 0:
            await ledger.sync()
        if spec.row.refused_as is not None:  # it has a key of its own now
            ledger.close_failure(spec.row.refused_as)
        before, read = ledger.failure_of(spec.key), as_read(spec.row)
        if before is not None and _without_key(before.spec) != _without_key(read):
            ledger.book(_renewed(ledger.history_of(spec.key), replace(before, spec=read)))


def _renewed(history: KeyHistory, outcome: Failed | Uncertain) -> Failed | Uncertain:
    """The row's last outcome with its new spec. A run that died since may have left an attempt of it unclear.

    Then it is uncertain, whatever it was before: as failed it would be sent again without being looked up.
    """
    if history.is_uncertain or not history.is_open:
        return outcome
    identifier = history.unclear[-1].identifier
    hint = UNCERTAIN if identifier is not None else UNCERTAIN_UNNAMED
    why = {"reason": Reason.INTERRUPTED, "status": None, "message": DIED, "hint": hint}
    return outcome.become(Uncertain, **why, identifier=identifier)


def _without_key(spec: object) -> object:
    return {name: value for name, value in spec.items() if name != KEY} if isinstance(spec, dict) else spec
