"""The file of `--sheet-out`: written over only if it is a sheet, and never one that a run reads or writes otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ...errors import UsageError
from ...files.disk import where_it_lies
from ...read.cells import cells_of, delimiter_of
from ...read.failures_csv import is_sheet

_HEAD_BYTES = 1 << 16


def sheet_file(given: Path, others: Iterable[Path]) -> Path:
    """Where the sheet goes; `others` are the run's inputs and its own files.

    Raises UsageError unless a sheet can be put there, and nothing else is lost by it.
    """
    option = f"--sheet-out {given}"
    if given.suffix.lower() != ".csv":
        raise UsageError(
            f"{option}: a sheet is CSV, and its name ends with .csv: use --sheet-out {given.with_suffix('.csv')}"
        )
    path = where_it_lies(given)
    if any(path.resolve() == other.resolve() or _is_same(path, other) for other in others):
        raise UsageError(f"{option} is an input, or a file of the run itself; name another file")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"{option}: can't be written; name a file in a directory that exists and is writable")
    if path.exists() and not path.is_file():
        raise UsageError(f"{option} isn't a regular file; name another one")
    if path.exists() and path.stat().st_size and not is_sheet_file(path):
        raise UsageError(
            f"{option} already exists and isn't a batcher sheet; it would be overwritten. Name another file"
        )
    return path


def is_sheet_file(path: Path) -> bool:
    """Whether the file begins as a sheet does."""
    try:
        with path.open("rb") as file:
            start = file.read(_HEAD_BYTES)
    except OSError:
        return False
    first = next(iter(start.splitlines()), b"").decode("utf-8-sig", "replace")
    return is_sheet(cell.strip() for cell in cells_of(first, delimiter_of(first)))


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False
