"""What somebody mended in a failures file outlives a run that ends before it comes to those rows.

The failures file is written anew from the journal (contract 6), so the journal is told of the mended rows first.
"""

from __future__ import annotations

from dataclasses import replace

from ..config import RunSettings
from ..files.failures import is_edited
from ..files.key_history import KeyHistory
from ..files.ledger import Ledger
from ..files.past import RowState
from ..models import Failed, Reason, Uncertain
from ..omni.fields import KEY
from ..plan.repair_input import is_fed_back
from ..plan.survey import Survey
from ..read.read import as_read
from ..runtime import Runtime
from .hints import UNCERTAIN, UNCERTAIN_UNNAMED
from .row_progress import DIED


def book_mended(settings: RunSettings, runtime: Runtime, found: Survey, ledger: Ledger) -> None:
    """Take over the rows of an edited failures file that is the input, as they are now, before any of them is sent."""
    files = settings.files
    if not is_fed_back(settings) or not is_edited(
        runtime.storage, files.failures, files.journal, found.past.journaled, found.form
    ):
        return
    for state in (RowState.UNCERTAIN, RowState.FAILED, RowState.NEW):
        if not found.count(state):
            continue
        for one in found.specs(settings, state):
            if one.row.refused_as is not None:  # it has a key of its own now
                ledger.close_failure(one.row.refused_as)
            said = ledger.failure_of(one.key)
            spec = as_read(one.row)
            if said is not None and _without_key(said.spec) != _without_key(spec):
                ledger.book(_renewed(ledger.history_of(one.key), replace(said, spec=spec)))


def _renewed(history: KeyHistory, said: Failed | Uncertain) -> Failed | Uncertain:
    """The row's last outcome with its new spec. A run that died since may have left an attempt of it unclear.

    Then it is uncertain, whatever was said before: as failed it would be sent again without being looked up.
    """
    if history.is_uncertain or not history.is_open:
        return said
    identifier = history.unclear[-1].identifier
    hint = UNCERTAIN if identifier is not None else UNCERTAIN_UNNAMED
    why = {"reason": Reason.INTERRUPTED, "status": None, "message": DIED, "hint": hint}
    return said.become(Uncertain, **why, identifier=identifier)


def _without_key(spec: object) -> object:
    return {name: value for name, value in spec.items() if name != KEY} if isinstance(spec, dict) else spec
