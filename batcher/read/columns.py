"""The table of fields: what a document may hold, how a column is recognised, what a misspelt name was meant to be.

Source: the fields of `POST /api/v1/documents` (see `validate.py` for what each may hold). `key` is ours and never sent.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from functools import lru_cache

from ..omni.fields import API_FIELDS, KEY

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
