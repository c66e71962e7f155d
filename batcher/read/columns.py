"""The table of fields: what a document may hold, how a column is recognised, what a misspelt name was meant to be.

Source: the fields of `POST /api/v1/documents` (see `validate.py` for what each may hold). `key` is ours and never sent.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from enum import Enum
from functools import lru_cache


class Kind(Enum):
    """What a cell of this field holds, and so how it is read."""

    TEXT = "text"
    ARRAY = "a JSON array"
    BOOLEAN = "true or false"
    UNTYPED = "JSON"


KINDS: dict[str, Kind] = {  # in the API's own order, which is the order of a body
    "modelId": Kind.TEXT,
    "name": Kind.TEXT,
    "description": Kind.TEXT,
    "identifier": Kind.TEXT,
    "queryPresentations": Kind.ARRAY,
    "branchId": Kind.TEXT,
    "facetFilters": Kind.BOOLEAN,
    "filterConfig": Kind.UNTYPED,
    "filterOrder": Kind.ARRAY,
    "metadata": Kind.UNTYPED,
    "metadataVersion": Kind.TEXT,
}
API_FIELDS = tuple(KINDS)
JSON_FIELDS = tuple(name for name, kind in KINDS.items() if kind is not Kind.TEXT)
TRIMMED = ("modelId", "identifier", "branchId")  # ids; a name is kept as it is
KEY = "key"

ITEM_FIELDS = (
    "name",
    "query",
    "topicName",
    "description",
    "subTitle",
    "prefersChart",
    "chartType",
    "resultConfig",
    "aiConfig",
    "visConfig",
)

_FOLDERS = {"folder": "folder", "folderid": "folderId", "folderpath": "folderPath"}


def fold(header: str) -> str:
    """A column's name without what spelling varies in: case, spaces, `_` and `-`."""
    return header.strip().lower().replace(" ", "").replace("_", "").replace("-", "").replace("\u00a0", "")


_BY_FOLDED = {fold(name): name for name in (*API_FIELDS, KEY)} | _FOLDERS


def field_of(header: str) -> str | None:
    """The field that a column of this header holds (`Model ID` → `modelId`), or None if no field is called so."""
    return _BY_FOLDED.get(fold(header))


def is_folder(name: str) -> bool:
    """Is this one of the names under which people expect a folder? The API's v1 create has none."""
    return fold(name) in _FOLDERS


@lru_cache(maxsize=1024)
def nearest(name: str, known: Sequence[str]) -> str | None:
    """The known name that `name` was probably meant to be, or None."""
    folded = {fold(candidate): candidate for candidate in known}
    near = difflib.get_close_matches(fold(name)[:100], list(folded), n=1, cutoff=0.6)
    return folded[near[0]] if near else None
