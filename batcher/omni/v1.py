"""Version 1 of the Omni documents API: its URLs and bodies. What it answers is read in `v1_answers` and `judge`.

Version 2 stands beside it (`v2.py`), and has in common with it whatever it has no form of its own for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson

from ..models import ApiVersion, Spec
from ..placement import Placement, StepKind, steps_of
from . import comparable, judge, v1_answers
from .api import Question, Request
from .described import Offer, offer_of
from .verdicts import Look, Refused

DOCUMENTS = {version: f"/api/{version}/documents" for version in ApiVersion}
_CREATE = DOCUMENTS[ApiVersion.V1]
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
    differences = staticmethod(comparable.differences)
    is_match = staticmethod(comparable.is_match)
    version = ApiVersion.V1

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    def create(self, body: bytes, folder_id: str | None = None) -> Request:  # noqa: ARG002 - v1 creates in no folder
        """See `Api`."""
        return Request("POST", _CREATE, body)

    def steps_of(self, placement: Placement) -> tuple[StepKind, ...]:
        """See `Api`."""
        return steps_of(placement, goes_with_create=self.version is ApiVersion.V2)

    def get(self, identifier: str, version: ApiVersion | None = None) -> Question[Look]:
        """See `Api`."""
        by = version or self.version
        return Question(
            Request("GET", _document(identifier, by)),
            lambda reply, now: judge.judge_look(reply, identifier, now=now, version=by),
        )

    def delete(self, identifier: str) -> Question[Look | Refused]:
        """See `Api`."""
        return Question(
            Request("DELETE", _document(identifier)), lambda reply, now: judge.judge_delete(reply, identifier, now=now)
        )

    def newest(self, cursor: str | None = None) -> Question[Look]:
        """See `Api`."""
        query = {"pageSize": str(PAGE_SIZE), "sortField": "updatedAt", "sortDirection": "desc"}
        return _ask(_CREATE, query | ({"cursor": cursor} if cursor else {}))

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

    def offer_of(self, response: bytes) -> Offer | None:
        """See `Api`."""
        return offer_of(response, self.version)

    def url(self, identifier: str) -> str:
        """See `Api`."""
        return f"{self._base_url}/dashboards/{identifier}"


def _document(identifier: str, version: ApiVersion = ApiVersion.V1) -> str:
    return f"{DOCUMENTS[version]}/{quote(identifier, safe='')}"


def _ask(path: str, query: Mapping[str, str] | None = None) -> Question[Look]:
    return Question(Request("GET", path, query=query), lambda reply, now: judge.judge_ask(reply, now=now))
