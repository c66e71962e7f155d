"""The look-ups of a verify under way: each document is read back and compared with what was sent for it."""

from __future__ import annotations

from collections.abc import Iterator

import anyio

from ..errors import Stopped, UsageError
from ..files.results_index import DocumentOf
from ..models import Problem
from ..omni.comparable import pair_of
from ..omni.verdicts import Absent, There, Unknown
from ..pace.gate import KeysRefused
from ..placement import NO_PLACEMENT
from ..report.observers import Observer
from ..send.look_up import read_back
from ..send.requester import Requester
from ..send.workers import WorkerPool
from .findings import Finding, findings
from .placements import Placements
from .sent_documents import SentBodies, SentDocument
from .verified import Verified


class Comparison:
    """Workers that pull created rows in their order. Counts into `verified`, tells the observer."""

    def __init__(
        self,
        requester: Requester,
        pool: WorkerPool,
        max_attempts: int,
        verified: Verified,
        observer: Observer,
        documents: Iterator[SentDocument],
        document_of: DocumentOf,
        bodies: SentBodies,
    ) -> None:
        self._pool = pool
        self._requester = requester
        self._max_attempts = max_attempts
        self._verified = verified
        self._observer = observer
        self._documents = documents
        self._document_of = document_of
        self._bodies = bodies
        self._placements = Placements(requester, pool, max_attempts)

    async def step(self, _: anyio.CancelScope) -> bool:
        """One document; False if none is left, or the end has come."""
        try:
            document = next(self._documents, None)
            created = None if document is None else self._document_of(document.key)
            if document is None or created is None:
                return False
            identifier = created.identifier
            look = await read_back(self._requester, self._pool, document.key, identifier, self._max_attempts)
            sent = self._bodies.of(document)
            is_there = isinstance(look, There) and look.document is not None
            placed: list[Finding] = []
            if is_there and sent is not None and sent.placement != NO_PLACEMENT:
                placed = await self._placements.findings(identifier, sent.placement)
        except KeysRefused:
            return False
        except (Stopped, UsageError) as error:
            self._requester.stop(str(error), error.stop_reason)
            return False
        match look:
            case There(document=None, status=status):
                self._report_unreadable(document, identifier, f"exists, but cannot be read ({status})")
            case There(document=found) if found is not None and sent is None:
                self._report_unreadable(document, identifier, "exists; the journal doesn't say what was sent for it")
            case There(document=found) if found is not None and sent is not None:
                self._compare(document, identifier, [*findings(*pair_of(sent.body, found)), *placed])
            case Absent():
                self._verified.missing += 1
                text = f"there is no document {identifier}; it was deleted, or is in Trash"
                self._problem(document, "missing", text, "missing")
            case Unknown(status=status, message=message):
                self._report_unreadable(document, identifier, message if status is None else f"{status}: {message}")
            case _:
                return False
        return True

    def _compare(self, document: SentDocument, identifier: str, found: list[Finding]) -> None:
        is_different = False
        for finding in found:
            text = f"{identifier}{':' if finding.is_detail else ''} {finding.text}"
            if finding.is_detail:
                self._observer.detail(Problem(document.source, document.line, finding.kind, text))
            else:
                is_different = True
                self._problem(document, finding.kind, text, finding.text)
        if is_different:
            self._verified.different += 1
        else:
            self._verified.same += 1
            self._observer.done(f"{document.place}: {identifier} matches what was sent")

    def _report_unreadable(self, document: SentDocument, identifier: str, why: str) -> None:
        self._verified.unreadable += 1
        self._problem(document, "unreadable", f"{identifier}: {why}", why)

    def _problem(self, document: SentDocument, kind: str, text: str, cause: str) -> None:
        self._observer.problem(Problem(document.source, document.line, kind, text, cause))
