"""Tables of cells → rows: the header, the delimiter, and every way in which a line of a table can be broken."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain

from ..errors import UsageError
from ..models import Row
from ..omni.fields import API_FIELDS, KEY
from . import failures_lines
from .broken import TOO_LONG, Broken, shortened
from .cells import allow_long_cells, delimiter_of, field_of
from .failures_csv import OUTCOME_PREFIX, failures_line, is_ours, is_sheet
from .streams import CHUNK_BYTES, LineGuard
from .unmeant import BLANK_AND_QUOTE, quote_after_blank, unmeant

_LINE_ROWS = 4  # a line may hold a few cells, each as long as a row may be
_NO_END = "There's no way to tell which rows follow it, so nothing was read; close it, or raise --max-row-bytes"

Record = tuple[int, list[str] | Broken]


@dataclass(frozen=True, slots=True)
class Header:
    """The first row of a table. `fields` has one name for each of `columns`, all different."""

    columns: tuple[str, ...]
    fields: tuple[str, ...]
    delimiter: str = ","
    of_failures: bool = False  # a failures file in the CSV form
    of_sheet: bool = False  # what `--sheet-out` wrote

    @property
    def layout(self) -> Layout:
        """The row's own columns, and the delimiter."""
        return Layout(tuple(column for column, _ in self._own()), self.delimiter)

    @property
    def own_fields(self) -> tuple[str, ...]:
        """What the row's own columns hold."""
        return tuple(field for _, field in self._own())

    def _own(self) -> list[tuple[str, str]]:
        """Columns and fields. A second column of one name goes by its field: two of them would be one in the failures file."""
        pairs = zip(self.columns, self.fields, strict=True)
        own = ((column, field) for column, field in pairs if column and not column.startswith(OUTCOME_PREFIX))
        return [(column if field_of(column) else field, field) for column, field in own]


def header_of(cells: list[str], source: str, line: int, delimiter: str = ",") -> Header:
    """The header in these cells. Raises UsageError if it is none, or has two columns for one field."""
    while cells and not cells[-1].strip():
        cells = cells[:-1]
    columns = tuple(cell.strip() for cell in cells)
    fields: dict[str, None] = {}
    for number, column in enumerate(columns, 1):
        field = field_of(column) or column or f"column {number}"
        if field in fields and field_of(column):
            first = columns[list(fields).index(field)]
            raise UsageError(f"{source}:{line}: two columns for {field}, “{first}” and “{column}”; remove one")
        while field in fields:
            field += f" (column {number})"
        fields[field] = None
    of_sheet = is_sheet(columns)
    header = Header(columns, tuple(fields), delimiter, is_ours(columns) and not of_sheet, of_sheet)
    if not header.of_failures:
        _require(header, source, line)
    return header


def _require(header: Header, source: str, line: int) -> None:
    known = [field for field in header.fields if field in API_FIELDS or field == KEY]
    found = ", ".join(column[:30] for column in header.columns[:8]) or "nothing"
    if not known:
        raise UsageError(f"{source}:{line}: the first row must name the columns (modelId, name, …); found: {found}")
    for name in ("modelId", "name"):
        if name not in known:
            near = get_close_matches(name.lower(), [column.lower() for column in header.columns], n=1)
            is_meant = f" Did you mean “{header.columns[_place(header, near[0])]}”? Rename it." if near else ""
            raise UsageError(
                f"{source}:{line}: there is no column {name}, which every document needs; found: {found}.{is_meant}"
            )


def _place(header: Header, lowered: str) -> int:
    return [column.lower() for column in header.columns].index(lowered)


def open_table(stream: io.BufferedIOBase, source: str, max_row_bytes: int) -> tuple[Header, Iterator[Record]]:
    """The header of a CSV text (UTF-8); then each row's first line and its cells, or what is wrong with it."""
    allow_long_cells(max_row_bytes)
    guarded = io.BufferedReader(LineGuard(stream, source, _LINE_ROWS * max_row_bytes), CHUNK_BYTES)
    text = io.TextIOWrapper(guarded, encoding="utf-8", newline="")
    first, skipped = _first_line(text)
    declared = first.strip().lower()
    if declared.startswith("sep=") and len(declared) <= len("sep=;"):
        delimiter = first.strip()[4:] or "\t"
        if delimiter == '"':
            raise UsageError(f"{source}:{skipped + 1}: a quote can't be the delimiter; write sep=; or remove the line")
        first, more = _first_line(text)
        skipped += 1 + more
    else:
        delimiter = delimiter_of(first)
    if not first:
        raise UsageError(f"{source}: is empty; the first row must name the columns (modelId, name, …)")
    taken: list[str] = []
    reader = csv.reader(_noted(chain([first], text), taken, max_row_bytes), delimiter=delimiter, strict=True)
    try:
        cells = next(reader)
    except csv.Error as error:
        raise UsageError(f"{source}:{skipped + 1}: the header's quoting is broken: {error}") from None
    if fault := quote_after_blank(taken, cells, delimiter):
        raise UsageError(f"{source}:{skipped + 1}: {fault}")
    header = header_of(cells, source, skipped + 1, delimiter)
    return header, _records(reader, taken, header, (source, skipped + 1), max_row_bytes)


