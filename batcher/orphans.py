"""Unclear attempts whose rows are no longer in the input: still looked up, never sent (contract 7)."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from .ledger import Ledger
from .models import Outcome, Reason, Row, Spec
from .reconcile import Reconciler
from .retry import Refused
from .send import with_identifier
from .way import Way
from .wire import Wire


async def settle_orphan(key: str, wire: Wire, ledger: Ledger, reconciler: Reconciler) -> Outcome | None:
    """Look one up. There → created; absent for good → failed, so that its content is not lost; else as it was."""
    way = _way_of(key, ledger)
    outcome = await reconciler.settle(way)
    if outcome is None and not ledger.unclear(key):
        gone = Refused(Reason.INTERRUPTED, 404, "it was not created, and its row is no longer in the input")
        return way.failed(gone, ledger.run, wire.now(), "Put the row back, or run this failures file.")
    return outcome


def _way_of(key: str, ledger: Ledger) -> Way:
    """The row as its last intent tells it."""
    sent = ledger.unclear(key)[-1]
    intent = ledger.intent_of(sent)
    body = ledger.body_of(sent)
    fields = orjson.loads(body)
    if sent.is_filled:
        fields.pop("identifier", None)
    source, line = str(intent.get("source") or ""), int(str(intent.get("line") or 0))
    own = None if sent.is_filled else sent.identifier
    row = Row(source, line, dict(fields))
    spec = Spec(key, source, line, str(fields["name"]), str(fields["modelId"]), own, orjson.dumps(fields), row)
    return Way(spec, sent.identifier, sent.is_filled, with_identifier(spec, sent.identifier))


def left_open(ledger: Ledger) -> Iterator[Way]:
    """Rows with an unclear attempt that no failures line tells of: a process died over them."""
    for key, history in list(ledger.histories.items()):
        if history.unclear and history.failure is None and history.unclear[-1].body is None:
            yield _way_of(key, ledger)
