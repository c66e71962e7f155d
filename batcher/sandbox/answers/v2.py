"""What v2 answers to a create and to a read (API.md 8 and 10)."""

from __future__ import annotations

import orjson

from ..store import Document
from .state import state_of

CLASSIC = (
    "This document uses the classic dashboard layout, which the documents API does not support. "
    "Upgrade it to the advanced layout first."
)
APP = "This document is an app, which the documents API does not support."


def created_answer(document: Document) -> bytes:
    """The answer to a create: three fields, all there."""
    description = orjson.loads(document.body).get("description")
    return orjson.dumps({"identifier": document.identifier, "name": document.name, "description": description})


def read_answer(document: Document, name: str) -> bytes:
    """The answer to a read: no identifier, folder, owner or labels in it, as the API has it."""
    return orjson.dumps(state_of(document) | {"name": name})
