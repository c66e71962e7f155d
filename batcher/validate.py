"""Row → spec, or every problem of it.

`normalise` turns cells into JSON values, trims ids and drops what is absent; `problems` names everything that is wrong
with the result. They are two steps because a run reads its inputs twice: the second time it only normalises, and proves
by a hash that the row is the one that was checked. Pydantic says where and in which way a value is wrong; the words are
ours (`allowed.py` has the rules).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from pydantic import ConfigDict, TypeAdapter, ValidationError

from .allowed import ALLOWED, document_type, nul_fields
from .cells import Unread, value_of
from .config import Reading
from .fields import API_FIELDS, ITEM_FIELDS, JSON_FIELDS, KEY, KINDS, TRIMMED, Kind, is_folder, nearest
from .identity import KEY_LENGTH
from .json_text import doubt_of, explain, kind_of, shown
from .models import Problem, Row, Spec

Normalised = dict[str, Any]

_CELL_LIMIT = 32_767  # characters; spreadsheet programs cut off what is longer


class Validator:
    """Checks rows one by one. Building one takes some milliseconds; make one per run."""

    def __init__(self, reading: Reading) -> None:
        self._ignore_unknown = reading.ignore_unknown
        config = ConfigDict(extra="ignore" if reading.ignore_unknown else "forbid", strict=True)
        self._validate = TypeAdapter[Any](document_type(config)).validator.validate_python
        self._plans: dict[tuple[str, ...], tuple[str, ...]] = {}

    def normalise(self, row: Row) -> Normalised:
        """The API's fields that this row has, in the API's order. Never raises; what is wrong stays as it is."""
        plan = self._plan(row)
        if row.cells:
            read = ((name, value_of(name, str(row.fields[name]))) for name in plan)
            found: Normalised = {name: value for name, value in read if value is not None}
        else:
            fields = row.fields
            found = {name: value for name in plan if (value := fields[name]) is not None}
            for name in TRIMMED:
                if isinstance(value := found.get(name), str):
                    found[name] = value.strip()
            version = found.get("metadataVersion")
            if isinstance(version, int | float) and not isinstance(version, bool):
                found["metadataVersion"] = str(int(version) if version == int(version) else version)
        if "queryPresentations" in found:
            self._tidy_items(found)
        return found

    def _plan(self, row: Row) -> tuple[str, ...]:
        """The API's fields in this row, in the API's order; rows of one input mostly look alike."""
        names = tuple(row.fields)
        plan = self._plans.get(names)
        if plan is None:
            if len(self._plans) >= 1000:
                self._plans.clear()
            plan = self._plans[names] = tuple(name for name in API_FIELDS if name in row.fields)
        return plan

    def _tidy_items(self, found: Normalised) -> None:
        """Drop what is null in a queryPresentations item, and what is unknown if that is to be ignored."""
        items = found["queryPresentations"]
        if not isinstance(items, list):
            return
        for number, item in enumerate(items):
            if isinstance(item, dict) and (self._ignore_unknown or None in item.values()):
                kept = ((name, value) for name, value in item.items() if value is not None)
                tidy = {name: value for name, value in kept if not self._ignore_unknown or name in ITEM_FIELDS}
                if len(tidy) != len(item):
                    if items is found["queryPresentations"]:
                        found["queryPresentations"] = items = list(items)
                    items[number] = tidy

    def problems(self, row: Row, normalised: Normalised | None = None) -> list[Problem]:
        """Everything that is wrong with the row; [] if it can be sent."""
        if row.fault is not None:
            return [Problem(row.source, row.line, "", row.fault)]
        body = self.normalise(row) if normalised is None else normalised
        found = [*self._own_problems(row), *self._wrong_values(body), *_doubts(row, body)]
        return [Problem(row.source, row.line, field, message) for field, message in found]

    def _wrong_values(self, body: Normalised) -> Iterator[tuple[str, str]]:
        try:
            self._validate(body)
        except ValidationError as error:
            for one in error.errors(include_url=False, include_context=False):
                yield _in_words(one["type"], one["loc"], one["input"])
        for name in ("filterConfig", "metadata"):
            if isinstance(value := body.get(name), Unread):
                yield name, _unread(name, value)
        if "metadata" in body and "metadataVersion" not in body:
            yield "metadataVersion", f"missing; metadata needs it beside it: {ALLOWED['metadataVersion']}"
        for name in nul_fields(body):
            yield name, f"{shown(body[name])} holds a NUL character; is the file damaged?"

    def _own_problems(self, row: Row) -> Iterator[tuple[str, str]]:
        """What is wrong with the key and with fields that the API does not know."""
        if KEY in row.fields and (message := key_problem(row)):
            yield KEY, message
        if not self._ignore_unknown and len(self._plan(row)) + (KEY in row.fields) < len(row.fields):
            for name, value in row.fields.items():
                if (
                    name not in KINDS
                    and name != KEY
                    and value is not None
                    and not (row.cells and not str(value).strip())
                ):
                    yield name[:60], _unknown(name, value, (*API_FIELDS, KEY))

    def spec_of(self, row: Row, key: str, normalised: Normalised) -> Spec:
        """The spec of a row without problems."""
        identifier = normalised.get("identifier")
        name, model_id = normalised["name"], normalised["modelId"]
        return Spec(key, row.source, row.line, name, model_id, identifier, orjson.dumps(normalised), row)


def own_key(row: Row) -> str | None:
    """The key that the row itself gives, trimmed; None if it gives none (or one that cannot be)."""
    value = row.fields.get(KEY)
    return value.strip() if isinstance(value, str) and key_problem(row) is None and value.strip() else None


def key_problem(row: Row) -> str | None:
    """What is wrong with the row's own key, if anything."""
    value = row.fields.get(KEY)
    if value is None or (row.cells and isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str):
        return f"must be text, but is {kind_of(value)}; allowed: {ALLOWED[KEY]}"
    key = value.strip()
    if not key:
        return f"is empty; leave it out, or give {ALLOWED[KEY]}"
    if len(key) > KEY_LENGTH:
        return f"{shown(key)} has {len(key)} characters; allowed: {ALLOWED[KEY]}"
    if not key.isprintable():
        return f"{shown(key)} holds a control character; allowed: {ALLOWED[KEY]}"
    return None


