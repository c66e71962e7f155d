"""Version 1 of the Omni documents API: its URLs and bodies. What it answers is read in `v1_answers` and `judge`.

`V1` is the only `Api` today; another version can stand beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import orjson

from ..models import Spec
from . import compare, judge, v1_answers
from .api import Question, Request
from .compare import Difference
from .verdicts import Document, Look, Refused

DOCUMENTS = "/api/v1/documents"
PAGE_SIZE = 100  # the most that the list endpoint gives at once


def with_identifier(spec: Spec, identifier: str | None) -> bytes:
    """The body to send."""
    if identifier == spec.identifier:
        return spec.body
    if spec.identifier is None and identifier is not None:
        return spec.body[:-1] + b',"identifier":"' + identifier.encode() + b'"}'
    fields: dict[str, Any] = orjson.loads(spec.body)
    fields.pop("identifier", None)
    return orjson.dumps(fields if identifier is None else fields | {"identifier": identifier})


class V1:
    """`Api` for version 1. `base_url` has neither `/api` nor a slash at its end."""

    body_of = staticmethod(with_identifier)
    judge_create = staticmethod(judge.judge_create)
    page_of = staticmethod(v1_answers.page_of)
    owner_of = staticmethod(v1_answers.owner_of)
    has_records = staticmethod(v1_answers.has_records)
    offers_create = staticmethod(v1_answers.offers_create)

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    def create(self, body: bytes) -> Request:
        """See `Api`."""
        return Request("POST", DOCUMENTS, body)

    def get(self, identifier: str) -> Question[Look]:
        """See `Api`."""
        return Question(
            Request("GET", _document(identifier)), lambda reply, now: judge.judge_look(reply, identifier, now=now)
        )

    def delete(self, identifier: str) -> Question[Look | Refused]:
        """See `Api`."""
        return Question(
            Request("DELETE", _document(identifier)), lambda reply, now: judge.judge_delete(reply, identifier, now=now)
        )

    def newest(self, cursor: str | None = None) -> Question[Look]:
        """See `Api`."""
        query = {"pageSize": str(PAGE_SIZE), "sortField": "updatedAt", "sortDirection": "desc"}
        return _ask(DOCUMENTS, query | ({"cursor": cursor} if cursor else {}))

    def whoami(self) -> Question[Look]:
        """See `Api`."""
        return Question(
            Request("GET", "/api/v1/whoami"), lambda reply, now: judge.judge_ask(reply, now=now, is_of_key=True)
        )

    def models(self, model_id: str | None = None) -> Question[Look]:
        """See `Api`."""
        return _ask("/api/v1/models", {"modelId": model_id} if model_id else {"pageSize": "1"})

    def description(self) -> Question[Look]:
        """See `Api`."""
        return _ask("/openapi.json")

    def url(self, identifier: str) -> str:
        """See `Api`."""
        return f"{self._base_url}/dashboards/{identifier}"

    def differences(self, sent: bytes, document: Document) -> Iterator[Difference]:
        """See `Api`."""
        return compare.differences(orjson.loads(sent), document.fields)

    def is_match(self, sent: bytes, document: Document) -> bool:
        """See `Api`."""
        return compare.is_match(orjson.loads(sent), document.fields)


def _document(identifier: str) -> str:
    return f"{DOCUMENTS}/{quote(identifier, safe='')}"


def _ask(path: str, query: Mapping[str, str] | None = None) -> Question[Look]:
    return Question(Request("GET", path, query=query), lambda reply, now: judge.judge_ask(reply, now=now))
