"""The Omni documents API, version 1: its URLs, bodies and answers. Nothing else in the package knows them.

The facts are in `API.md` beside this file; where that page is unsure, each possible answer is understood. A second
module can live next to this one when version 2 is wanted.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson

from ..keys import ApiKey
from ..transport.reply import Answer, Reply, Transport
from .fields import API_FIELDS

DOCUMENTS = "/api/v1/documents"
PAGE_SIZE = 100  # the most that the list endpoint gives at once


class Made(NamedTuple):
    """What a create answered: the promised ids, and the identifier to keep (None if the answer names none)."""

    identifier: str | None
    dashboard_id: str | None
    workbook_id: str | None


@dataclass(frozen=True, slots=True)
class Document:
    """A document as read back. A field that the answer does not hold is missing from `fields`."""

    fields: Mapping[str, Any] = field(repr=False)

    @property
    def name(self) -> str | None:
        """The document's name, if the answer tells it."""
        name = self.fields.get("name")
        return name if isinstance(name, str) else None


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the list endpoint."""

    identifier: str
    name: str
    updated_at: str


class Omni:
    """The endpoint's requests. Each returns the bare reply when awaited; the functions below read it."""

    def __init__(self, transport: Transport, base_url: str) -> None:
        self.base_url = base_url
        self._request = transport.request

    def create(self, key: ApiKey, body: bytes) -> Awaitable[Reply]:
        """POST one document."""
        return self._request("POST", DOCUMENTS, key, body)

    def get(self, key: ApiKey, identifier: str) -> Awaitable[Reply]:
        """Read one document back."""
        return self._request("GET", f"{DOCUMENTS}/{quote(identifier, safe='')}", key)

    def delete(self, key: ApiKey, identifier: str) -> Awaitable[Reply]:
        """Move one document to Trash."""
        return self._request("DELETE", f"{DOCUMENTS}/{quote(identifier, safe='')}", key)

    def newest(self, key: ApiKey, cursor: str | None = None) -> Awaitable[Reply]:
        """A page of the documents, last updated first."""
        query = {"pageSize": str(PAGE_SIZE), "sortField": "updatedAt", "sortDirection": "desc"}
        return self._request("GET", DOCUMENTS, key, query=query | ({"cursor": cursor} if cursor else {}))

    def whoami(self, key: ApiKey) -> Awaitable[Reply]:
        """Who owns the key; missing (404) on older instances."""
        return self._request("GET", "/api/v1/whoami", key)

    def models(self, key: ApiKey, model_id: str | None = None) -> Awaitable[Reply]:
        """One model by its UUID, or the first of all."""
        query = {"modelId": model_id} if model_id else {"pageSize": "1"}
        return self._request("GET", "/api/v1/models", key, query=query)

    def description(self, key: ApiKey) -> Awaitable[Reply]:
        """The instance's own OpenAPI description."""
        return self._request("GET", "/openapi.json", key)

    def url(self, identifier: str) -> str:
        """The page of a document."""
        return f"{self.base_url}/dashboards/{identifier}"


def json_of(answer: Answer) -> Any | None:
    """The answer's JSON, or None when it holds none."""
    return _json(answer.body)


def made_of(answer: Answer) -> Made | None:
    """Read a create's 2xx; None if it does not look like one."""
    answered = json_of(answer)
    if not isinstance(answered, dict):
        return None
    workbook, dashboard = answered.get("workbook"), answered.get("dashboard")
    if not isinstance(workbook, dict) or not isinstance(dashboard, dict):
        return None
    return Made(
        _text(workbook.get("identifier") or dashboard.get("identifier")),
        _text(dashboard.get("dashboardId") or dashboard.get("id")),
        _text(workbook.get("id")),
    )


def document_of(answer: Answer) -> Document | None:
    """Read a GET's 200; None if it is no document."""
    answered = json_of(answer)
    return Document(answered) if isinstance(answered, dict) and ("name" in answered or "modelId" in answered) else None