def _doubts(row: Row, body: Normalised) -> Iterator[tuple[str, str]]:
    """Cells whose JSON does not say what it seems to; and bodies that cannot be written."""
    if row.cells:
        for name in JSON_FIELDS:
            value = body.get(name)
            if isinstance(value, list | dict | int | float) and (
                doubt := doubt_of(str(row.fields[name]).encode(), value)
            ):
                yield name, doubt
        return
    try:
        orjson.dumps(body)
    except TypeError as error:
        yield "", f"cannot be written as JSON: {error}"


def _unknown(name: str, value: object, known: tuple[str, ...]) -> str:
    if is_folder(name):
        return (
            f"{shown(value)}: the API's v1 create has no folder: a document lands in the key owner's own folder; "
            "take the field out (or give --ignore-unknown) and move the documents afterwards"
        )
    near = nearest(name, known)
    hint = f"did you mean {near}?" if near else f"known: {', '.join(known)}."
    return f"unknown field with the value {shown(value)}; {hint} (--ignore-unknown leaves it out)"


def _in_words(kind: str, place: tuple[int | str, ...], value: object) -> tuple[str, str]:
    """The field, as a path, and what is wrong with it, for one complaint of pydantic's."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part[:60]}" for part in place).lstrip(".")
    rule = ".".join(part for part in place if isinstance(part, str))
    if place and isinstance(place[-1], int):
        rule += "[]"
    allowed = ALLOWED.get(rule, "")
    match kind:
        case "extra_forbidden":
            known = ITEM_FIELDS if len(place) > 1 else (*API_FIELDS, KEY)
            return path, _unknown(str(place[-1]), value, known)
        case "missing":
            return path, f"missing; required: {allowed}"
        case "string_too_short" | "string_too_long" if isinstance(value, str):
            size = "is empty" if not value else f"{shown(value)} has {len(value)} characters"
            return path, f"{size}; allowed: {allowed}"
        case "string_pattern_mismatch":
            return path, f"{shown(value)} cannot be used; allowed: {allowed}"
        case _ if isinstance(value, Unread):
            return path, _unread(rule, value)
        case _:
            return path, f"must be {allowed}, but is {kind_of(value)}"


def _unread(name: str, text: Unread) -> str:
    if KINDS.get(name) is Kind.BOOLEAN:
        return f"{shown(str(text))} is neither true nor false"
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        cut = "; a spreadsheet cell holds no more than 32,767 characters" if len(text) >= _CELL_LIMIT else ""
        return f"{shown(str(text))} is not JSON: {explain(error)}{cut}; allowed: {ALLOWED[name]}"
    return f"{shown(str(text))} cannot be used; allowed: {ALLOWED[name]}"
