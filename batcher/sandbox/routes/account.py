"""Who asks, and which models there are."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from ..answers.ids import uuid_of
from ..answers.records import model_record, page
from ..calls import Response
from ..rules import queries
from .backend import Backend, Request

_DEFAULT_MODEL = "5f1c2b3a-6d4e-4f70-8a91-b2c3d4e5f607"


@dataclass(frozen=True, slots=True)
class Account:
    """The handlers."""

    backend: Backend

    def whoami(self, request: Request) -> Response:
        """GET. Older instances do not know it."""
        if not self.backend.settings.whoami:
            return self.backend.fail(404, "Not Found")
        owner = self.backend.owner(request.call.authorization)
        user = {"id": uuid_of("user", owner), "membershipId": owner}
        who = {"user": user, "keyScope": "personal", "orgRole": "MEMBER", "rolesByModel": {_DEFAULT_MODEL: "MODELER"}}
        return Response(200, orjson.dumps(who))

    def models(self, request: Request) -> Response:
        """GET: every UUID is a shared model, but for those that the settings call unknown; listed are the used ones."""
        backend, query = self.backend, request.call.query
        if refused := backend.refuse_query(request.call, queries.MODELS):
            return refused
        asked, size = query.get("modelId"), int(query.get("pageSize", "20"))
        more = False
        if query.get("modelKind", "SHARED") != "SHARED":
            ids: list[str] = []
        elif asked is not None:
            ids = [] if asked.lower() in backend.settings.unknown_models else [asked.lower()]
        else:
            following = backend.store.model_ids(query.get("cursor", ""), size + 1)
            following = following or ([] if "cursor" in query else [_DEFAULT_MODEL])
            ids, more = following[:size], len(following) > size
        records = [model_record(model_id) for model_id in ids]
        return Response(200, page(records, cursor=ids[-1] if more else None, size=size, total=len(ids)))
