"""How large a workbook is, told before it is read: the reader lays out every cell up to the last one, used or not.

A file of 5 KB with one cell in the last column of the last row asked for 400 GB, which ends the process.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, BinaryIO

from ..errors import UsageError

MOST_BYTES = 1 << 29  # of the file, and of all its parts
MOST_CELLS = 50_000_000  # 24 bytes each in the reader
_CHUNK_BYTES = 1 << 20
_OVERLAP_BYTES = 128  # more than a cell's start tag
_SHEETS = "xl/worksheets/"
_WIDE = re.compile(rb"""r=["'][A-Z]{2}""")  # fewer columns than 27 can't be too many cells
_PLACE = re.compile(rb"""r=["']([A-Z]{1,3})([0-9]{1,7})["']""")  # of any cell; quick
# where a cell is that isn't empty (`<c r="XFD17" s="1"/>` is, however far out some style was given)
_REFERENCE = re.compile(rb"""<(?:\w+:)?c\s(?:[^>]*\s)?r=["']([A-Z]{1,3})([0-9]{1,7})["'](?:[^>]*[^/>])?>""")


def require_bounded(content: BinaryIO, name: str) -> None:
    """Raise UsageError if reading the workbook would take more memory than anybody's table of documents is worth."""
    try:
        with zipfile.ZipFile(content) as archive:
            parts = archive.infolist()
            if sum(part.file_size for part in parts) > MOST_BYTES:
                raise UsageError(f"{name}: {TOO_LARGE}")
            for part in parts:
                if part.filename.startswith(_SHEETS):
                    _require_near(archive, part, name)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError):
        pass  # an older form, damaged or encrypted: the reader says which
    finally:
        content.seek(0)


TOO_LARGE = f"the workbook holds more than {MOST_BYTES >> 20} MB; save the sheet as CSV"


def _require_near(archive: zipfile.ZipFile, part: zipfile.ZipInfo, name: str) -> None:
    with archive.open(part) as stream:
        if not any(map(_WIDE.search, _pieces(stream))):
            return
    rows, width = _reach(archive, part, _PLACE)
    if rows * width > MOST_CELLS:
        rows, width = _reach(archive, part, _REFERENCE)
    if rows * width > MOST_CELLS:
        raise UsageError(
            f"{name}: a sheet reaches to row {rows} and column {width}, most of it probably empty; "
            "delete the cells far out, or save the sheet as CSV"
        )


def _reach(archive: zipfile.ZipFile, part: zipfile.ZipInfo, place: re.Pattern[bytes]) -> tuple[int, int]:
    """The last row and the last column (from 1) of these places."""
    columns, rows = {b"A"}, 1
    with archive.open(part) as stream:
        for piece in _pieces(stream):
            if found := place.findall(piece):
                letters, digits = zip(*found, strict=True)
                columns.update(letters)
                rows = max(rows, *map(int, digits))
    return rows, max(map(_number_of, columns))


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    """The text in pieces that overlap, so that no reference is cut in two."""
    end = b""
    while piece := stream.read(_CHUNK_BYTES):
        yield end + piece
        end = piece[-_OVERLAP_BYTES:]


def _number_of(letters: bytes) -> int:
    """17 of Q."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number
