"""Row → spec, or every problem of it.

`normalise` makes a row's body, `problems` names everything that is wrong with it. Pydantic-core says where
and in which way a value is wrong, by the table of fields; the words are ours (`complaints.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

import orjson
from pydantic_core import ErrorDetails, ValidationError

from ..api_keys import looks_like_api_key
from ..config import Reading
from ..errors import UsageError
from ..models import UNKNOWN, ApiVersion, Problem, Row
from ..omni import v2_rules
from ..omni.fields import ALLOWED, DOCUMENT, FOLDER, KEY, LABELS, OURS, UNTYPED_FIELDS
from ..omni.tables import JSON_FIELDS, TABLES
from ..read.cells import Unread
from ..read.json_text import doubt_of, kind_of
from . import complaints, schema
from .fast_path import FastPath
from .normalise import Body, Normaliser
from .placement import as_given
from .placement import findings as placement_findings

_Finding = tuple[str, str, str]  # field, message, cause
_MOST_PROBLEMS = 1000  # of one row
_MOST_SAID = 20  # names of fields in one message


class Validator:
    """Checks rows one by one. Making one takes some milliseconds, so make one per run."""

    def __init__(self, reading: Reading) -> None:
        self._ignore_unknown = reading.ignore_unknown
        self.default_placement = as_given(reading.folder, reading.labels)
        self._api_keys = reading.api_keys
        self._table = TABLES[reading.api]
        self._normaliser = Normaliser(self._table, ignore_unknown=reading.ignore_unknown)
        self._version = reading.api
        self._is_wrong = schema.QUICK[reading.api]
        self._is_v2 = reading.api is ApiVersion.V2

    def normalise(self, row: Row) -> Body:
        """The API's fields that this row has, in the API's order. Never raises; what is wrong stays as it is."""
        return self._normaliser.of_row(row)

    def refuse_api_keys(self, row: Row) -> None:
        """Raise UsageError for an API key where the row's key is expected; it's never shown.

        The row would stand in the failures file as it was read, so this is no problem of the row alone.
        """
        value = row.fields.get(KEY)
        if isinstance(value, str) and looks_like_api_key(value.strip(), self._api_keys):
            raise UsageError(
                f"{row.source}:{row.line}: key: this looks like an API key; a row's key names the row, and appears in "
                "files and messages. Remove it or use another one; the API key goes in OMNI_API_KEY. Nothing was sent."
            )

    def problems(self, row: Row, body: Body | None = None) -> list[Problem]:
        """Everything that is wrong with the row; [] if it can be sent."""
        if row.fault is not None:
            return [Problem(row.source, row.line, "", row.fault)]
        if body is None:
            body = self.normalise(row)
        placed = placement_findings(row) if row.fields.keys() & {FOLDER, LABELS} else ()
        findings = chain(_of_key(row), self._of_unknown(row), self._of_values(body), placed, _of_doubts(row, body))
        found = list(islice(findings, _MOST_PROBLEMS))
        if next(findings, None) is not None:
            found.append(("", f"this row has more than {_MOST_PROBLEMS:,} problems; these are the first", "many"))
        return [Problem(row.source, row.line, field, message, cause) for field, message, cause in found]

    def _of_unknown(self, row: Row) -> Iterator[_Finding]:
        if self._ignore_unknown or not self._normaliser.plan(tuple(row.fields)).unknown:
            return
        for name, value in row.fields.items():
            absent = value is None or (row.cells and not str(value).strip())
            if name not in self._table.document.fields and name not in OURS and not absent:
                yield name[:60], complaints.of_unknown(name, value, (*self._table.names, *OURS)), UNKNOWN

    def _of_values(self, body: Body) -> Iterator[_Finding]:
        for one in self._complaints(body):
            place = schema.place_of(one["loc"])
            yield *complaints.of_complaint(one["type"], place, one["input"], self._table), one["type"]
        for name in sorted(UNTYPED_FIELDS & body.keys()):
            if isinstance(value := body[name], Unread):
                yield name, complaints.of_unread(name, value, ALLOWED[name]), "unread"
            needed = DOCUMENT.fields[name].needs
            if needed is not None and needed not in body and not self._is_v2:
                yield needed, f"missing; {name} needs it too: {ALLOWED[needed]}", "missing"
        if self._is_v2:
            yield from ((field, message, message) for field, message in v2_rules.problems(body))

    def _complaints(self, body: Body) -> list[ErrorDetails]:
        """All that pydantic-core finds; of a long list, all in its beginning, or else the first."""
        try:
            self._is_wrong(body)
        except ValidationError as first:
            found = first
        else:
            return []
        try:
            schema.VALIDATE[self._version](schema.beginning(body))
        except ValidationError as error:
            found = error
        return found.errors(include_url=False, include_context=False)

    def left_out(self) -> str:
        """The unknown fields that were ignored since this was last asked, with what they were perhaps meant to be."""
        names = self._normaliser.take_left_out()
        said = [complaints.of_left_out(name, self._table) for name in names[:_MOST_SAID]]
        more = [f"{len(names) - _MOST_SAID} more"] if len(names) > _MOST_SAID else []
        return ", ".join([*said, *more])

    def fast_path(self) -> FastPath:
        """For rows about which nothing is wrong or unusual."""
        wrong = _refuse_v2 if self._is_v2 else self._is_wrong
        return FastPath(self._normaliser, wrong, self._ignore_unknown, self._api_keys)


def _refuse_v2(body: Body) -> None:
    """Raise ValueError for a body that v2 would refuse."""
    schema.QUICK[ApiVersion.V2](body)
    if any(True for _ in v2_rules.problems(body)):
        raise ValueError("refused by v2")


def own_key(row: Row) -> str | None:
    """The key that the row itself gives, trimmed; None if it gives none, or one that cannot be."""
    value = row.fields.get(KEY)
    if not isinstance(value, str) or complaints.of_key(value.strip()):
        return None
    return value.strip()


def _of_key(row: Row) -> Iterator[_Finding]:
    value = row.fields.get(KEY)
    if value is None or (row.cells and isinstance(value, str) and not value.strip()):
        return
    if not isinstance(value, str):
        yield KEY, f"must be {ALLOWED[KEY]}, but is {kind_of(value)}", "type"
    elif message := complaints.of_key(value.strip()):
        yield KEY, message, "key"


def _of_doubts(row: Row, body: Body) -> Iterator[_Finding]:
    """Cells whose JSON does not say what it seems to; and bodies that cannot be written."""
    try:
        orjson.dumps(body)
    except TypeError:
        yield "", "is nested too deeply, or contains text that is not Unicode", ""
        return
    for name in JSON_FIELDS if row.cells else ():
        value = body.get(name)
        if value is None or isinstance(value, Unread):
            continue
        if doubt := doubt_of(str(row.fields[name]).encode(), orjson.dumps(value)):
            yield name, doubt, "doubt"