def page_of(answer: Answer) -> tuple[list[Listed], str | None] | None:
    """Read a list page: its documents and the cursor of the next page, if there is one."""
    answered = json_of(answer)
    if not isinstance(answered, dict) or not isinstance(answered.get("records"), list):
        return None
    listed = [
        Listed(one["identifier"], _text(one.get("name")) or "", _text(one.get("updatedAt")) or "")
        for one in answered["records"]
        if isinstance(one, dict) and _text(one.get("identifier"))
    ]
    info = answered.get("pageInfo")
    more = isinstance(info, dict) and info.get("hasNextPage")
    return listed, _text(info.get("nextCursor")) if more and isinstance(info, dict) else None


def says_deleted(answer: Answer) -> bool:
    """Whether a 2xx to a DELETE says so; `{"success": true}` is documented, its absence is no denial."""
    answered = json_of(answer)
    return isinstance(answered, dict) and answered.get("success", True) is True


def owner_of(answered: bytes) -> str | None:
    """The id of the user that a whoami names."""
    match _json(answered):
        case {"user": {"id": str(owner)}} if owner:
            return owner
        case _:
            return None


def has_records(answered: bytes) -> bool | None:
    """Whether a list answer holds anything; None if it is no list."""
    match _json(answered):
        case {"records": list(records)}:
            return bool(records)
        case _:
            return None


def offers_create(described: bytes) -> bool | None:
    """Whether an OpenAPI description offers v1 create; None if it does not speak of documents at all."""
    match _json(described):
        case {"paths": dict(paths)}:
            creates = {path: one for path, one in paths.items() if _DOCUMENTS.search(str(path))}
        case _:
            return None
    if not creates:
        return None
    v1 = [one for path, one in creates.items() if str(path).rstrip("/").endswith("/v1/documents")]
    return any(not isinstance(one, dict) or "post" in one or "$ref" in one for one in v1)


def message_of(answer: Answer) -> str:
    """The API's own words, from any of the four error shapes; a short piece of the body where it is none of them."""
    answered = json_of(answer)
    if isinstance(answered, dict):
        for name in ("detail", "message", "error"):
            match answered.get(name):
                case str(text) if text:
                    return _one_line(text)
                case {"message": str(text)} if text:
                    return _one_line(text)
                case _:
                    continue
    text = re.sub(r"<[^>]*>", " ", answer.body[:4096].decode("utf-8", "replace"))
    return _one_line(text)[:200] or f"HTTP {answer.status} with an empty body"


def speaks_of_token(answer: Answer) -> bool:
    """Whether a 400 or 403 is about the key itself and not about the row, whatever words of the row it repeats."""
    if not isinstance(json_of(answer), dict):
        return False
    message = message_of(answer)
    return _FIELD.match(message) is None and _TOKEN.search(_QUOTED.sub("", message)) is not None


def proves_absence(answer: Answer, identifier: str) -> bool:
    """Whether a 404 is the application's own word on this document; a proxy's or router's 404 is not."""
    if answer.status != 404 or not isinstance(json_of(answer), dict):
        return False
    message = message_of(answer).lower()
    return "not found" in message and ("document" in message or identifier in message)


def speaks_of_model(answer: Answer) -> bool:
    """Whether a 404 to a create says that the model or the branch is unknown."""
    return isinstance(json_of(answer), dict) and _MODEL.search(message_of(answer)) is not None


def names_other_field(message: str) -> bool:
    """Whether a 400 blames a certain field other than the identifier, so that no GET is needed to understand it."""
    found = _FIELD.match(message)
    return found is not None and "identifier" not in message.lower()


_TOKEN = re.compile(r"\b(bearer|token|api[ _-]?key|authorization|authenticat\w+|credentials?)\b", re.IGNORECASE)
_MODEL = re.compile(r"\b(model|branch)", re.IGNORECASE)
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_FIELD = re.compile(rf"(?:Bad Request: )?(?:{'|'.join(API_FIELDS)})\b[^:]*: ")


_DOCUMENTS = re.compile(r"/v\d+/documents/?$")


def _json(text: bytes) -> Any | None:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _one_line(text: str) -> str:
    return " ".join(text.split())
