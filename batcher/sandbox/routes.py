"""The sandbox's API: one call in, one response out. Knows no sockets, no faults and no waiting."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import orjson

from . import answers, rules
from .calls import Call, Response
from .openapi import DOCUMENTS, OPENAPI, description
from .settings import SandboxSettings
from .store import Document, Listing, Store

_BEARER = re.compile(r"[Bb]earer ([\x21-\x7e]+)")
_DEFAULT_MODEL = "5f1c2b3a-6d4e-4f70-8a91-b2c3d4e5f607"


@dataclass(frozen=True, slots=True)
class Override:
    """What faults change about one call: the identifier of a create, how much it answers, what a read shows and when.

    A read answers 404 until `lag_seconds` have passed since the create.
    """

    other_identifier: bool = False
    bare: bool = False
    lag_seconds: float = 0.0
    other_name: bool = False


NO_OVERRIDE = Override()


class Api:
    """Answers calls from the store. `clock` gives seconds since 1970."""

    def __init__(
        self, settings: SandboxSettings, store: Store, *, base_url: str = "", clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._store = store
        self._base_url = base_url
        self._clock = clock
        self._dice = random.Random(settings.seed)
        self._revoked: set[str] = set()

    def answer(self, call: Call, override: Override = NO_OVERRIDE) -> Response:
        """Authenticate and carry the call out."""
        if call.path == OPENAPI:
            return Response(200, orjson.dumps(description()))
        return self._authenticate(call.authorization) or self._carry_out(call, override)

    def _carry_out(self, call: Call, override: Override) -> Response:
        above, _, identifier = call.path.rpartition("/")
        match call.path, call.method:
            case "/api/v1/documents", "POST":
                return self._create(call, override)
            case "/api/v1/documents", "GET":
                return self._list(call)
            case _, "GET" if above == DOCUMENTS and identifier:
                return self._read(identifier, override)
            case _, "DELETE" if above == DOCUMENTS and identifier:
                return self._delete(identifier)
            case _:
                return self._answer_others(call)

    def revoke(self, authorization: str | None) -> None:
        """Refuse this Authorization value from now on."""
        self._revoked.add(authorization or "")

    def fail(self, status: int, message: str, identifier: str | None = None) -> Response:
        """One of the application's errors, in the shape that the settings ask for."""
        body = answers.error_body(self._settings.error_shape, status, message)
        return Response(status, body, identifier=identifier)

    def not_found(self, identifier: str) -> Response:
        """The only proof of absence."""
        return self.fail(404, f'Document with identifier "{identifier}" not found', identifier)

    def _authenticate(self, authorization: str | None) -> Response | None:
        if authorization is None:
            return answers.auth_error(401, "Missing bearer token")
        bearer = _BEARER.fullmatch(authorization)
        if bearer is None:
            return answers.auth_error(400, 'Malformed Authorization header, expected "Bearer <token>"')
        keys = self._settings.keys
        if authorization in self._revoked or (keys is not None and bearer[1] not in keys):
            return answers.auth_error(403, "Invalid bearer token")
        return None

    def _owner(self, authorization: str | None) -> str:
        return answers.uuid_of("owner", authorization if self._settings.separate_owners else "")

    def _create(self, call: Call, override: Override) -> Response:
        spec = self._read_body(call)
        if isinstance(spec, Response):
            return spec
        identifier = spec.get("identifier")
        if override.other_identifier or identifier is None:
            identifier = self._new_identifier()
        now = self._clock()
        document = Document(
            number=0,
            identifier=identifier,
            name=spec["name"],
            model_id=spec["modelId"].lower(),
            body=call.body,
            dashboard_id=answers.uuid_of("dashboard", identifier, now),
            workbook_id=answers.uuid_of("workbook", identifier, now),
            owner=self._owner(call.authorization),
            created_at=now,
        )
        created = self._store.create(document, trash_keeps=self._settings.trash_keeps_identifier)
        if created is None:
            message = f'identifier: "{identifier}" is already in use'
            return self.fail(self._settings.taken_status, message, identifier)
        body = answers.bare_answer(created) if override.bare else answers.created_answer(created, spec)
        return Response(201, body, identifier=identifier)

    def _read_body(self, call: Call) -> dict[str, Any] | Response:
        """The validated body of a create, or the refusal."""
        if call.content_type != "application/json":
            return self.fail(415, f'Unsupported media type "{call.content_type}", send application/json')
        try:
            spec = orjson.loads(call.body)
        except orjson.JSONDecodeError:
            return self.fail(400, "body: Invalid JSON")
        if problems := rules.problems(spec, unknown_fields=self._settings.unknown_fields):
            return self.fail(400, ", ".join(problems))
        spec = cast("dict[str, Any]", spec)
        for field, kind in (("modelId", "Model"), ("branchId", "Branch")):
            if spec.get(field, "").lower() in self._settings.unknown_models:
                return self.fail(404, f'{kind} with id "{spec[field]}" not found')
        return spec

    def _new_identifier(self) -> str:
        while True:
            identifier = f"{self._dice.getrandbits(32):08x}"
            if self._store.find(identifier) is None:
                return identifier

    def _read(self, identifier: str, override: Override) -> Response:
        document = self._store.find(identifier)
        if document is None or self._clock() - document.created_at < override.lag_seconds:
            return self.not_found(identifier)
        name = f"{document.name} (renamed)" if override.other_name else document.name
        return Response(200, answers.read_answer(document, name), identifier=identifier)

    def _delete(self, identifier: str) -> Response:
        if not self._store.trash(identifier, self._clock()):
            return self.not_found(identifier)
        return Response(200, b'{"success":true}', identifier=identifier)

    def _list(self, call: Call) -> Response:
        if wrong := rules.query_problem(call.query, rules.LIST_PARAMETERS):
            return self.fail(400, wrong)
        by_name = call.query.get("sortField") == "name"
        after = call.query.get("cursor")  # the number of the document that a page ended with
        if after is not None and not re.fullmatch("[0-9]{1,18}", after):
            return self.fail(400, "cursor: Invalid cursor")
        if call.query.get("folderId") or call.query.get("labels"):
            return Response(200, _page([], has_next=False, cursor=None, size=0, total=0))
        size = int(call.query.get("pageSize", "20"))
        descending = call.query.get("sortDirection", "asc" if by_name else "desc") == "desc"
        page = self._store.page(
            Listing(by_name, descending, call.query.get("creatorId"), int(after) if after else None), size
        )
        records = [answers.list_record(document, self._base_url) for document in page.documents]
        cursor = str(page.documents[-1].number) if page.more else None
        return Response(200, _page(records, has_next=page.more, cursor=cursor, size=size, total=page.total))

    def _answer_others(self, call: Call) -> Response:
        match call.path, call.method:
            case "/api/v1/whoami", "GET" if self._settings.whoami:
                return self._whoami(call)
            case "/api/v1/models", "GET":
                return self._models(call)
            case (("/api/v1/documents" | "/api/v1/models"), _):
                return self.fail(405, f"Method {call.method} not allowed")
            case _:
                return self.fail(404, "Not Found")

    def _whoami(self, call: Call) -> Response:
        owner = self._owner(call.authorization)
        user = {"id": answers.uuid_of("user", owner), "membershipId": owner}
        who = {"user": user, "keyScope": "personal", "orgRole": "MEMBER", "rolesByModel": {_DEFAULT_MODEL: "MODELER"}}
        return Response(200, orjson.dumps(who))

    def _models(self, call: Call) -> Response:
        if wrong := rules.query_problem(call.query, rules.MODELS_PARAMETERS):
            return self.fail(400, wrong)
        asked = call.query.get("modelId")
        size = int(call.query.get("pageSize", "20"))
        if asked is not None:
            ids = [] if asked.lower() in self._settings.unknown_models else [asked.lower()]
            more = False
        else:
            following = self._store.model_ids(call.query.get("cursor", ""), size + 1) or [_DEFAULT_MODEL]
            ids, more = following[:size], len(following) > size
        records = [_model(model_id) for model_id in ids]
        cursor = ids[-1] if more else None
        return Response(200, _page(records, has_next=more, cursor=cursor, size=size, total=len(ids)))


def _model(model_id: str) -> dict[str, Any]:
    connection = answers.uuid_of("connection", model_id)
    return {
        "id": model_id,
        "name": f"model {model_id[:8]}",
        "modelKind": "SHARED",
        "connectionId": connection,
        "deletedAt": None,
    }


def _page(records: list[dict[str, Any]], *, has_next: bool, cursor: str | None, size: int, total: int) -> bytes:
    info = {"hasNextPage": has_next, "nextCursor": cursor, "pageSize": size, "totalRecords": total}
    return orjson.dumps({"records": records, "pageInfo": info})
