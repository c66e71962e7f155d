"""How far one row has come in this run, and the outcomes that it can end in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import orjson

from ..config import Sending
from ..files.journal_lines import CONTENT, JournalHeader
from ..files.key_history import NO_HISTORY, KeyHistory
from ..files.ledger import Ledger
from ..identity import as_seen, content_hash, fill_identifier
from ..models import Created, Failed, How, Spec, Uncertain, stamp
from ..omni.api import Api
from ..omni.verdicts import Refused, Unclear, Unknown
from ..placement import NO_PLACEMENT
from ..read.read import as_read
from ..reasons import HINTS, UNCERTAIN, UNCERTAIN_UNNAMED, Reason

F = TypeVar("F", Failed, Uncertain)

DIED = "the run ended before an answer came"


@dataclass(slots=True)
class RowProgress:
    """One row under way. `attempts` counts POSTs that left, `counted` those that use up --max-attempts.

    `is_intended`: an intent is on disk whose request has not left yet. `history` is what was known of it at its start.
    """

    spec: Spec
    identifier: str | None
    is_filled: bool
    body: bytes
    history: KeyHistory = NO_HISTORY
    attempts: int = 0
    counted: int = 0
    elapsed_seconds: float = 0.0
    ended_at: datetime | None = None  # the last attempt of this run
    is_intended: bool = False
    is_resend: bool = False
    folder_id: str | None = None  # where it goes, for a version whose create can say so
    last: Unclear | Unknown | Refused | None = None

    @property
    def key(self) -> str:
        """The row's key."""
        return self.spec.key

    def rename_for_resend(self, settings: Sending, api: Api, header: JournalHeader) -> None:
        """The user takes the risk: send it again, this time under an identifier if there is to be one."""
        self.is_resend = True
        self.identifier = self.spec.identifier
        if self.identifier is None and settings.fill_identifiers:
            self.identifier = _fill(self.spec, self.history, header)
            self.is_filled = True
        self.body = api.body_of(self.spec, self.identifier)

    def created(
        self,
        how: How,
        identifier: str,
        url: str,
        run: str,
        now: datetime,
        *,
        status: int | None,
        dashboard_id: str | None = None,
        workbook_id: str | None = None,
        response: bytes = b"null",
        sent_hash: str | None = None,
    ) -> Created:
        """The document exists."""
        spec = self.spec
        return Created(  # by place, in half the time that names would take
            spec.key,
            spec.source,
            spec.line,
            how,
            spec.spec_hash if sent_hash is None else sent_hash,
            identifier,
            spec.name,
            spec.model_id,
            url,
            dashboard_id,
            workbook_id,
            self.attempts,
            status,
            round(self.elapsed_seconds * 1000),
            stamp(now),
            run,
            response,
        )

    def failed(self, refused: Refused, run: str, now: datetime, hint: str | None = None) -> Failed:
        """There is no document, and none of the attempts is unclear."""
        hint = hint or refused.hint or HINTS[refused.reason]
        return self._failure(Failed, refused.reason, refused.status, refused.message, hint, run, now)

    def uncertain(self, run: str, now: datetime, *, message: str | None = None, hint: str | None = None) -> Uncertain:
        """Nobody knows yet; `last` says why."""
        reason, status, why = Reason.INTERRUPTED, None, DIED
        if self.last is not None:
            reason, status, why = self.last.reason, self.last.status, self.last.message
        hint = hint or (UNCERTAIN if self.identifier is not None else UNCERTAIN_UNNAMED)
        return self._failure(Uncertain, reason, status, message or why, hint, run, now)

    def _failure(
        self, kind: type[F], reason: Reason, status: int | None, message: str, hint: str, run: str, now: datetime
    ) -> F:
        return kind(
            key=self.key,
            source=self.spec.source,
            line=self.spec.line,
            reason=reason,
            status=status,
            message=message,
            hint=hint,
            attempts=self.attempts,
            identifier=self.identifier,
            at=stamp(now),
            run=run,
            spec=as_read(self.spec.row),
        )

    def leaves(self) -> None:
        """The request of the intent on disk leaves now."""
        self.is_intended = self.is_resend = False
        self.attempts += 1

    def take_back_intent(self, ledger: Ledger) -> None:
        """The request of an intent on disk doesn't leave after all. Raises DiskTrouble."""
        if self.is_intended:
            self.is_intended = False
            ledger.take_back(self.key)


def set_out(spec: Spec, history: KeyHistory, settings: Sending, api: Api, header: JournalHeader) -> RowProgress:
    """A row at its start: under an unclear attempt's identifier, the user's, the journal's, or a new one (contract 5)."""
    identifier, is_filled = spec.identifier, False
    if history.unclear:
        identifier, is_filled = history.unclear[-1].identifier, history.unclear[-1].is_filled
    elif identifier is None and settings.fill_identifiers:
        identifier, is_filled = _fill(spec, history, header), True
    return RowProgress(spec, identifier, is_filled, api.body_of(spec, identifier), history)


def _fill(spec: Spec, history: KeyHistory, header: JournalHeader) -> str:
    """The one that was filled in before, whatever has been edited since; else a new one, in this journal's way."""
    if history.identifier is not None:
        return history.identifier
    content = _content(spec) if header.identifiers == CONTENT else None
    return fill_identifier(spec.name, spec.key, header.namespace, history.undone, content)


def _content(spec: Spec) -> str:
    """The `content_hash` of a spec without an identifier, which nearly always is known: as the hash of its whole body.

    A body holds what will be sent: no key, and neither folder nor labels, which may change and make no other document.
    """
    is_known = spec.placement == NO_PLACEMENT and as_seen(spec.name) == spec.name
    return spec.spec_hash if is_known else content_hash(orjson.loads(spec.body))
