"""The sandbox's API: one call in, one response out. Knows no sockets, no faults and no waiting."""

from __future__ import annotations

import base64
import binascii
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson

from . import answers, rules
from .calls import Call, Response
from .openapi import DOCUMENT_PATH, DOCUMENTS, LIST_PARAMETERS, MODELS, MODELS_PARAMETERS, OPENAPI, WHOAMI, description
from .settings import SandboxSettings
from .store import Document, Listing, Store

_BEARER = re.compile(r"[Bb]earer ([\x21-\x7e]+)")
_MOST_PER_PAGE = 100
_SORTS = frozenset({"name", "favorites", "updatedAt", "visits"})
_DEFAULT_MODEL = "5f1c2b3a-6d4e-4f70-8a91-b2c3d4e5f607"


@dataclass(frozen=True, slots=True)
class Bend:
    """How a fault bends one call: a create under another identifier, a bare answer, a read that lags or misnames."""

    other_identifier: bool = False
    bare: bool = False
    lag_seconds: float = 0.0
    other_name: bool = False


STRAIGHT = Bend()


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

    def answer(self, call: Call, bend: Bend = STRAIGHT) -> Response:
        """Authenticate and carry the call out."""
        if call.path == OPENAPI:
            return Response(200, orjson.dumps(description()), route=OPENAPI)
        return self._authenticate(call.authorization) or self._carry_out(call, bend)

    def _carry_out(self, call: Call, bend: Bend) -> Response:
        above, _, identifier = call.path.rpartition("/")
        match call.path, call.method:
            case "/api/v1/documents", "POST":
                return self._create(call, bend)
            case "/api/v1/documents", "GET":
                return self._list(call)
            case _, "GET" if above == DOCUMENTS and identifier:
                return self._read(identifier, bend)
            case _, "DELETE" if above == DOCUMENTS and identifier:
                return self._delete(identifier)
            case _:
                return self._answer_others(call)

    def revoke(self, authorization: str | None) -> None:
        """Refuse this Authorization value from now on."""
        self._revoked.add(authorization or "")

    def fail(self, status: int, message: str, route: str, identifier: str | None = None) -> Response:
        """One of the application's errors, in the shape that the settings ask for."""
        body = answers.error_body(self._settings.error_shape, status, message)
        return Response(status, body, route=route, identifier=identifier)

    def not_found(self, identifier: str) -> Response:
        """The only proof of absence."""
        return self.fail(404, f'Document with identifier "{identifier}" not found', DOCUMENT_PATH, identifier)

    def _authenticate(self, authorization: str | None) -> Response | None:
        if authorization is None:
            return answers.door_error(401, "Missing bearer token")
        bearer = _BEARER.fullmatch(authorization)
        if bearer is None:
            return answers.door_error(400, 'Malformed Authorization header, expected "Bearer <token>"')
        keys = self._settings.keys
        if authorization in self._revoked or (keys is not None and bearer[1] not in keys):
            return answers.door_error(403, "Invalid bearer token")
        return None

    def _owner(self, authorization: str | None) -> str:
        return answers.uuid_of("owner", authorization if self._settings.separate_owners else "")

    def _create(self, call: Call, bend: Bend) -> Response:
        spec = self._read_body(call)
        if isinstance(spec, Response):
            return spec
        identifier = spec.get("identifier")
        if bend.other_identifier or identifier is None:
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
            return self.fail(self._settings.taken_status, message, DOCUMENTS, identifier)
        body = answers.bare_answer(created) if bend.bare else answers.created_answer(created, spec)
        return Response(self._settings.created_status, body, route=DOCUMENTS, identifier=identifier)

    def _read_body(self, call: Call) -> dict[str, Any] | Response:
        """The validated body of a create, or the refusal."""
        if call.content_type != "application/json":
            return self.fail(415, f'Unsupported media type "{call.content_type}", send application/json', DOCUMENTS)
        try:
            spec = orjson.loads(call.body)
        except orjson.JSONDecodeError:
            return self.fail(400, "body: Invalid JSON", DOCUMENTS)
        if found := rules.problems(spec, unknown_fields=self._settings.unknown_fields):
            return self.fail(400, ", ".join(found), DOCUMENTS)
        spec = cast("dict[str, Any]", spec)
        for field, kind in (("modelId", "Model"), ("branchId", "Branch")):
            if spec.get(field, "").lower() in self._settings.unknown_models:
                return self.fail(404, f'{kind} with id "{spec[field]}" not found', DOCUMENTS)
        return spec

    def _new_identifier(self) -> str:
        while True:
            identifier = f"{self._dice.getrandbits(32):08x}"
            if self._store.find(identifier) is None:
                return identifier

    def _read(self, identifier: str, bend: Bend) -> Response:
        document = self._store.find(identifier)
        if document is None or self._clock() - document.created_at < bend.lag_seconds:
            return self.not_found(identifier)
        name = f"{document.name} (renamed)" if bend.other_name else document.name
        return Response(200, answers.read_answer(document, name), route=DOCUMENT_PATH, identifier=identifier)

    def _delete(self, identifier: str) -> Response:
        if not self._store.trash(identifier, self._clock()):
            return self.not_found(identifier)
        return Response(200, b'{"success":true}', route=DOCUMENT_PATH, identifier=identifier)

    def _list(self, call: Call) -> Response:
        if wrong := _wrong_query(call.query, LIST_PARAMETERS):
            return self.fail(400, wrong, DOCUMENTS)
        by_name = call.query.get("sortField") == "name"
        after = None
        if (cursor := call.query.get("cursor")) is not None:
            after = _decode_cursor(cursor, by_name=by_name)
            if after is None:
                return self.fail(400, "cursor: Invalid cursor", DOCUMENTS)
        if call.query.get("folderId") or call.query.get("labels"):
            return Response(200, _page([], has_next=False, cursor=None, size=0, total=0), route=DOCUMENTS)
        size = int(call.query.get("pageSize", "20"))
        descending = call.query.get("sortDirection", "asc" if by_name else "desc") == "desc"
        page = self._store.page(Listing(by_name, descending, call.query.get("creatorId"), after), size)
        records = [answers.list_record(document, self._base_url) for document in page.documents]
        cursor = _encode_cursor(page.documents[-1], by_name=by_name) if page.more else None
        return Response(
            200, _page(records, has_next=page.more, cursor=cursor, size=size, total=page.total), route=DOCUMENTS
        )

    def _answer_others(self, call: Call) -> Response:
        match call.path, call.method:
            case "/api/v1/whoami", "GET" if self._settings.whoami:
                return self._whoami(call)
            case "/api/v1/models", "GET":
                return self._models(call)
            case (("/api/v1/documents" | "/api/v1/models"), _):
                return self.fail(405, f"Method {call.method} not allowed", call.path)
            case _:
                return self.fail(404, "Not Found", "(other)")

    def _whoami(self, call: Call) -> Response:
        owner = self._owner(call.authorization)
        user = {"id": answers.uuid_of("user", owner), "membershipId": owner}
        who = {"user": user, "keyScope": "personal", "orgRole": "MEMBER", "rolesByModel": {_DEFAULT_MODEL: "MODELER"}}
        return Response(200, orjson.dumps(who), route=WHOAMI)

    def _models(self, call: Call) -> Response:
        if wrong := _wrong_query(call.query, MODELS_PARAMETERS):
            return self.fail(400, wrong, MODELS)
        asked = call.query.get("modelId")
        size = int(call.query.get("pageSize", "20"))
        if asked is not None:
            ids = [] if asked.lower() in self._settings.unknown_models else [asked.lower()]
            more = False
        else:
            found = self._store.model_ids(call.query.get("cursor", ""), size + 1) or [_DEFAULT_MODEL]
            ids, more = found[:size], len(found) > size
        records = [_model(model_id) for model_id in ids]
        cursor = ids[-1] if more else None
        return Response(200, _page(records, has_next=more, cursor=cursor, size=size, total=len(ids)), route=MODELS)


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


