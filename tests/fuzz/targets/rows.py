"""Inputs of every format: what is read, judged, written down and read again."""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from batcher.config import Reading
from batcher.errors import UsageError
from batcher.files.csv_form import failures_header, failures_to_csv
from batcher.identity import placed_hash, spec_hash
from batcher.models import ApiVersion, Failed, Problem, Uncertain, encode_failure
from batcher.omni.fields import API_FIELDS, IDS, KEY, Kind
from batcher.omni.tables import KINDS, ONLY_V2
from batcher.omni.v2_body import body_of
from batcher.read.csv_table import Layout
from batcher.read.failures_lines import as_read, is_failure
from batcher.read.json_text import BrokenJson, parse_object
from batcher.read.json_texts import elements, lines
from batcher.read.read import layout_of
from batcher.read.sources import Source
from batcher.reasons import Reason
from batcher.validate.check import Checked, check, check_row
from batcher.validate.checked_rows import InvalidRow, ValidRow
from batcher.validate.claims import Claims, Places
from batcher.validate.validate import Validator

READINGS = (Reading(), Reading(ignore_unknown=True, max_row_bytes=200), Reading(api=ApiVersion.V2))
_FED_BACK = 4  # rows of each input whose failures lines are read back, which is most of the time
_AT = "2026-11-23T22:16:04.123+00:00"


@cache
def _spool(name: str) -> BinaryIO:
    return tempfile.TemporaryFile(prefix=name)  # one for each name, as long as the process


def source_of(name: str, data: bytes) -> Source:
    """An input of this name and content."""
    file = _spool(name)
    file.truncate(0)
    os.pwrite(file.fileno(), data, 0)
    return Source(name, Path(name), len(data), file)


@dataclass(slots=True)
class Seen:
    """What a check of one input came to."""

    error: str | None = None
    rows: list[ValidRow | InvalidRow] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def said(self) -> tuple[Any, ...]:
        """All of it, to be compared."""
        rows = [
            (row.key, row.written, row.line) if isinstance(row, ValidRow) else (row.key, row.row, row.problems)
            for row in self.rows
        ]
        return self.error, rows, self.problems, self.warnings


def checked(name: str, data: bytes, reading: Reading) -> Seen:
    """Check the input; only a UsageError may come out."""
    seen = Seen()
    try:
        counts = check(
            [source_of(name, data)],
            reading,
            on_problem=seen.problems.append,
            on_row=seen.rows.append,
            on_invalid=seen.rows.append,
            on_warning=seen.warnings.append,
        )
    except UsageError as error:
        seen.error = str(error)
        assert seen.error.startswith(f"{name}:")
    else:
        invalid = sum(isinstance(row, InvalidRow) for row in seen.rows)
        assert (counts.rows, counts.invalid, counts.valid) == (len(seen.rows), invalid, len(seen.rows) - invalid)
    return seen


def hold_rows(name: str, data: bytes) -> None:
    """Every law of reading, under three ways of reading."""
    for reading in READINGS:
        seen = checked(name, data, reading)
        assert seen.said() == checked(name, data, reading).said(), "reading is deterministic"
        validator = Validator(reading)
        keys = [row.key for row in seen.rows]
        assert len(set(keys)) == len(keys), "each row has a key of its own"
        for row in seen.rows:
            if isinstance(row, InvalidRow):
                assert row.problems
                assert all(problem.line >= 1 and problem.message for problem in row.problems)
            else:
                _hold_valid(row, validator, reading.api)
        assert seen.problems == [one for row in seen.rows if isinstance(row, InvalidRow) for one in row.problems]
        for row in seen.rows[:_FED_BACK]:
            _hold_line(row, reading, validator)
        if seen.error is None and seen.rows:
            _hold_table(name, data, reading, seen.rows[:_FED_BACK])


def _hold_valid(row: ValidRow, validator: Validator, version: ApiVersion) -> None:
    spec = row.spec()
    assert orjson.loads(spec.body) == row.body
    assert spec.spec_hash == placed_hash(spec_hash(spec.body), *spec.placement)
    known = API_FIELDS if version is ApiVersion.V1 else (*API_FIELDS, *ONLY_V2)
    assert set(row.body) <= set(known)
    if version is ApiVersion.V2:
        assert orjson.dumps(body_of(row.body, "f"))
    raw = row.row
    again = check_row(raw, Checked(Claims(Places([Path(row.source)]))), validator)
    assert isinstance(again, ValidRow)
    assert again.written == row.written, "the fast path says what the full validation says"
    for name in known:
        value = raw.fields.get(name)
        if raw.cells:
            _hold_cell(name, str(value or ""), row.body)
        elif not raw.is_fed_back and name not in ("queryPresentations", "metadataVersion"):
            expected = value.strip() if name in IDS and isinstance(value, str) else value
            assert row.body.get(name) == expected


def _hold_cell(name: str, cell: str, body: dict[str, Any]) -> None:
    if not cell.strip():
        assert name not in body
    elif KINDS[name] is Kind.TEXT:
        assert body[name] == (cell if name == "name" else cell.strip())
    elif KINDS[name] is not Kind.BOOLEAN and name != "queryPresentations":
        assert _same(body[name], json.loads(cell))


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _failure(row: ValidRow | InvalidRow) -> Failed | Uncertain:
    raw = row.row
    kind = Uncertain if raw.is_uncertain else Failed
    reason = Reason.INVALID if isinstance(row, InvalidRow) else Reason.REJECTED
    return kind(
        key=row.key, source=raw.source, line=raw.line, reason=reason, status=None, message="m", hint="h", attempts=1,
        identifier=None, at=_AT, run="r", spec=as_read(raw),
    )  # fmt: skip


