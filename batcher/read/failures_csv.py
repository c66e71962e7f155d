"""A record of a failures file in CSV, or of a sheet → its line, also if a spreadsheet program has saved it since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .cells import json_or_unread, restore, value_of

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
SHEET = ("outcome", "url", "reason", "message", "hint", "key")
_OF_FAILURES = frozenset(f"{OUTCOME_PREFIX}{name}" for name in {*FAILURES, REST} - set(SHEET))
_NUMBERS = frozenset({"line", "attempts", "status", "elapsedMs"})
_MOST_DIGITS = 18  # Python reads no more than 4,300, and nothing that is counted here has more
_NULLABLE = frozenset({"status", "identifier", "dashboardId", "workbookId"})


def is_ours(columns: Iterable[str]) -> bool:
    """Whether batcher wrote a table of these columns: a failures file, or a sheet."""
    return not {f"{OUTCOME_PREFIX}key", f"{OUTCOME_PREFIX}outcome"}.isdisjoint(columns)


def is_sheet(columns: Iterable[str]) -> bool:
    """Whether it is a sheet, even if columns were taken out: it has none of those that only a failures file has."""
    columns = set(columns)
    return is_ours(columns) and _OF_FAILURES.isdisjoint(columns)


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


def field_value(name: str, cell: str) -> object:
    if not cell:
        return None if name in _NULLABLE else ""
    if name in _NUMBERS:
        return int(cell) if cell.isascii() and cell.isdigit() and len(cell) <= _MOST_DIGITS else None
    return cell


def json_or_text(text: str) -> object:
    return json_or_unread(text) if text.strip() else None