def _first_line(text: io.TextIOWrapper) -> tuple[str, int]:
    for blanks, line in enumerate(text):
        if line.strip():
            return line, blanks
    return "", 0


def _noted(lines: Iterator[str], taken: list[str], most: int) -> Iterator[str]:
    """The lines, noted in `taken`. Raises csv.Error in the middle of a record of so many lines that it is too long."""
    size = 0
    for line in lines:
        if taken:
            size = len(line) + (size if len(taken) > 1 else len(taken[0]))
            if size > most:
                raise csv.Error(TOO_LONG)
        taken.append(line)
        yield line


def _records(
    reader: Iterator[list[str]], taken: list[str], header: Header, begin: tuple[str, int], most: int
) -> Iterator[Record]:
    """Each record; the reader puts the lines of the record at hand into `taken`, for the text of a broken one.

    `begin`: the input, and the line of its header.
    """
    width = len(header.fields)
    source, line = begin
    while True:
        line += len(taken)
        taken.clear()
        try:
            for cells in reader:
                first = taken[0]
                if (
                    len(taken) > 1
                    or len(cells) < width
                    or len(first) > most
                    or ((' "' in first or '\t"' in first) and any(map(BLANK_AND_QUOTE, cells)))
                ):
                    yield line, _judged(header, taken, cells, most)
                else:
                    yield line, cells
                line += len(taken)
                taken.clear()
        except csv.Error as error:
            if str(error) == TOO_LONG:
                raise UsageError(f"{source}:{line}: {_fault(TOO_LONG)} {_NO_END}") from None
            yield line, _broken(taken, _fault(str(error)))
        else:
            return


def _judged(header: Header, lines: list[str], cells: list[str], most: int) -> list[str] | Broken:
    fault = _fault(TOO_LONG) if sum(map(len, cells)) > most else unmeant(header, lines, cells)
    return cells if fault is None else _broken(lines, fault)


def _broken(lines: list[str], fault: str) -> Broken:
    return Broken(shortened("".join(lines).rstrip("\r\n")), fault)


def _fault(error: str) -> str:
    """What is wrong with a record, for a person; `error` is csv's word for it."""
    if error == TOO_LONG or "field limit" in error:
        return f"{TOO_LONG}; is a quote never closed?"
    if "unexpected end" in error:
        return "a quote that opens here is never closed, so the rest of the file ran into this row; close it"
    return f"the quoting is broken ({error}); write a quote inside a quoted cell twice"


@dataclass(frozen=True, slots=True)
class Table:
    """An open table: its records, and the rows that they are."""

    source: str
    header: Header
    records: Iterator[Record]

    def row(self, line: int, record: list[str] | Broken) -> Row | None:
        """The row in a record; None if it is blank."""
        if isinstance(record, Broken):
            return Row(self.source, line, {}, text=record.text, fault=record.fault)
        if not any(record):
            return None
        header, cells = self.header, record
        width = len(header.fields)
        if len(cells) != width:
            if any(cells[width:]):
                text = header.delimiter.join(cells)
                return Row(self.source, line, {}, text=text, fault=_too_many(len(cells), width))
            cells = [*cells[:width], *[""] * (width - len(cells))]
        if header.of_sheet:
            said = failures_line(header.columns, header.fields, cells)
            return failures_lines.row_of_sheet(self.source, line, said)
        if header.of_failures:
            said = failures_line(header.columns, header.fields, cells)
            return failures_lines.row_of(self.source, line, said, is_csv=True)
        return Row(self.source, line, dict(zip(header.fields, cells, strict=True)), cells=True, columns=header.columns)


def _too_many(found: int, allowed: int) -> str:
    return f"has {found} cells, but the header names {allowed} columns; put cells that hold the delimiter in quotes"


@dataclass(frozen=True, slots=True)
class Layout:
    """How the failures file in CSV is laid out: the row's own columns, as the input calls them, and its delimiter."""

    columns: tuple[str, ...]
    delimiter: str = ","
