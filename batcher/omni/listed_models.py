"""The list of an instance's models: one request and what its answer says, the same under each version (API.md 14)."""

from __future__ import annotations

from typing import NamedTuple

import orjson

from .api import Question, Request
from .places import StepVerdict, judge_step

PAGE_SIZE = 100  # the most that a list gives at once


class ListedModel(NamedTuple):
    """One shared model. Names may be missing, and the same on several connections."""

    id: str
    name: str | None
    connection_id: str | None


class ModelPage(NamedTuple):
    """A page of the list. `cursor` asks for the next one; None after the last."""

    models: tuple[ListedModel, ...]
    cursor: str | None


def list_models(cursor: str | None = None) -> Question[StepVerdict]:
    """A page of the models that documents can be made on: There, and `model_page_of` reads it."""
    query = {"modelKind": "SHARED", "pageSize": str(PAGE_SIZE)} | ({"cursor": cursor} if cursor else {})
    return Question(Request("GET", "/api/v1/models", query=query), judge_step)


def model_page_of(answered: bytes) -> ModelPage | None:
    """Read a page; None if it isn't one. A record without an id is no model that a row could name."""
    try:
        page = orjson.loads(answered)
    except orjson.JSONDecodeError:
        return None
    match page:
        case {"records": list(records)}:
            models = tuple(model for record in records if (model := _model(record)) is not None)
        case _:
            return None
    match page.get("pageInfo"):
        case {"hasNextPage": True, "nextCursor": str(cursor)} if cursor:
            return ModelPage(models, cursor)
        case _:
            return ModelPage(models, None)


def _model(record: object) -> ListedModel | None:
    match record:
        case {"id": str(model_id), **rest}:
            return ListedModel(model_id, _text(rest.get("name")), _text(rest.get("connectionId")))
        case _:
            return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
