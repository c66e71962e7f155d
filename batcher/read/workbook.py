"""Workbooks (.xlsx and its kin) as rows of cell texts; needs the extra `omni-batcher[xlsx]`."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import UsageError
from .csv_table import Record
from .sources import Source, naming, open_bytes
from .streams import CHUNK_BYTES
from .workbook_size import MOST_BYTES, TOO_LARGE, require_bounded

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook


def sheet_rows(source: Source, sheet: str | None) -> Iterator[Record]:
    """The sheet's row number (1-based) and cells of each row. `sheet` None means the first one.

    Raises UsageError if the reader is not installed, the file isn't a workbook, or the sheet is not in it.
    """
    try:
        import python_calamine  # noqa: PLC0415 - an optional extra
    except ImportError:
        raise UsageError(
            f"{source.name}: reading a workbook needs an extra: pip install 'omni-batcher[xlsx]' (or save it as CSV)"
        ) from None
    with naming(source.name):
        with open_bytes(source) as stream:
            content = io.BytesIO()
            while piece := stream.read(CHUNK_BYTES):
                if content.write(piece) and content.tell() > MOST_BYTES:
                    raise UsageError(f"{source.name}: {TOO_LARGE}")
        require_bounded(content, source.name)
        try:
            workbook = python_calamine.CalamineWorkbook.from_filelike(content)
            chosen = _sheet(workbook, source, sheet)
            first = chosen.start[0] if chosen.start else 0
            rows = chosen.iter_rows()
        except (python_calamine.CalamineError, python_calamine.PasswordError) as error:
            raise UsageError(f"{source.name}: cannot be read as a workbook: {error}; save it as .xlsx or CSV") from None
        for number, cells in enumerate(rows, first + 1):
            yield number, [_text(cell) for cell in cells]


def _sheet(workbook: CalamineWorkbook, source: Source, sheet: str | None) -> CalamineSheet:
    if sheet is None:
        return workbook.get_sheet_by_index(0)
    if sheet not in workbook.sheet_names:
        raise UsageError(f"{source.name}: has no sheet “{sheet}”; it has: {', '.join(workbook.sheet_names)}")
    return workbook.get_sheet_by_name(sheet)


def _text(cell: object) -> str:
    """A cell as a spreadsheet program would write it into CSV."""
    match cell:
        case str():
            return cell
        case bool():
            return "TRUE" if cell else "FALSE"
        case float() if cell.is_integer():
            return str(int(cell))
        case dt.date() | dt.time():
            return cell.isoformat()
        case _:
            return str(cell)
