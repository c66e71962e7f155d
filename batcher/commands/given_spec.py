"""What a program gave as one spec → a row, as a file would hold it; what no file could hold is this row's fault alone."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from uuid import UUID

import orjson

from ..models import Row
from ..omni.fields import KEY
from ..read.broken import shortened

SOURCE = "specs"


def row_of(given: object, number: int) -> Row:
    """The row. Never raises, unless a mapping of the program's own does."""
    if not isinstance(given, Mapping):
        no_spec = f"a spec must be a mapping of the API's fields, or a batcher.Spec, but is {_kind(given)}"
        return Row(SOURCE, number, {}, text=_told(given), fault=no_spec)
    fields = {name: _plain(value) for name, value in given.items()}
    fault = _fault(fields)
    if fault is None:
        return Row(SOURCE, number, fields)
    key = fields.get(KEY)  # by which it's still the row that it was
    kept: dict[str, object] = {KEY: key} if isinstance(key, str) else {}
    return Row(SOURCE, number, kept, text=_told(fields), fault=fault)


def _plain(value: object) -> object:
    """What tables of programs hold: NaN is a cell without a value, a UUID is its text."""
    if isinstance(value, float) and math.isnan(value):
        return None
    return str(value) if isinstance(value, UUID) else value


def _fault(fields: dict[object, object]) -> str | None:
    """Why these can't be JSON, if they can't be."""
    try:
        orjson.dumps(
            fields
        )  # says no to what the check has better words for, too: half characters, large numbers, depth
    except TypeError:
        for name, value in fields.items():
            if not isinstance(name, str):
                return f"a field's name must be text, but {name!r} is {_kind(name)}"
            try:
                json.dumps(value)
            except (TypeError, ValueError, RecursionError) as error:
                return f"{name[:60]}: can't be written as JSON ({str(error)[:100]})"
    return None


def _told(given: object) -> str:
    """It as text, the same each time: no addresses, nothing in the order of a set."""
    if isinstance(given, Mapping):
        given = {str(name): value for name, value in given.items()}
    try:
        return shortened(json.dumps(given, default=lambda value: f"({_kind(value)})", skipkeys=True))
    except (TypeError, ValueError, RecursionError):
        return f"({_kind(given)})"


def _kind(value: object) -> str:
    return type(value).__name__
