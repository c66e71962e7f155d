"""Records of CSV that can be read, but that nobody means: a quote in the wrong place, a file that is cut off."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from .failures_csv import OUTCOME_PREFIX

if TYPE_CHECKING:
    from .csv_table import Header

BLANK_AND_QUOTE = re.compile(r'\s+"').match
_UUID = re.compile("[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


def unmeant(header: Header, lines: Sequence[str], cells: Sequence[str]) -> str | None:
    """What is surely not meant in a record of these lines; None if nothing is."""
    if fault := quote_after_blank(lines, cells, header.delimiter):
        return fault
    if len(lines) > 1 and (fault := _swallowed(header, cells)):
        return fault
    width = len(header.fields)
    if len(cells) < width and any(cells) and not lines[-1].endswith(("\n", "\r")):
        return (
            f"is cut off: it has {len(cells)} of {width} cells and no line end; complete the file "
            "(or, if this is all of the row, end its line)"
        )
    return None


def quote_after_blank(lines: Sequence[str], cells: Sequence[str], delimiter: str) -> str | None:
    """A cell that begins with blanks and a quote is no quoted cell: the quotes would be part of its text."""
    if not any(map(BLANK_AND_QUOTE, cells)):
        return None
    for number, written in enumerate(_as_written(delimiter).findall("".join(lines)), 1):
        if BLANK_AND_QUOTE(written):
            return (
                f"cell {number}: a quote after a space; remove the space "
                "(or, if both are meant, put the whole cell in quotes and double the quotes in it)"
            )
    return None


@cache
def _as_written(delimiter: str) -> re.Pattern[str]:
    """Finds the cells of a record, quotes and all."""
    return re.compile(rf'("(?:[^"]|"")*+"|[^{re.escape(delimiter)}]*+)(?:{re.escape(delimiter)}|\s*\Z)')


def _swallowed(header: Header, cells: Sequence[str]) -> str | None:
    """A cell that holds rows of this table: between two quotes that belong to different rows.

    Such a line has a model's id where the table has it, and reaches as far as the cell itself at least.
    """
    if "modelId" not in header.fields:
        return None
    model_at = header.fields.index("modelId")
    for number, (column, cell) in enumerate(zip(header.columns, cells, strict=False), 1):
        more = cell.splitlines()[1:]
        rows = (line.split(header.delimiter) for line in more)
        if not column.startswith(OUTCOME_PREFIX) and any(
            len(row) >= max(number, model_at + 1) and _UUID.fullmatch(row[model_at].strip()) for row in rows
        ):
            count = "the next line" if len(more) == 1 else f"the next {len(more)} lines"
            return (
                f"cell {number}: a quote that opens here swallows {count}; close it where the cell ends, or double it"
            )
    return None
