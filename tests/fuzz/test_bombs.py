"""Small files that unfold, and lines without an end: each is checked in a process that may have only so much memory.

They are made here and never kept. The limit is on addresses (RLIMIT_AS), of which the interpreter and its libraries take
some hundred MB; where a bound is higher, the reason stands beside it.
"""

from __future__ import annotations

import gzip
import io
import json
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

import openpyxl
import pytest
import zstandard

from batcher.config import Reading
from batcher.errors import UsageError
from batcher.models import Row
from batcher.read.csv_table import header_of, open_table
from batcher.validate.validate import Validator
from tests.support.rows import MODEL

MB = 1 << 20
CPU_SECONDS = 30
HEAD = f"modelId,name\n{MODEL},".encode()
SHEET = "xl/worksheets/sheet1.xml"
FAR = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'


def checked(path: Path, megabytes: int) -> str:
    """What `check` says of the file, with so much memory. It must refuse it as a usage error."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (megabytes * MB, megabytes * MB))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))

    command = [sys.executable, "-m", "batcher", "check", str(path)]
    done = subprocess.run(command, capture_output=True, preexec_fn=limit, check=False)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 2, said[-2000:]
    return said


def plain(path: Path, pieces: Iterable[bytes]) -> Path:
    """A file of these pieces."""
    with path.open("wb") as stream:
        stream.writelines(pieces)
    return path


def gzipped(path: Path, pieces: Iterable[bytes]) -> Path:
    """Compressed a thousandfold."""
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.writelines(pieces)
    return path


def zstd(path: Path, pieces: Iterable[bytes]) -> Path:
    """Compressed thirty-thousandfold."""
    with path.open("wb") as file, zstandard.ZstdCompressor().stream_writer(file) as stream:
        for piece in pieces:
            stream.write(piece)
    return path


Make = Callable[[Path, Iterable[bytes]], Path]


@pytest.mark.parametrize(
    ("name", "make", "start", "megabytes"),
    [
        ("a.jsonl", plain, b'{"name":"', 400),
        ("a.json", plain, b'[{"name":"', 600),
        ("a.csv.gz", gzipped, HEAD, 600),
        ("a.jsonl.zst", zstd, b"", 500),  # 1 KB of zstd may unfold to 32 MB, and are copied
    ],
)
def test_a_line_of_200_megabytes_is_refused(
    tmp_path: Path, name: str, make: Make, start: bytes, megabytes: int
) -> None:
    """It is never held as a whole."""
    said = checked(make(tmp_path / name, [start, *[b"x" * MB] * 200]), megabytes)
    assert "longer than --max-row-bytes" in said or "has a line of more than" in said


@pytest.mark.parametrize("line", [b"y" * (MB - 1) + b"\n", f"{MODEL},a row\n".encode() * (MB // 44)])
def test_a_quote_that_is_never_closed_ends_the_reading(tmp_path: Path, line: bytes) -> None:
    """As soon as a row is too long: nobody can say which rows follow. (Before, 64 million characters were taken.)"""
    path = plain(tmp_path / "a.csv", [HEAD, b'"', *[line] * 200])
    assert f"{path}:2: is longer than --max-row-bytes allows; is a quote never closed?" in checked(path, 500)
    read = list[int]()

    class Counted(io.FileIO):
        def readinto(self, buffer: Any) -> int | None:
            read.append(size := super().readinto(buffer) or 0)
            return size

    with io.BufferedReader(Counted(path)) as stream, pytest.raises(UsageError, match="never closed"):
        list(open_table(stream, "a.csv", 16 * MB)[1])
    assert sum(read) < 20 * MB


TILE = {"name": "q", "query": {"fields": ["a"], "table": "t"}}
FLOODS: dict[str, Callable[[int], dict[str, Any]]] = {
    "unknown fields": lambda count: {f"f{number}": 1 for number in range(count)},
    "unknown fields in a tile": lambda count: {"queryPresentations": [TILE | {f"f{n}": 1 for n in range(count)}]},
    "broken tiles": lambda count: {"queryPresentations": [{"name": 1}] * count},
    "broken elements": lambda count: {"queryPresentations": [TILE | {"query": {"fields": [1] * count, "table": "t"}}]},
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_problems_in_one_row_is_told_as_a_thousand(tmp_path: Path, flood: str) -> None:
    """Each was looked for and told: minutes, and a kilobyte each. Ten times as many are no more work now."""
    fields = {"modelId": MODEL, "name": "a"}
    rows = [Row("a.jsonl", 1, fields | FLOODS[flood](count)) for count in (5_000, 50_000)]
    calls = [0, 0]
    for number, row in enumerate(rows):

        def tell(_frame: FrameType, event: str, _: object, number: int = number) -> None:
            calls[number] += event == "call"

        validator = Validator(Reading())
        body = validator.normalise(row)
        sys.setprofile(tell)
        try:
            problems = validator.problems(row, body)
        finally:
            sys.setprofile(None)
        assert len(problems) == (1001 if flood != "unknown fields in a tile" else 100)
    assert calls[1] < calls[0] * 1.1
    text = json.dumps(fields | FLOODS[flood](300_000), separators=(",", ":")).encode()
    assert "f.jsonl:1: " in checked(plain(tmp_path / "f.jsonl", [text, b"\n"]), 600)


@pytest.mark.parametrize("column", ["c", "c{}"])
def test_a_header_of_many_columns_is_read(column: str) -> None:
    """Each column was looked for among all before it: hours for so many."""
    columns = ["modelId", "name", *(column.format(number) for number in range(200_000))]
    assert len(set(header_of(columns, "a.csv", 1).fields)) == len(columns)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.jsonl", f'{{"modelId":"{MODEL}","name":"a","filterConfig":%s}}\n'),
        ("a.json", f'[{{"modelId":"{MODEL}","name":"a","filterConfig":%s}}]'),
        ("a.csv", f"modelId,name,filterConfig\n{MODEL},a,%s\n"),
    ],
)
def test_json_of_100000_levels_is_refused(tmp_path: Path, name: str, text: str) -> None:
    """By every reader."""
    nest = "[" * 100_000 + "]" * 100_000
    said = checked(plain(tmp_path / name, [(text % nest).encode()]), 400)
    assert "depth limit exceeded" in said or "levels deep" in said


def workbook(path: Path, part: str, pieces: Iterable[bytes]) -> Path:
    """A workbook of which these pieces replace one part, or are one more."""
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.save(out)
    with zipfile.ZipFile(out) as parts, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in parts.namelist():
            if name != part:
                archive.writestr(name, parts.read(name))
        with archive.open(part, "w", force_zip64=True) as stream:
            for piece in pieces:
                stream.write(piece)
    return path


def test_a_workbook_that_unfolds_is_refused(tmp_path: Path) -> None:
    """The reader held all of its texts, and the process was killed."""
    bomb = workbook(tmp_path / "a.xlsx", "xl/sharedStrings.xml", [b"<sst><si><t>", *[b"x" * MB] * 520])
    assert "holds more than 512 MB" in checked(bomb, 400)


def test_a_cell_in_the_last_column_of_the_last_row_is_refused(tmp_path: Path) -> None:
    """The reader asked for 400 GB for the 5 KB of this file, and the process was aborted."""
    sheet = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>%s</sheetData></worksheet>'
    said = checked(
        workbook(tmp_path / "a.xlsx", SHEET, [sheet % (b'<row r="1"><c r="A1"><v>1</v></c></row>' + FAR)]), 400
    )
    assert "reaches to row 1048576 and column 16384" in said


def test_cells_that_have_only_a_style_may_stand_far_out(tmp_path: Path) -> None:
    """The reader skips them."""
    sheet = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>%s</sheetData></worksheet>'
    far = b'<row r="1048576"><c r="XFD1048576" s="0"/></row>'
    said = checked(
        workbook(tmp_path / "a.xlsx", SHEET, [sheet % (b'<row r="1"><c r="A1"><v>1</v></c></row>' + far)]), 400
    )
    assert "a.xlsx:1: the first row must name the columns" in said
