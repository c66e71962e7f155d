"""Columns and cells of a spreadsheet: the field of a column, the value of a cell, formulas that are kept from running."""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Sequence
from functools import lru_cache

import orjson

from ..omni.fields import OURS, Kind
from ..omni.tables import ALL_FIELDS, KINDS


class Unread(str):
    """The text of a cell that should hold JSON and does not. It is still that text; validation says what is wrong."""

    __slots__ = ()


_SURELY_SHALLOW = 200  # brackets; orjson writes 254 levels, and reads 1,024
_BOOLEANS = {"true": True, "false": False}
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_DEFUSED = re.compile("''*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def value_of(field: str, cell: str) -> object:
    """What a cell of this field stands for: None if it is empty, `Unread` if it should be JSON and is not.

    Cells are trimmed, but a name is kept as it is.
    """
    text = cell.strip()
    if not text:
        return None
    match KINDS.get(field, Kind.TEXT):
        case Kind.TEXT:
            return cell if field == "name" else text
        case Kind.BOOLEAN:
            return _BOOLEANS.get(text.lower(), Unread(text))
        case Kind.JSON | Kind.UNTYPED:
            return json_or_unread(text)
        case Kind.LIST:
            return (
                json_or_unread(text)
                if text.startswith("[")
                else [part for each in text.split(";") if (part := each.strip())]
            )


def json_or_unread(text: str) -> object:
    """The JSON value in a text; `Unread` if it is none, or one nested so deeply that nobody could write or show it."""
    try:
        value = orjson.loads(text)
        if text.count("[") + text.count("{") > _SURELY_SHALLOW:
            orjson.dumps(value)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return Unread(text)
    return value


def cell_of(field: str, value: object) -> str | None:
    """The cell that `value_of` reads back as `value` (`""` for None), or None if there is no such cell."""
    if value is None:
        return ""
    kind = KINDS.get(field, Kind.TEXT)
    if kind is Kind.TEXT or isinstance(value, Unread):
        cell = value if isinstance(value, str) else None
    elif kind is Kind.LIST and isinstance(value, list) and value_of(field, "; ".join(map(str, value))) == value:
        cell = "; ".join(value)
    else:
        cell = orjson.dumps(value).decode()
    if cell is None or value_of(field, cell) != value or type(value_of(field, cell)) is not type(value):
        return None
    return cell


def defuse(cell: str) -> str:
    """Put a `'` before what a spreadsheet program would run as a formula. `restore` undoes it, for every text."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def restore(cell: str) -> str:
    """Undo `defuse`."""
    return cell[1:] if _DEFUSED.match(cell) else cell


LONGEST_CELL = 64 * 1024 * 1024  # characters; an answer has at most 8 MB


def delimiter_of(first: str) -> str:
    """The delimiter that makes the most known columns of a header, then the most columns."""

    def fit(delimiter: str) -> tuple[int, int]:
        cells = cells_of(first, delimiter)
        return sum(field_of(cell) is not None for cell in cells), len(cells)

    return max(",;\t", key=fit)


def cells_of(record: str, delimiter: str) -> list[str]:
    """The cells of one record; none if it is no record at all."""
    allow_long_cells()
    try:
        return next(csv.reader([record], delimiter=delimiter), [])
    except csv.Error:
        return []


def allow_long_cells(most: int = LONGEST_CELL) -> None:
    """Python's csv refuses cells of more than 131,072 characters. Its limit holds for the whole process, so raise it only.

    How long a row of an input may be is asked where rows are read, not here.
    """
    if csv.field_size_limit() < (limit := max(most, LONGEST_CELL)):
        csv.field_size_limit(limit)


def fold(header: str) -> str:
    """A column's name without what spelling varies in: case, spaces, `_` and `-`."""
    return header.strip().lower().replace(" ", "").replace("_", "").replace("-", "").replace("\u00a0", "")


_BY_FOLDED = {fold(name): name for name in (*ALL_FIELDS, *OURS)}
_FOLDERS = frozenset({"folderid", "folderpath"})


def field_of(header: str) -> str | None:
    """The field that a column of this header holds (`Model ID` → `modelId`), or None if no field is called so."""
    return _BY_FOLDED.get(fold(header))


def is_folder(name: str) -> bool:
    """Is this one of the API's names for a folder, for which ours is `folder`?"""
    return fold(name) in _FOLDERS


@lru_cache(maxsize=1024)
def nearest(name: str, known: Sequence[str]) -> str | None:
    """The known name that `name` was probably meant to be, or None."""
    folded = {fold(candidate): candidate for candidate in known}
    near = difflib.get_close_matches(fold(name)[:100], list(folded), n=1, cutoff=0.6)
    return folded[near[0]] if near else None
