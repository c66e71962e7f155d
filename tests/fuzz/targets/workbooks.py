"""Workbooks: the parts of an .xlsx file, of which one is mutated, and the file as a whole."""

from __future__ import annotations

import io
import zipfile
from functools import cache

import openpyxl

from batcher.config import Reading

from .rows import checked

_MODEL = "3f2b8c1e-5d4a-4b6f-9a7e-2c1d0e9f8a7b"


@cache
def _parts() -> dict[str, bytes]:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["modelId", "name", "facetFilters", "description"])
    sheet.append([_MODEL, "a", True, 1.5])
    out = io.BytesIO()
    book.save(out)
    with zipfile.ZipFile(out) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def workbook_of(data: bytes) -> bytes:
    """The first line names the part that the rest replaces; without such a name it is the file itself."""
    first, _, rest = data.partition(b"\n")
    name = first.decode("latin-1")
    if name not in _parts():
        return data
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for other, content in _parts().items():
            archive.writestr(other, rest if other == name else content)
    return out.getvalue()


def hold_workbook(data: bytes) -> None:
    """It is read, or refused as a whole."""
    content = workbook_of(data)
    seen = checked("a.xlsx", content, Reading())
    assert seen.said() == checked("a.xlsx", content, Reading()).said()