def _wrong_query(query: Mapping[str, str], known: Mapping[str, Any]) -> str | None:
    """What is wrong with a query's first wrong parameter."""
    for name, value in query.items():
        if name not in known:
            return f"{name}: Unrecognized parameter"
        if name == "pageSize" and not (value.isdecimal() and 1 <= int(value) <= _MOST_PER_PAGE):
            return f"pageSize: Expected a number from 1 to {_MOST_PER_PAGE}, received {value}"
        if name == "sortField" and value not in _SORTS:
            return f"sortField: Invalid enum value. Expected {' | '.join(sorted(_SORTS))}, received '{value}'"
        if name == "sortDirection" and value not in ("asc", "desc"):
            return f"sortDirection: Invalid enum value. Expected 'asc' | 'desc', received '{value}'"
        if name == "modelId" and not rules.UUID.fullmatch(value):
            return "modelId: Invalid uuid"
    return None


def _encode_cursor(last: Document, *, by_name: bool) -> str:
    place = [last.name if by_name else last.created_at, last.number]
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def _decode_cursor(cursor: str, *, by_name: bool) -> tuple[str | float, int] | None:
    try:
        place = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        return None
    match place:
        case [str() as name, int() as number] if by_name:
            return name, number
        case [float() | int() as at, int() as number] if not by_name:
            return at, number
        case _:
            return None
