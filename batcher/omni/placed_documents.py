"""Where the list of documents says that each one is: its folder and its labels (API.md 14)."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from ..models import ApiVersion
from .api import Question, Request
from .places import PAGE_SIZE, StepVerdict, judge_step, name_of_label
from .v1 import DOCUMENTS


class PlacedDocument(NamedTuple):
    """One document of the list. `labels` is None if the list doesn't tell them; a path is without a slash in front."""

    identifier: str
    folder_id: str | None
    folder_path: str | None
    labels: frozenset[str] | None


class PlacedPage(NamedTuple):
    """A page of the list. `cursor` asks for the next one; None after the last."""

    documents: tuple[PlacedDocument, ...]
    cursor: str | None


def list_documents(cursor: str | None = None) -> Question[StepVerdict]:
    """A page of all documents, by name, so that the order holds while it's read."""
    query = {"pageSize": str(PAGE_SIZE), "include": "labels", "sortField": "name", "sortDirection": "asc"}
    path = DOCUMENTS[ApiVersion.V1]
    return Question(Request("GET", path, query=query | ({"cursor": cursor} if cursor else {})), judge_step)


def placed_page_of(answered: bytes) -> PlacedPage | None:
    """Read such a page; None if it isn't one."""
    try:
        page = orjson.loads(answered)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(page, dict) or not isinstance(page.get("records"), list):
        return None
    documents = tuple(placed for record in page["records"] if (placed := _placed(record)) is not None)
    match page.get("pageInfo"):
        case {"hasNextPage": has_more, "nextCursor": str(cursor)} if has_more and cursor:
            return PlacedPage(documents, cursor)
        case _:
            return PlacedPage(documents, None)


def _placed(record: Any) -> PlacedDocument | None:
    match record:
        case {"identifier": str(identifier)}:
            pass
        case _:
            return None
    match record.get("labels"):
        case list(labels):
            named: frozenset[str] | None = frozenset(
                name.casefold() for label in labels if (name := name_of_label(label))
            )
        case _:
            named = None
    match record.get("folder"):
        case {"id": str(folder_id), "path": str(path)}:
            return PlacedDocument(identifier, folder_id, path.strip("/"), named)
        case _:
            return PlacedDocument(identifier, None, None, named)