def _reads_as_json(row: InvalidRow) -> bool:
    """A line of JSON in a table: as `spec` of a failures line it is a row."""
    try:
        return row.row.source.endswith(".csv") and bool(parse_object((row.row.text or "").encode()))
    except BrokenJson:
        return False


def _is_wrong_alone(row: ValidRow | InvalidRow, validator: Validator) -> bool:
    return bool(validator.problems(row.row))


def _hold_line(row: ValidRow | InvalidRow, reading: Reading, validator: Validator) -> None:
    """A row's failures line is the row: the same key, and the same body or none."""
    line = orjson.dumps(encode_failure(_failure(row)))
    (again,) = checked("f.jsonl", line, Reading(ignore_unknown=reading.ignore_unknown, api=reading.api)).rows
    _hold_again(row, again, validator)


def _hold_table(name: str, data: bytes, reading: Reading, rows: Iterable[ValidRow | InvalidRow]) -> None:
    """So is its record in a failures file of the CSV form, laid out as the input is."""
    validator = Validator(reading)
    layout = layout_of([source_of(name, data)], reading)
    assert isinstance(layout, Layout)
    for row in rows:
        table = failures_header(layout) + failures_to_csv(encode_failure(_failure(row)), layout)
        seen = checked("f.csv", table, Reading(ignore_unknown=reading.ignore_unknown, api=reading.api))
        assert len(seen.rows) == 1, seen.error
        _hold_again(row, seen.rows[0], validator)


def _hold_again(row: ValidRow | InvalidRow, again: ValidRow | InvalidRow, validator: Validator) -> None:
    if isinstance(row, ValidRow):
        assert again.key == row.key
        assert isinstance(again, ValidRow), again.problems
        assert again.written == row.written
    elif _is_wrong_alone(row, validator) and not _reads_as_json(row):
        assert isinstance(again, InvalidRow)
        assert again.key == row.key


class Short(io.RawIOBase):
    """A stream that gives out a few bytes at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__()
        self._data, self._size, self._at = data, size, 0

    def read(self, _: int = -1) -> bytes:
        """The next few."""
        piece = self._data[self._at : self._at + self._size]
        self._at += len(piece)
        return piece


def _in_pieces(kind: str, data: bytes, size: int) -> list[Any]:
    found: list[Any] = []
    try:
        stream: Any = Short(data, size) if size else io.BytesIO(data)
        found.extend(elements(stream, "a.json", 300) if kind == "json" else lines(stream, 300))
    except UsageError as error:
        found.append(str(error).partition(": ")[0])  # what is too deep and too long may be called either
    return found


def hold_csv(data: bytes) -> None:
    """A table of comma-separated values."""
    hold_rows("a.csv", data)


def hold_jsonl(data: bytes) -> None:
    """JSON Lines; besides, whatever the size of the pieces in which the text comes."""
    hold_rows("a.jsonl", data)
    whole = _in_pieces("jsonl", data, 0)
    assert _in_pieces("jsonl", data, 3 + len(data) % 61) == whole
    _hold_texts(data)


def _hold_texts(data: bytes) -> None:
    """Python's own parser reads in a valid row's line what is sent."""
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
        return
    texts = data.split(b"\n")
    for row in checked("a.jsonl", data, READINGS[0]).rows:
        if isinstance(row, ValidRow):
            read = json.loads(texts[row.line - 1].decode(), object_pairs_hook=_once)
            if not is_failure(read):
                there = {name: value for name, value in read.items() if value is not None and name in API_FIELDS}
                untouched = [name for name in there if name not in (*IDS, "queryPresentations", "metadataVersion")]
                assert there.keys() == row.body.keys()
                assert all(_same(there[name], row.body[name]) for name in untouched)
                assert KEY not in row.body


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs), "a key given twice is never sent"
    return dict(pairs)


def hold_json(data: bytes) -> None:
    """One array; besides, whatever the size of the pieces."""
    hold_rows("a.json", data)
    whole = _in_pieces("json", data, 0)
    assert _in_pieces("json", data, 3 + len(data) % 61) == whole
    if whole and all(isinstance(one, tuple) for one in whole) and data[:1] == b"[":
        try:
            read = json.loads(data)
        except (ValueError, RecursionError):
            return
        assert repr([json.loads(text) for _, text in whole]) == repr(read), "each element once, and all of them"


def hold_compressed(data: bytes) -> None:
    """Whatever the first bytes say it is: gzip, zstd, UTF-16."""
    for name in ("a.csv", "a.jsonl", "a.csv.gz", "stdin"):
        seen = checked(name, data, READINGS[1])
        assert seen.said() == checked(name, data, READINGS[1]).said()


WORDS = (
    *(name.encode() for name in (*API_FIELDS, KEY, "batcher_key", "batcher_outcome", "batcher_rest", "folder", "spec")),
    b"3f2b8c1e-5d4a-4b6f-9a7e-2c1d0e9f8a7b",
    b'[{"name":"a","query":{"table":"t","fields":[]}}]',
    b'{"key":"k","outcome":"failed","reason":"invalid","spec":{}}',
)
