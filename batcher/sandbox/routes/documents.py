"""Documents by v1: create, read, delete, and the list that both versions share (API.md 2 and 5)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ..answers import v1 as answers
from ..answers.records import document_record, page
from ..calls import Call, Response
from ..rules import queries
from ..rules import v1 as rules
from ..store import Document, Listing
from .backend import Backend, Request, shown_name


@dataclass(frozen=True, slots=True)
class Documents:
    """The handlers."""

    backend: Backend

    def create(self, request: Request) -> Response:
        """POST."""
        backend, settings = self.backend, self.backend.settings
        spec = backend.read_json(request.call, partial(rules.problems, unknown_fields=settings.unknown_fields))
        if isinstance(spec, Response):
            return spec
        for field, kind in (("modelId", "Model"), ("branchId", "Branch")):
            if spec.get(field, "").lower() in settings.unknown_models:
                return backend.fail(404, f'{kind} with id "{spec[field]}" not found')
        created = backend.new_document(request.call, spec, request.override)
        if isinstance(created, Response):
            return created
        body = answers.bare_answer(created) if request.override.bare else answers.created_answer(created, spec)
        return Response(201, body, identifier=created.identifier)

    def read(self, request: Request) -> Response:
        """GET."""
        document = self.backend.visible(request.identifier, request.override)
        if document is None:
            return self.backend.no_document(request.identifier)
        body = answers.read_answer(document, shown_name(document, request.override))
        return Response(200, body, identifier=document.identifier)

    def delete(self, request: Request) -> Response:
        """DELETE."""
        if not self.backend.store.trash(request.identifier, self.backend.clock()):
            return self.backend.no_document(request.identifier)
        return Response(200, b'{"success":true}', identifier=request.identifier)

    def list(self, request: Request) -> Response:
        """GET, page by page."""
        call, store = request.call, self.backend.store
        if refused := self.backend.refuse_query(call, queries.DOCUMENTS):
            return refused
        size = int(call.query.get("pageSize", "20"))
        found = store.page(_listing(call), size)
        with_labels = "labels" in call.query.get("include", "")
        records = [self._record(document, with_labels=with_labels) for document in found.documents]
        cursor = str(found.documents[-1].number) if found.more else None
        return Response(200, page(records, cursor=cursor, size=size, total=found.total))

    def _record(self, document: Document, *, with_labels: bool) -> dict[str, object]:
        store = self.backend.store
        folder = store.folders.find(document.folder_id) if document.folder_id else None
        labels = store.labels.of(document.number) if with_labels else None
        return document_record(document, self.backend.base_url, folder, labels)


def _listing(call: Call) -> Listing:
    query = call.query
    by_name, after = query.get("sortField") == "name", query.get("cursor")  # the number that a page ended with
    folder = query.get("folderId")
    return Listing(
        by_name=by_name,
        descending=query.get("sortDirection", "asc" if by_name else "desc") == "desc",
        owner=query.get("creatorId"),
        after=int(after) if after else None,
        folder_id=folder.lower() if folder else None,
        labels=frozenset(label.strip().casefold() for label in query.get("labels", "").split(",") if label.strip()),
    )
