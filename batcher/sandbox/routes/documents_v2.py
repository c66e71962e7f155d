"""Documents by v2: create, which publishes and files at once, and read (API.md 8 and 10)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from ..answers import v2 as answers
from ..answers.state import is_app
from ..calls import Response
from ..rules import queries
from ..rules import v2 as rules
from .backend import Backend, Request, shown_name


@dataclass(frozen=True, slots=True)
class DocumentsV2:
    """The handlers."""

    backend: Backend

    def create(self, request: Request) -> Response:
        """POST."""
        backend, settings = self.backend, self.backend.settings
        spec = backend.read_json(request.call, partial(rules.problems, unknown_fields=settings.unknown_fields))
        if isinstance(spec, Response):
            return spec
        if (text := rules.string_filter(spec)) is not None:
            return backend.fail(500, f"Cannot use 'in' operator to search for 'query_id' in {text}")
        if spec["modelId"].lower() in settings.unknown_models:
            return backend.fail(404, f'Model with id "{spec["modelId"]}" not found')
        place = self._place(spec)
        if isinstance(place, Response):
            return place
        created = backend.new_document(request.call, spec, request.override, api="v2", **place)
        if isinstance(created, Response):
            return created
        return Response(201, answers.created_answer(created), identifier=created.identifier)

    def _place(self, spec: dict[str, Any]) -> dict[str, Any] | Response:
        """The folder that it goes into; without one it is its owner's."""
        folder_id = spec.get("folderId")
        if folder_id is None:
            return {}
        folder = self.backend.store.folders.find(folder_id)
        if folder is None:
            return self.backend.fail(404, f"Folder with id {folder_id} does not exist")
        return {"folder_id": folder.id, "scope": folder.scope}

    def read(self, request: Request) -> Response:
        """GET: 404 is absent; 422 says that it exists, in a form that this API does not show."""
        if refused := self.backend.refuse_query(request.call, queries.PRETTY):
            return refused
        document = self.backend.visible(request.identifier, request.override)
        if document is None:
            return self.no_document(request)
        if document.api == "v1" and not self.backend.settings.advanced_layout:
            return self.unreadable(document.identifier)
        if is_app(document):
            return self.backend.fail(422, answers.APP, document.identifier)
        body = answers.read_answer(document, shown_name(document, request.override))
        return Response(200, body, identifier=document.identifier)

    def no_document(self, request: Request) -> Response:
        """v2's proof of absence."""
        return self.backend.fail(404, "Document not found", request.identifier)

    def unreadable(self, identifier: str | None = None) -> Response:
        """The answer to the read of a document with the classic layout."""
        return self.backend.fail(422, answers.CLASSIC, identifier)
