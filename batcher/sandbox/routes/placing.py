"""Where a document lies and what labels it carries: what follows a create (API.md 11 and 12)."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from ..calls import Call, Response
from ..rules import places, queries
from ..store import Document, Folder, Label
from .backend import Backend, Request, no_content
from .labels import no_label


@dataclass(frozen=True, slots=True)
class Placing:
    """The handlers."""

    backend: Backend

    def move(self, request: Request) -> Response:
        """PUT. Moving to where it lies already is fine."""
        backend = self.backend
        body = backend.read_json(request.call, lambda body: places.problems(body, places.MOVE))
        if isinstance(body, Response):
            return body
        document = backend.store.find(request.identifier)
        if document is None:
            return backend.no_document(request.identifier)
        path, scope = body["folderPath"], body.get("scope")
        folder = None if path is None else backend.store.folders.at(path)
        if path is not None and folder is None:
            return backend.fail(404, f"Folder with path {path} does not exist", document.identifier)
        return self._move(document, folder, scope)

    def _move(self, document: Document, folder: Folder | None, scope: str | None) -> Response:
        backend = self.backend
        if folder is not None and scope is not None and scope != folder.scope:
            message = f'Scope "{scope}" and folder scope "{folder.scope}" do not match'
            return backend.fail(400, message, document.identifier)
        computed = folder.scope if folder is not None else document.scope
        backend.store.move(document, folder.id if folder else None, scope or computed)
        return Response(200, b'{"success":true}', identifier=document.identifier)

    def change_labels(self, request: Request) -> Response:
        """PATCH: all or nothing."""
        backend, call = self.backend, request.call
        if refused := self._refuse_call(call):
            return refused
        body = backend.read_json(call, places.label_problems)
        if isinstance(body, Response):
            return body
        document = backend.store.find(request.identifier)
        if document is None:
            return backend.no_document(request.identifier)
        carried = {label.folded: label for label in backend.store.labels.of(document.number)}
        add = [backend.store.labels.find(name) or name for name in body.get("add", [])]
        remove = [carried.get(name.casefold()) or name for name in body.get("remove", [])]
        missing = next((name for name in [*add, *remove] if isinstance(name, str)), None)
        if missing is not None:
            return no_label(backend, missing)
        backend.store.labels.change(document.number, _labels(add), _labels(remove))
        names = [label.name for label in backend.store.labels.of(document.number)]
        return Response(200, orjson.dumps({"labels": names}), identifier=document.identifier)

    def put_label(self, request: Request) -> Response:
        """PUT: 204 whether it is new or was there already."""
        return self._change_one(request, adds=True)

    def delete_label(self, request: Request) -> Response:
        """DELETE: 204, then 404."""
        return self._change_one(request, adds=False)

    def _change_one(self, request: Request, *, adds: bool) -> Response:
        backend, name = self.backend, request.names["label"]
        if refused := self._refuse_call(request.call):
            return refused
        document = backend.store.find(request.identifier)
        if document is None:
            return backend.no_document(request.identifier)
        label = backend.store.labels.find(name)
        if label is None or not (adds or label in backend.store.labels.of(document.number)):
            return no_label(backend, name)
        backend.store.labels.change(document.number, [label] if adds else [], [] if adds else [label])
        return no_content(document.identifier)

    def _refuse_call(self, call: Call) -> Response | None:
        refused = self.backend.refuse_query(call, queries.AS_USER)
        return refused or self.backend.other_user(call, call.query.get("userId"))


def _labels(found: list[Label | str]) -> list[Label]:
    return [label for label in found if isinstance(label, Label)]
