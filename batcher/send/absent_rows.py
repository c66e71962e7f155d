"""Unclear attempts whose rows are no longer in the input: still looked up, never sent (contract 7)."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from ..files.journal_lines import Intent
from ..files.ledger import Ledger
from ..files.step_lines import placement_fields
from ..identity import hash_of, placed_hash
from ..models import Created, Failed, Row, Spec, Uncertain, stamp
from ..omni.verdicts import Refused
from ..reasons import Reason
from .requester import Requester
from .row_progress import RowProgress
from .sender import Sender
from .settle_rules import SendAgain

_GONE = "it was not created, and its row is no longer in the input"
_GONE_HINT = "Put the row back, or run this failures file."


async def settle_absent(key: str, requester: Requester, ledger: Ledger, sender: Sender) -> None:
    """Look one up, and book it: there → created; absent for good → failed, so that its content is not lost; else as it was.

    Its steps wait for the row. Raises DiskTrouble.
    """
    if not ledger.unclear(key):  # an earlier run found that nothing was made, but ended before it could say so
        failure = ledger.failure_of(key)
        if failure is not None:
            ledger.book(_gone(failure, ledger, requester))
        return
    progress = _way_of(key, ledger)
    settled = await sender.reconciler.settle(progress)
    if not isinstance(settled, SendAgain):
        ledger.book(settled)
        if isinstance(settled, Created):
            sender.owe(progress.spec, settled)
    elif not ledger.unclear(key):
        refused = Refused(Reason.INTERRUPTED, 404, _GONE)
        ledger.book(progress.failed(refused, ledger.run, requester.now(), _GONE_HINT))


def _gone(failure: Failed | Uncertain, ledger: Ledger, requester: Requester) -> Failed:
    why = {"reason": Reason.INTERRUPTED, "status": 404, "message": _GONE, "hint": _GONE_HINT}
    return failure.become(Failed, **why, attempts=0, at=stamp(requester.now()), run=ledger.run)


def _way_of(key: str, ledger: Ledger) -> RowProgress:
    """The row as its last intent tells it."""
    sent = ledger.unclear(key)[-1]
    intent = ledger.intent_of(sent)
    return RowProgress(spec_of(intent), sent.identifier, sent.is_filled, intent.body)


def spec_of(intent: Intent) -> Spec:
    """The row that this attempt was of, as it was then."""
    fields = orjson.loads(intent.body)
    if intent.is_filled:
        fields.pop("identifier", None)
    own = None if intent.is_filled else intent.identifier
    placement = intent.placement
    row = Row(intent.source, intent.line, {**fields, **placement_fields(placement)})
    written, hashed = orjson.dumps(fields), placed_hash(hash_of(fields), *placement)
    named = (str(fields["name"]), str(fields["modelId"]))
    return Spec(intent.key, row.source, row.line, *named, own, written, hashed, row, placement)


def left_open(ledger: Ledger) -> Iterator[RowProgress]:
    """Rows with an unclear attempt of an earlier run that no failures line tells of, or only one of a failure before."""
    for key, history in list(ledger.histories.items()):
        if history.is_unreported and history.unclear[-1].body is None:
            yield _way_of(key, ledger)
