"""Files → rows, one at a time.

CSV, JSON lines, a JSON array, a workbook, or one of our own failures files; the kind is told by the name, or with
`Reading.format`. A row that cannot be read has `fault` and `text`, and reading goes on; what is wrong with a whole file
is a `UsageError`. Nothing is kept of a row that has been given out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ..config import Reading
from ..errors import UsageError
from ..models import Row
from ..omni.fields import API_FIELDS
from . import csv_table, json_shapes, json_texts, workbook
from .at_rest import require_at_rest
from .csv_table import Header, Layout, Table
from .failures_lines import as_read
from .json_text import shown
from .json_texts import Texts
from .sources import SAVE_AS_UTF8, Source, naming, open_bytes, open_utf8

__all__ = ["as_read", "format_of", "layout_of", "read_contents"]

FORMATS = ("csv", "jsonl", "json", "xlsx")
_BY_SUFFIX = {
    **dict.fromkeys((".csv", ".tsv"), "csv"),
    **dict.fromkeys((".jsonl", ".ndjson"), "jsonl"),
    ".json": "json",
    **dict.fromkeys((".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"), "xlsx"),
}


T = TypeVar("T")


class Content(Protocol):
    """An open input."""

    @property
    def source(self) -> str:
        """The input, as the user called it."""

    @property
    def records(self) -> Iterator[tuple[int, Any]]:
        """The line and the content of each record, once."""

    def row(self, line: int, record: Any) -> Row | None:
        """The row in a record; None if it is blank."""


def read_contents(inputs: Sequence[Source | Path], reading: Reading) -> Iterator[Content]:
    """Each input, one after the other, as it is opened: its records, as they are found, and what makes rows of them.

    Args:
        inputs: what `decode.open_inputs` gives (then each is read only up to its size at that time), or paths.
        reading: how to read them.

    Raises:
        UsageError: something is wrong with a whole file; also while records are taken, and after the last one, if the
            file has changed meanwhile.
    """
    for given in inputs:
        source = given if isinstance(given, Source) else Source(str(given), given)
        with ExitStack() as stack:
            with _naming(source):
                content = stack.enter_context(_open(source, reading))
            yield content
        with naming(source.name):
            require_at_rest(source, is_lines=format_of(source, reading) in ("csv", "jsonl"))


@contextmanager
def _open(source: Source, reading: Reading) -> Iterator[Content]:
    kind = format_of(source, reading)
    if kind == "xlsx":
        yield Table(source.name, *_sheet(source, reading))
        return
    with open_utf8(source) as stream:
        if kind == "csv":
            header, records = csv_table.open_table(stream, source.name, reading.max_row_bytes)
            yield Table(source.name, header, _named(source, records))
        elif kind == "json":
            texts = json_texts.elements(stream, source.name, reading.max_row_bytes)
            yield Texts(source.name, _named(source, texts))
        else:
            lines = json_texts.lines(stream, reading.max_row_bytes)
            yield Texts(source.name, _named(source, json_shapes.one_a_line(source.name, lines)))


def _named(source: Source, records: Iterator[T]) -> Iterator[T]:
    with _naming(source):
        yield from records


@contextmanager
def _naming(source: Source) -> Iterator[None]:
    """As `decode.naming`, and says in which line a text stops being UTF-8."""
    with naming(source.name):
        try:
            yield
        except UnicodeDecodeError as error:
            if error.encoding != "utf-8":
                raise
            raise UsageError(f"{_not_utf8(source)}; {SAVE_AS_UTF8}") from None


def _not_utf8(source: Source) -> str:
    """Where the text stops being UTF-8: read the file once more to find the line."""
    with open_bytes(source) as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                found = line[max(error.start - 20, 0) : error.start + 1].decode("latin-1")
                return f"{source.name}:{number}: is not UTF-8 text, at {shown(found)}"
    return f"{source.name}: is not UTF-8 text"


def _sheet(source: Source, reading: Reading) -> tuple[Header, Iterator[csv_table.Record]]:
    rows = workbook.sheet_rows(source, reading.sheet)
    for line, cells in rows:
        if isinstance(cells, list) and any(cells):
            return csv_table.header_of(cells, source.name, line), rows
    raise UsageError(f"{source.name}: the sheet is empty; its first row must name the columns (modelId, name, …)")


def format_of(source: Source, reading: Reading) -> str:
    """csv, jsonl, json or xlsx: as told, or by the name, or (standard input, pipes) by how the content begins."""
    if reading.format is not None:
        if reading.format not in FORMATS:
            raise UsageError(f"--format {reading.format}: is not known; choose one of {', '.join(FORMATS)}")
        return reading.format
    suffixes = [suffix.lower() for suffix in source.path.suffixes]
    if suffixes and suffixes[-1] in (".gz", ".zst"):
        suffixes.pop()
    if suffixes and suffixes[-1] in _BY_SUFFIX:
        return _BY_SUFFIX[suffixes[-1]]
    if source.spool is None:
        raise UsageError(f"{source.name}: can't tell the format from the file name; use --format {'|'.join(FORMATS)}")
    return _sniffed(source)


def _sniffed(source: Source) -> str:
    with open_utf8(source) as stream:
        match stream.peek(1024)[:1024].lstrip()[:1]:
            case b"[":
                return "json"
            case b"{":
                return "jsonl"
            case b"P":
                return "xlsx" if stream.peek(4)[:4] == b"PK\x03\x04" else "csv"
            case _:
                return "csv"


def layout_of(inputs: Sequence[Source | Path], reading: Reading, others: tuple[str, ...] = API_FIELDS) -> Layout:
    """The columns of all tables among these inputs, each field once, in the dialect of the first input.

    `others` stand for the columns of an input that is no table. Raises UsageError as `read_contents` does.
    """
    found: Layout | None = None
    fields: list[str] = []
    columns: list[str] = []
    for given in inputs:
        source = given if isinstance(given, Source) else Source(str(given), given)
        with _naming(source):
            header = _header(source, reading)
            own = Layout(others) if header is None else header.layout
            names = others if header is None else header.own_fields
            found = found or own
            for column, name in zip(own.columns, names, strict=True):
                if name not in fields:
                    fields.append(name)
                    columns.append(column)
    return replace(found or Layout(()), columns=tuple(columns) or others)


def _header(source: Source, reading: Reading) -> Header | None:
    match format_of(source, reading):
        case "csv":
            with open_utf8(source) as stream:
                return csv_table.open_table(stream, source.name, reading.max_row_bytes)[0]
        case "xlsx":
            return _sheet(source, reading)[0]
        case _:
            return None
