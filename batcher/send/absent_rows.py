"""Unclear attempts whose rows are no longer in the input: still looked up, never sent (contract 7)."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from ..files.ledger import Ledger
from ..identity import hash_of
from ..models import Failed, Outcome, Row, Spec, Uncertain, stamp
from ..omni.verdicts import Refused
from ..reasons import Reason
from .reconcile import Reconciler
from .requester import Requester
from .row_progress import RowProgress
from .settle_rules import SendAgain

_GONE = "it was not created, and its row is no longer in the input"
_GONE_HINT = "Put the row back, or run this failures file."


async def settle_absent(key: str, requester: Requester, ledger: Ledger, reconciler: Reconciler) -> Outcome | None:
    """Look one up. There → created; absent for good → failed, so that its content is not lost; else as it was."""
    if not ledger.unclear(key):  # an earlier run found that nothing was made, but ended before it could say so
        failure = ledger.failure_of(key)
        return None if failure is None else _gone(failure, ledger, requester)
    progress = _way_of(key, ledger)
    settled = await reconciler.settle(progress)
    if not isinstance(settled, SendAgain):
        return settled
    if ledger.unclear(key):
        return None
    return progress.failed(Refused(Reason.INTERRUPTED, 404, _GONE), ledger.run, requester.now(), _GONE_HINT)


def _gone(failure: Failed | Uncertain, ledger: Ledger, requester: Requester) -> Failed:
    why = {"reason": Reason.INTERRUPTED, "status": 404, "message": _GONE, "hint": _GONE_HINT}
    return failure.become(Failed, **why, attempts=0, at=stamp(requester.now()), run=ledger.run)


def _way_of(key: str, ledger: Ledger) -> RowProgress:
    """The row as its last intent tells it."""
    sent = ledger.unclear(key)[-1]
    intent = ledger.intent_of(sent)
    fields = orjson.loads(intent.body)
    if sent.is_filled:
        fields.pop("identifier", None)
    own = None if sent.is_filled else sent.identifier
    row = Row(intent.source, intent.line, dict(fields))
    written, hashed = orjson.dumps(fields), hash_of(fields)
    spec = Spec(key, row.source, row.line, str(fields["name"]), str(fields["modelId"]), own, written, hashed, row)
    return RowProgress(spec, sent.identifier, sent.is_filled, intent.body)


def left_open(ledger: Ledger) -> Iterator[RowProgress]:
    """Rows with an unclear attempt of an earlier run that no failures line tells of, or only one of a failure before."""
    for key, history in list(ledger.histories.items()):
        if history.is_unreported and history.unclear[-1].body is None:
            yield _way_of(key, ledger)
