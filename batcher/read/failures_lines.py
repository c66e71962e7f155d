"""What a failures line keeps of a row, and the row that such a line becomes when the failures file is fed back in.

A failures line's `spec` is the row as read. For a row from a spreadsheet it holds JSON values where a cell could be
read as JSON and the cell's text where not; so in a line that is read back, text in a field that is no text field is
taken for a cell. (Text that stood in an untyped field of a JSON input is therefore written as JSON, quotes and all.)

Which identifier counts: one in `spec` always, it is the user's. The one beside `spec` is what batcher used, and says
nothing new, except in a line that is uncertain and whose `spec` has none: there it is how a person settles the row,
by naming the document that was found. One of the form that batcher fills in by itself (a slug, `-` and 16 characters
of base32) is never taken for the person's; in the rare case that the document is really called so, put it in `spec`.
"""

from __future__ import annotations

import json
import re

import orjson

from ..identity import KEY_LENGTH, RAW, looks_filled, raw_key
from ..models import Row
from ..omni.fields import KEY, Kind
from ..omni.tables import JSON_FIELDS, KINDS
from ..reasons import Reason
from .cells import value_of
from .json_text import BrokenJson, parse_object

OUTCOMES = ("failed", "uncertain", "unfinished")
_REPEATED = re.compile(r"(?!name:|id:).+~\d+", re.DOTALL)  # for a second row with somebody's own key
_FAULT = 'spec {}; replace it with the row as a JSON object, like {{"modelId": "…", "name": "…"}}'
_CSV_FAULT = (
    "batcher_rest holds what was read of the row, which {}; fill in the row's own columns instead, modelId and name"
)


def as_read(row: Row) -> dict[str, object] | str:
    """What `spec` of a failures line holds for this row: its fields, or its text if it is too broken to have any.

    Where a line cannot hold its values, nested as deeply as they are, it holds texts that say the same.
    """
    read = values_of(row)
    try:
        orjson.dumps([[read]])
    except TypeError:
        if row.cells:
            return {field: cell for field, cell in row.fields.items() if str(cell).strip()}
        return json.dumps(row.fields)
    return read


def values_of(row: Row) -> dict[str, object] | str:
    """As `as_read`, but however deeply nested."""
    if row.fault is not None:
        return row.text or ""
    if row.cells:
        read = ((field, value_of(field, str(cell))) for field, cell in row.fields.items())
        return {field: value for field, value in read if value is not None}
    return {field: _as_cell(field, value) for field, value in row.fields.items()}


def _as_cell(field: str, value: object) -> object:
    if type(value) is str and KINDS.get(field) is Kind.UNTYPED:
        return orjson.dumps(value).decode()
    return value


def is_failure(line: dict[str, object]) -> bool:
    """Is this object a line of a failures file?"""
    return "spec" in line and "key" in line and line.get("outcome") in OUTCOMES


def row_of(source: str, number: int, line: dict[str, object], *, is_csv: bool = False) -> Row:
    """The row in a failures line; its key is the line's, unless it was refused for the key that it has itself."""
    spec = line["spec"]
    if not isinstance(spec, dict):
        text = spec if isinstance(spec, str) else orjson.dumps(spec).decode()
        try:
            spec = parse_object(text.encode("utf-8", "surrogatepass"))
        except BrokenJson as error:
            fault = (_CSV_FAULT if is_csv else _FAULT).format(error)
            return Row(source, number, {KEY: line["key"]}, text=text, fault=fault, is_fed_back=True)
    refused_as = _refused_as(line, spec)
    fields = dict(spec) if refused_as else {**spec, KEY: line["key"] or spec.get(KEY)}
    for name in JSON_FIELDS:
        if isinstance(value := fields.get(name), str):
            fields[name] = value_of(name, value)
    is_uncertain = line["outcome"] == "uncertain"
    if is_uncertain and not spec.get("identifier") and (beside := _beside(line)) and not looks_filled(beside):
        fields["identifier"] = beside  # a person's, as the attempt had none
    return Row(source, number, fields, is_fed_back=True, is_uncertain=is_uncertain, refused_as=refused_as)


def row_of_sheet(source: str, number: int, line: dict[str, object]) -> Row:
    """The row in a line of a sheet. Of what batcher wrote there only the key is taken: no word of it settles anything."""
    outcome, has_key = line["outcome"], bool(line["key"])
    row = row_of(source, number, line | {"outcome": "failed" if outcome == "uncertain" else outcome}, is_csv=True)
    fault = row.fault
    if not has_key and outcome and outcome != "to do":
        fault = (
            f"batcher_key is empty, but batcher_outcome says {outcome}; put the key back, or empty both for a new row"
        )
    return row._replace(fault=fault, is_fed_back=has_key, is_sheet=True)


def refused_key(own: object) -> str:
    """The key that a row gets whose own is another row's, or none that can be. It says which one was refused."""
    return raw_key(f"{KEY}\n{own.strip() if isinstance(own, str) else repr(own)}")


def _refused_as(line: dict[str, object], spec: dict[str, object]) -> str | None:
    """The line's key, if it stands for a refused one (`refused_key`); then the row's own counts, fixed or not.

    Version 0.1.0 gave such a row `a~2` for the key `a`, or made its key of identifier or name.
    """
    key, own = line["key"], spec.get(KEY)
    if not isinstance(key, str) or own is None or str(own).strip() in ("", key):
        return None
    if key.startswith(RAW):
        return key
    is_invalid = (line.get("outcome"), line.get("reason")) == ("failed", Reason.INVALID)
    can_be_key = isinstance(own, str) and own.strip().isprintable() and len(own.strip()) <= KEY_LENGTH
    return key if is_invalid and (not can_be_key or _REPEATED.fullmatch(key)) else None


def _beside(line: dict[str, object]) -> str:
    """The identifier beside `spec`; empty if there is none."""
    identifier = line.get("identifier")
    return identifier.strip() if isinstance(identifier, str) else ""
