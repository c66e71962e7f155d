"""The CSV form of the failures file, and of earlier versions' results: one line ↔ one record for a spreadsheet program.

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
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import orjson

from ..omni.fields import KEY
from ..read.cells import allow_long_cells, cell_of, defuse, delimiter_of, field_of, restore
from ..read.csv_table import Layout
from ..read.failures_csv import FAILURES, OUTCOME_PREFIX, REST, field_value, json_or_text


def is_csv(path: Path) -> bool:
    """Whether this file is in the CSV form (contract 6: a `.csv` name gives CSV)."""
    return path.suffix.lower() == ".csv"


def results_from_csv(stream: BinaryIO, size: int | None = None) -> Iterator[dict[str, object]]:
    """The lines of an earlier version's results file (of its first `size` bytes); a spreadsheet program may have saved it."""
    for names, cells in csv_records(stream, size):
        line = {name: field_value(name, restore(cell)) for name, cell in zip(names, cells, strict=False)}
        response = line.get("response")
        yield line | {"response": json_or_text(response) if isinstance(response, str) else response}


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


def failures_header(layout: Layout) -> bytes:
    """The first record of a failures file, after the byte order mark by which spreadsheet programs read it as UTF-8."""
    names = [*layout.columns, *(f"{OUTCOME_PREFIX}{name}" for name in (*FAILURES, REST))]
    return codecs.BOM_UTF8 + record(names, layout.delimiter)


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
    return record(cells, layout.delimiter)


def record(cells: Sequence[str], delimiter: str) -> bytes:
    """One record; no cell of it is run as a formula."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\r\n").writerow([defuse(cell) for cell in cells])
    return out.getvalue().encode("utf-8", "backslashreplace")


def _cell(value: object) -> str:
    return "" if value is None else str(value)
