"""A failures file in CSV → its lines, also if a spreadsheet program has saved it since."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import BinaryIO

import orjson

from .cells import allow_long_cells, delimiter_of, restore, value_of
from .columns import field_of

OUTCOME_PREFIX = "batcher_"


REST = "rest"


FAILURES = (
    "key",
    "source",
    "line",
    "outcome",
    "reason",
    "status",
    "message",
    "hint",
    "attempts",
    "identifier",
    "at",
    "run",
)


_NUMBERS = frozenset({"line", "attempts", "status", "elapsedMs"})


_NULLABLE = frozenset({"status", "identifier", "dashboardId", "workbookId"})


def failures_from_csv(stream: BinaryIO) -> Iterator[dict[str, object]]:
    """The lines of a failures file, also if a spreadsheet program has saved it since."""
    for names, cells in csv_records(stream, None):
        fields = [field_of(name) or name for name in names]
        yield failures_line(names, fields, cells)


def failures_line(columns: Sequence[str], fields: Sequence[str], cells: Sequence[str]) -> dict[str, object]:
    """The failures line in one record; `fields` are what the columns hold. Made by hand it may lack any part."""
    line: dict[str, object] = dict.fromkeys(FAILURES)
    own: dict[str, object] = {}
    rest: object = None
    for column, field, defused in zip(columns, fields, cells, strict=False):
        cell = restore(defused)
        if column == f"{OUTCOME_PREFIX}{REST}":
            rest = json_or_text(cell)
        elif column.startswith(OUTCOME_PREFIX):
            name = column.removeprefix(OUTCOME_PREFIX)
            line[name] = field_value(name, cell)
        elif (value := value_of(field, cell)) is not None:
            own[field] = value
    if isinstance(rest, dict):
        return line | {"spec": rest | own}
    return line | {"spec": own if own or rest is None else rest}


def csv_records(stream: BinaryIO, size: int | None) -> Iterator[tuple[list[str], list[str]]]:
    """The header and the cells of each record, whatever the delimiter."""
    allow_long_cells()
    lines = _lines(stream, size)
    first = next(lines, "").removeprefix("\ufeff")
    reader = csv.reader(chain([first], lines), delimiter=delimiter_of(first))
    names = next(reader, [])
    for cells in reader:
        if any(cells):
            yield names, cells


def _lines(stream: BinaryIO, size: int | None) -> Iterator[str]:
    offset = 0
    for line in stream:
        offset += len(line)
        if size is not None and offset > size:
            return
        yield line.decode()


def field_value(name: str, cell: str) -> object:
    if not cell:
        return None if name in _NULLABLE else ""
    if name in _NUMBERS:
        return int(cell) if cell.isascii() and cell.isdigit() else None
    return cell


def json_or_text(text: str) -> object:
    if not text.strip():
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
