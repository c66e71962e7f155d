"""The sheet: each input row under the input's own columns, with what became of it (contract 4). A view, never the truth.

The rows are spooled as they are read, since an input is read once; what became of them is asked for at the end, of the
results and the journal. Memory holds what finds a line of these by its key, and no row.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import orjson

from ..config import Files
from ..errors import UsageError
from ..files.csv_form import record
from ..files.disk import Storage
from ..files.due_steps import DueSteps
from ..files.failures_view import journaled_failures
from ..files.history import Reported, UndoneDocuments
from ..files.key_history import NO_HISTORY
from ..files.results_index import DocumentOf, open_documents
from ..files.spool import Spool
from ..models import Failure, Row, Uncertain
from ..omni.fields import KEY
from ..read.cells import cell_of, field_of
from ..read.csv_table import Layout
from ..read.failures_csv import OUTCOME_PREFIX, SHEET
from ..reasons import HINTS, NOT_REACHED, UNCERTAIN, Reason

_TOGETHER = 1024  # rows whose failures are read from the journal in one go
_BROKEN = "row"  # the column for the text of a row that is too broken to have cells, where there is no other column

Outcomes = Mapping[int, Failure]  # by their offset in the journal


class SheetRow(NamedTuple):
    """A row as read: the key that it goes by, its cells in the order of the sheet's columns, and what is to be said.

    `problem` is what is wrong with it; `note` is for a created row.
    """

    key: str
    cells: tuple[str, ...]
    problem: str = ""
    note: str = ""


class Told(NamedTuple):
    """What became of a row, in the order of `SHEET`. Without a `key` the files know nothing of it."""

    outcome: str
    url: str = ""
    reason: str = ""
    message: str = ""
    hint: str = ""
    key: str = ""


@dataclass(slots=True)
class SheetRows:
    """All rows of the inputs, spooled; the columns of tables come first, then each field that a row has besides."""

    rows: Spool[SheetRow]
    delimiter: str = ","
    columns: list[str] = field(default_factory=list)
    _places: dict[str, int] = field(default_factory=dict)  # of each field among the columns

    @classmethod
    def beside(cls, storage: Storage, path: Path, stack: ExitStack) -> SheetRows:
        """None yet; they will be spooled in the directory of this file."""
        return cls(Spool[SheetRow](storage, path, stack))

    def lay_out(self, tables: Layout) -> None:
        """Begin with the columns of these tables, and without any row."""
        self.delimiter = tables.delimiter
        self.columns = list(tables.columns)
        self._places = {field_of(column) or column: number for number, column in enumerate(tables.columns)}
        self.rows.clear()

    def add(self, row: Row, key: str, *, problem: str = "", note: str = "") -> None:
        """One more row. Raises UsageError if the disk does not take it."""
        cells = dict(self._placed(row))
        last = max(cells, default=-1)
        self.rows.add(SheetRow(key, tuple(cells.get(number, "") for number in range(last + 1)), problem, note))

    def _placed(self, row: Row) -> Iterator[tuple[int, str]]:
        if row.fault is not None:
            yield (0 if self.columns else self._place(_BROKEN)), row.text or ""
            return
        for name, value in row.fields.items():
            place = self._places.get(name)
            if place is not None or (value not in (None, "") and not (name == KEY and row.is_fed_back)):
                yield self._place(name), value if row.cells and isinstance(value, str) else _cell(name, value)

    def _place(self, name: str) -> int:
        if name not in self._places:
            self._places[name] = len(self.columns)
            self.columns.append(name)
        return self._places[name]


def write_sheet(
    storage: Storage,
    files: Files,
    rows: SheetRows,
    reported: Reported,
    undone: UndoneDocuments,
) -> None:
    """Put the sheet into the place of `files.sheet`, in one step. `reported` and `undone` are what is known now.

    Raises UsageError if it can't be written.
    """
    path = files.sheet
    if path is None:
        return
    try:
        with open_documents(storage, files.results, undone) as document_of, storage.lock(path, b"another batcher"):
            known = _Known(storage, files.journal, reported, document_of)
            storage.replace(path, _chunks(rows, known.told(rows.rows)))
    except BlockingIOError as error:
        raise UsageError(f"{path}: the sheet is in use by {error}; {_AGAIN}") from error
    except OSError as error:
        raise UsageError(f"{path}: the sheet can't be written ({error.strerror or error}); {_AGAIN}") from error


_AGAIN = (
    "everything else is recorded. Free up space or name another file, and write it with: "
    "batcher status INPUT --sheet-out FILE.csv"
)


def _chunks(rows: SheetRows, told: Iterable[tuple[SheetRow, Told]]) -> Iterator[bytes]:
    """The text, with the byte order mark by which spreadsheet programs read it as UTF-8."""
    width = len(rows.columns)
    yield codecs.BOM_UTF8
    yield record([*rows.columns, *(f"{OUTCOME_PREFIX}{name}" for name in SHEET)], rows.delimiter)
    for row, outcome in told:
        yield record([*row.cells, *[""] * (width - len(row.cells)), *outcome], rows.delimiter)


@dataclass(frozen=True, slots=True)
class _Known:
    """What the files say of a row, by its key."""

    storage: Storage
    journal: Path
    reported: Reported
    document_of: DocumentOf

    def told(self, rows: Iterable[SheetRow]) -> Iterator[tuple[SheetRow, Told]]:
        """Each row with what became of it."""
        rows = iter(rows)
        while some := list(islice(rows, _TOGETHER)):
            said = [self.reported.get(row.key, NO_HISTORY).failure for row in some]
            offsets = sorted({offset for offset in said if offset is not None})
            failures = journaled_failures(self.storage, self.journal, offsets) if offsets else ()
            outcomes = dict(zip(offsets, failures, strict=True))
            yield from ((row, self._told(row, outcomes)) for row in some)

    def _told(self, row: SheetRow, outcomes: Outcomes) -> Told:
        history = self.reported.get(row.key)
        if isinstance(history, DueSteps):
            return self._unfinished(row, history, outcomes)
        created = (
            None
            if history is not None and (history.is_open or history.failure is not None)
            else self.document_of(row.key)
        )
        if created is not None:
            return Told("created", created.url, message=row.problem or row.note, key=row.key)
        failure = None if history is None or history.failure is None else outcomes[history.failure]
        if history is not None and history.is_open and not isinstance(failure, Uncertain):
            return Told("uncertain", reason=Reason.INTERRUPTED, hint=UNCERTAIN, key=row.key)
        if isinstance(failure, Uncertain):
            return Told("uncertain", "", failure.reason, failure.message, failure.hint, row.key)
        known = "" if history is None else row.key
        if row.problem and (failure is None or failure.reason is not Reason.INVALID):
            return Told("failed", "", Reason.INVALID, row.problem, HINTS[Reason.INVALID], known)
        if failure is not None:
            return Told("failed", "", failure.reason, failure.message, failure.hint, row.key)
        return Told("undone" if history is not None and history.is_undone else "to do", key=known)

    def _unfinished(self, row: SheetRow, due: DueSteps, outcomes: Outcomes) -> Told:
        """A created row that lacks steps."""
        created = self.document_of(row.key)
        url = "" if created is None else created.url
        failure = None if due.failure is None else outcomes[due.failure]
        if failure is None:
            hint = HINTS[Reason.INTERRUPTED]
            return Told("unfinished", url, Reason.INTERRUPTED, NOT_REACHED.format(due.kinds[0]), hint, row.key)
        return Told("unfinished", url, failure.reason, failure.message, failure.hint, row.key)


def _cell(name: str, value: object) -> str:
    """The text that a cell of this field holds: JSON, compact, for what is no text."""
    try:
        cell = cell_of(name, value)
        if cell is None:
            cell = value if isinstance(value, str) else orjson.dumps(value).decode()
    except TypeError:  # nested too deeply, or a number too large
        cell = json.dumps(value)
    return cell
