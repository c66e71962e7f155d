"""What `verify` says of folders and labels: they are in no document, but in the list of all (contract 14)."""

from __future__ import annotations

from collections.abc import Iterator

import anyio

from ..omni.placed_documents import PlacedDocument, list_documents, placed_page_of
from ..omni.verdicts import There
from ..placement import Placement, StepKind
from ..read.json_text import shown
from ..send.ask_for_step import AskForStep
from ..send.places import Places
from ..send.requester import Requester
from ..send.workers import WorkerPool
from .findings import Finding

_UNTOLD = Finding("folder and labels", "can't be compared: it isn't in the list of documents", is_detail=True)
_NO_LABELS = Finding("labels", "can't be compared: the list of documents doesn't tell them", is_detail=True)


class Placements:
    """The list, read once, when the first row with a folder or labels needs it: a request for a hundred documents."""

    def __init__(self, requester: Requester, pool: WorkerPool, attempts: int) -> None:
        self._asking = AskForStep(requester, pool, attempts)
        self._places = Places(requester, self._asking)
        self._reading = anyio.Lock()
        self._documents: dict[str, PlacedDocument] | None = None

    async def findings(self, identifier: str, placement: Placement) -> list[Finding]:
        """Each difference from where the row is to be. Raises KeysRefused."""
        async with self._reading:
            if self._documents is None:
                self._documents = await self._read()
            if placement.folder is not None:
                await self._places.look_up([StepKind.FOLDER])
        document = self._documents.get(identifier.lower())
        return [_UNTOLD] if document is None else list(self._differences(document, placement))

    async def _read(self) -> dict[str, PlacedDocument]:
        documents: dict[str, PlacedDocument] = {}
        cursor: str | None = None
        while True:
            answer = await self._asking.ask("list of documents", list_documents(cursor))
            page = placed_page_of(answer.response) if isinstance(answer, There) else None
            if page is None:
                return documents
            documents |= {document.identifier.lower(): document for document in page.documents}
            if (cursor := page.cursor) is None:
                return documents

    def _differences(self, document: PlacedDocument, placement: Placement) -> Iterator[Finding]:
        if placement.folder is not None and not self._is_in(document, placement.folder):
            there = "is in no shared folder" if document.folder_path is None else f"is in {shown(document.folder_path)}"
            yield Finding("folder", f"{there}, the row says {shown(placement.folder)}")
        if document.labels is None:
            yield from [_NO_LABELS] if placement.labels else []
            return
        missing = [label for label in placement.labels if label.casefold() not in document.labels]
        if missing:
            labels = "the label" if len(missing) == 1 else "the labels"
            yield Finding("labels", f"lacks {labels} {', '.join(shown(label) for label in missing)}")

    def _is_in(self, document: PlacedDocument, asked: str) -> bool:
        folder = self._places.folder(asked)
        if folder is None:
            return (document.folder_path or "").casefold() == asked.strip("/").casefold()
        return document.folder_id == folder.id
