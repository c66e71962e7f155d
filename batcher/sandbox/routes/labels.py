"""Labels: the list, one of them, and create (API.md 12)."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from ..answers.records import label_record
from ..calls import Response
from ..rules import places, queries
from ..store import Label
from .backend import Backend, Request


@dataclass(frozen=True, slots=True)
class Labels:
    """The handlers."""

    backend: Backend

    def list(self, request: Request) -> Response:
        """GET, all at once."""
        if refused := self.backend.refuse_query(request.call, queries.NONE):
            return refused
        labels = [label_record(label, uses) for label, uses in self.backend.store.labels.all()]
        return Response(200, orjson.dumps({"labels": labels}))

    def read(self, request: Request) -> Response:
        """GET of one, ignoring case."""
        label = self.backend.store.labels.find(request.names["label"])
        if label is None:
            return no_label(self.backend, request.names["label"])
        return Response(200, orjson.dumps(label_record(label, self.backend.store.labels.uses(label))))

    def create(self, request: Request) -> Response:
        """POST. 409 if it exists, ignoring case."""
        call, backend = request.call, self.backend
        refused = backend.refuse_query(call, queries.AS_USER) or backend.other_user(call, call.query.get("userId"))
        if refused:
            return refused
        body = backend.read_json(call, lambda body: places.problems(body, places.LABEL))
        if isinstance(body, Response):
            return body
        for flag in ("verified", "homepage"):
            if body.get(flag):
                return backend.fail(403, f"Only an Organization Admin can create a {flag} label")
        name = body["name"]
        label = Label(name.casefold(), name, body.get("color"), body.get("description"), homepage=False, verified=False)
        if not backend.store.labels.create(label):
            return backend.fail(409, f'Label "{name}" already exists')
        return Response(201, orjson.dumps(label_record(label, 0)))


def no_label(backend: Backend, name: str) -> Response:
    """404 of a label."""
    return backend.fail(404, f'Label "{name}" not found')
