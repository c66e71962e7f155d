"""The CSV form of the results and failures files: one line ↔ one record that a spreadsheet program can open and save.

Cells that a spreadsheet program would take for a formula are defused, and that is undone on reading back. A failures
file has the row's own columns, under their names and in their order and in the input's own dialect, then the outcome's
with the prefix `batcher_`; what of a row has no column of its own (or would not survive in a cell) is JSON in
`batcher_rest`. Lines are plain objects here, with the keys of the JSON lines form.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import orjson

from .rows.cells import cell_of, defuse, restore, value_of
from .rows.fields import KEY, field_of

_FEWEST_COLUMNS = 10  # fewer than any file of ours has
LONGEST_CELL = 64 * 1024 * 1024  # characters; an answer has at most 8 MB
OUTCOME_PREFIX = "batcher_"
REST = "rest"
RESULTS = (
    "key",
    "source",
    "line",
    "outcome",
    "how",
    "specHash",
    "identifier",
    "name",
    "modelId",
    "url",
    "dashboardId",
    "workbookId",
    "attempts",
    "status",
    "elapsedMs",
    "at",
    "run",
    "response",
)
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


class StrayQuoteError(ValueError):
    """The record that begins in this line (1-based) has a quote that makes cells of the records after it."""

    def __init__(self, line: int) -> None:
        super().__init__("it has a quote too many or too few, which swallows the records after it")
        self.line = line


@dataclass(frozen=True, slots=True)
class Layout:
    """How the failures file in CSV is laid out: the row's own columns, as the input calls them, and its dialect.

    `mark`: begin with a byte order mark, as the input did.
    """

    columns: tuple[str, ...]
    delimiter: str = ","
    mark: bool = False


def is_csv(path: Path) -> bool:
    """Whether this file is in the CSV form (contract 6: a `.csv` name gives CSV)."""
    return path.suffix.lower() == ".csv"


def results_header() -> bytes:
    """The first record of a results file."""
    return _record(RESULTS, ",")


def results_to_csv(line: Mapping[str, object]) -> bytes:
    """One record; ends with a newline. `response` is any JSON value, or its text as bytes."""
    return _record([_response(line[name]) if name == "response" else _cell(line[name]) for name in RESULTS], ",")


def results_from_csv(stream: BinaryIO, size: int | None = None) -> Iterator[dict[str, object]]:
    """The lines of a results file (of its first `size` bytes), also if a spreadsheet program has saved it since."""
    for names, cells in _records(stream, size):
        line = {name: _value(name, restore(cell)) for name, cell in zip(names, cells, strict=False)}
        response = line.get("response")
        yield line | {"response": _json(response) if isinstance(response, str) else response}


def failures_header(layout: Layout) -> bytes:
    """The first record of a failures file."""
    names = [*layout.columns, *(f"{OUTCOME_PREFIX}{name}" for name in (*FAILURES, REST))]
    return (codecs.BOM_UTF8 if layout.mark else b"") + _record(names, layout.delimiter)


def failures_to_csv(line: Mapping[str, object], layout: Layout) -> bytes:
    """One record; ends with a newline."""
    spec, own = line["spec"], dict.fromkeys(layout.columns, "")
    rest: object = spec
    if isinstance(spec, dict):
        rest = {name: value for name, value in spec.items() if name != KEY or value != line["key"]}
        for column in layout.columns:
            name = field_of(column) or column
            if name in spec and (cell := cell_of(name, spec[name])) is not None:
                own[column] = cell
                rest.pop(name, None)
    cells = [*own.values(), *(_cell(line[name]) for name in FAILURES), orjson.dumps(rest).decode() if rest else ""]
    return _record(cells, layout.delimiter)


def failures_from_csv(stream: BinaryIO) -> Iterator[dict[str, object]]:
    """The lines of a failures file, also if a spreadsheet program has saved it since."""
    for names, cells in _records(stream, None):
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
            rest = _json(cell)
        elif column.startswith(OUTCOME_PREFIX):
            name = column.removeprefix(OUTCOME_PREFIX)
            line[name] = _value(name, cell)
        elif (value := value_of(field, cell)) is not None:
            own[field] = value
    if isinstance(rest, dict):
        return line | {"spec": rest | own}
    return line | {"spec": own if own or rest is None else rest}


def records(stream: BinaryIO) -> Iterator[bytes]:
    """The text of each record, the header included; the last one may be torn.

    A newline ends a record if the quotes before it are even in number.

    Raises:
        StrayQuoteError: a whole record stands inside of another: that has a quote too many, or one too few.
    """
    lines: list[bytes] = []
    quotes = 0
    names, delimiter = 0, ","
    for number, line in enumerate(stream, 1):
        if lines and names and _has_cells(line, names, delimiter):
            raise StrayQuoteError(number - len(lines))
        lines.append(line)
        quotes += line.count(b'"')
        if quotes % 2 == 0 and line.endswith(b"\n"):
            text = lines[0] if len(lines) == 1 else b"".join(lines)
            if not names:
                first = text.decode("utf-8-sig", "replace")
                delimiter = delimiter_of(first)
                names = len(cells_of(first, delimiter))
            yield text
            lines.clear()
            quotes = 0
    if lines:
        yield b"".join(lines)


def _has_cells(line: bytes, names: int, delimiter: str) -> bool:
    """Whether this line by itself is a record of so many cells. No line of a cell of text is: ours have many columns."""
    if names < _FEWEST_COLUMNS or line.count(b'"') % 2 or not line.endswith(b"\n"):
        return False
    return len(cells_of(line.decode("utf-8", "replace"), delimiter)) == names


def torn_record(stream: BinaryIO) -> tuple[int, bool] | None:
    """Where a last record without its end begins, and whether only its newline is missing; None if all is well.

    Ours ends with a cell of JSON, which no piece of it is. A torn one whose last cell happens to be empty is not whole.
    Raises StrayQuoteError as `records` does.
    """
    header = text = b""
    offset = 0
    for text in records(stream):
        header = header or text
        offset += len(text)
    quotes = text.count(b'"')
    if not text or (text.endswith(b"\n") and quotes % 2 == 0):
        return None
    return offset - len(text), quotes % 2 == 0 and text is not header and _is_complete(header, text)


def _is_complete(header: bytes, record: bytes) -> bool:
    first = header.decode("utf-8-sig", "replace")
    delimiter = delimiter_of(first)
    cells = cells_of(record.decode("utf-8", "replace"), delimiter)
    return len(cells) == len(cells_of(first, delimiter)) and _is_json(restore(cells[-1]))


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def delimiter_of(first: str) -> str:
    """The delimiter that makes the most columns of a header."""
    return max(",;\t", key=lambda delimiter: len(cells_of(first, delimiter)))


def cells_of(record: str, delimiter: str) -> list[str]:
    """The cells of one record; none if it is no record at all."""
    _allow_long_cells()
    try:
        return next(csv.reader([record], delimiter=delimiter), [])
    except csv.Error:
        return []


def _records(stream: BinaryIO, size: int | None) -> Iterator[tuple[list[str], list[str]]]:
    """The header and the cells of each record, whatever the delimiter."""
    _allow_long_cells()
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


def _allow_long_cells() -> None:
    """Python's csv refuses cells of more than 131,072 characters unless told otherwise, for the whole process."""
    if csv.field_size_limit() < LONGEST_CELL:
        csv.field_size_limit(LONGEST_CELL)


def _record(cells: Sequence[str], delimiter: str) -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\r\n").writerow([defuse(cell) for cell in cells])
    return out.getvalue().encode("utf-8", "backslashreplace")


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _response(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else orjson.dumps(value).decode()


def _value(name: str, cell: str) -> object:
    if not cell:
        return None if name in _NULLABLE else ""
    if name in _NUMBERS:
        return int(cell) if cell.isascii() and cell.isdigit() else None
    return cell


def _json(text: str) -> object:
    if not text.strip():
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
