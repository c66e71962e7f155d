"""Invalid rows as outcomes: failed without an attempt, with all that is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence

from ..config import RunSettings
from ..errors import DiskTrouble
from ..files.key_history import SentAttempt
from ..files.ledger import Ledger
from ..models import Failed, Problem, Reason, Row, Uncertain, stamp
from ..plan.survey import Survey
from ..read.read import as_read
from ..runtime import Runtime
from ..validate.check import check
from .hints import HINTS


def invalid_outcome(
    row: Row, key: str, problems: list[Problem], runtime: Runtime, unclear: Sequence[SentAttempt] = ()
) -> Failed | Uncertain:
    """The outcome of a row that has these problems. With an unclear attempt it is uncertain: failed forgets attempts."""
    outcome = Uncertain if unclear else Failed
    return outcome(
        key=key,
        source=row.source,
        line=row.line,
        reason=Reason.INVALID,
        status=None,
        message="; ".join(f"{one.field}: {one.message}" if one.field else one.message for one in problems),
        hint=HINTS[Reason.INVALID],
        attempts=0,
        identifier=unclear[-1].identifier if unclear else None,
        at=stamp(runtime.now()),
        run=runtime.run_id,
        spec=as_read(row),
    )


def book_invalid(settings: RunSettings, runtime: Runtime, found: Survey, ledger: Ledger) -> None:
    """With --skip-invalid: the invalid rows go to the failures file, unless they stand there already. Raises DiskTrouble."""
    if not found.checked.invalid:
        return
    troubles: list[DiskTrouble] = []

    def book(row: Row, key: str, problems: list[Problem]) -> None:
        outcome = invalid_outcome(row, key, problems, runtime)
        if ledger.unclear(key):
            return  # uncertain until its row is fixed: it can't be called failed
        before = ledger.failure_of(key)
        if before is not None and before.message == outcome.message and before.spec == outcome.spec:
            return
        if not troubles:
            try:
                ledger.book(outcome)
            except DiskTrouble as trouble:
                troubles.append(trouble)
        if troubles:
            found.unwritten += before is None

    check(found.sources, settings.reading, on_problem=lambda _: None, on_invalid=book, on_warning=lambda _: None)
    if troubles:
        raise troubles[0]
