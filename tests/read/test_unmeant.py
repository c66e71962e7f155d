"""CSV that can be read but that nobody means is a problem of its row; what spreadsheet programs write is none."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batcher.config import Reading
from batcher.errors import UsageError
from tests.support.rows import MODEL, OTHER_MODEL, Told, read_rows, write

HEADER = "modelId,name,description\n"


def said(path: Path, text: str) -> list[tuple[int, str]]:
    """Line and message of each problem."""
    return [(problem.line, problem.message) for problem in Told(write(path / "a.csv", text)).problems]


@pytest.mark.parametrize(
    ("line", "cell"),
    [
        (f'{MODEL}, "Sales, EU"', 2),
        (f'{MODEL}, "Plain"', 2),
        (f'{MODEL},\t"Plain"', 2),
        (f'{MODEL},x,  "a ""b"" c"', 3),
        (f' "{MODEL}",x', 1),
        (f'"{MODEL}","a, ""b""", "c"', 3),
        (f'{MODEL},"a\n, ""b""", "c"', 3),
        (f'{MODEL}, ""', 2),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_quote_after_a_blank(tmp_path: Path, line: str, cell: int, end: str) -> None:
    """Else the quote becomes a part of the text, and a delimiter within ends the cell. The next row is read."""
    (found,) = said(tmp_path, HEADER + line + end + f"{MODEL},fine\n")
    assert found[0] == 2
    assert found[1].startswith(f"cell {cell}: a quote after a space; remove the space")


def test_a_quote_after_a_blank_in_other_dialects(tmp_path: Path) -> None:
    """With semicolons and tabs; and in the header, which is then no header."""
    for delimiter in ";\t":
        (found,) = said(tmp_path, f'modelId{delimiter}name\n{MODEL}{delimiter} "Plain"\n')
        assert found[1].startswith("cell 2: a quote after a space")
    with pytest.raises(UsageError, match=r"a\.csv:1: cell 2: a quote after a space"):
        said(tmp_path, f'modelId, "name"\n{MODEL},x\n')


@pytest.mark.parametrize(
    ("opens", "lines", "cell", "what"),
    [
        ("x", [f'{MODEL},"Sales,a', f"{MODEL},Costs,b", f'{MODEL},Profit",c'], 2, "the next 2 lines"),
        ("x", [f'{MODEL},Sales,"a', f'{MODEL},Costs,b"'], 3, "the next line"),
        ("x", [f'{MODEL},Sales,"a', "two", f"{OTHER_MODEL.upper()},Costs,b", 'c"'], 3, "the next 3 lines"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_quote_that_swallows_rows(
    tmp_path: Path, opens: str, lines: list[str], cell: int, what: str, end: str
) -> None:
    """Found where it opens. The row after it is read."""
    text = end.join([HEADER.rstrip(), f"{MODEL},{opens},y", *lines, f"{MODEL},fine,", ""])
    assert said(tmp_path, text) == [
        (3, f"cell {cell}: a quote that opens here swallows {what}; close it where the cell ends, or double it")
    ]


def test_a_quote_that_swallows_the_beginning_of_a_row(tmp_path: Path) -> None:
    """The other quote need not stand in the last column."""
    text = f'name,modelId,description,identifier\nA,{MODEL},"a,one\nB,{MODEL},b",two\n'
    assert [message[:52] for _, message in said(tmp_path, text)] == [
        "cell 3: a quote that opens here swallows the next li"
    ]


def test_a_quote_that_swallows_rows_goes_to_the_failures_as_written(tmp_path: Path) -> None:
    """Text and key are the record's, as with any broken one."""
    record = f'{MODEL},Sales,"a\n{MODEL},Costs,b"'
    (row,) = read_rows([write(tmp_path / "a.csv", f"{HEADER}{record}\n")], Reading())
    assert row.text == record


@pytest.mark.parametrize(
    "line",
    [
        f'{MODEL},x,"Sales, costs, profit\nfor EU, US, Asia\n, , ,"',
        f'{MODEL},x,"about {MODEL}, our model,\nand {MODEL}, too,"',
        f'{MODEL},x,"models:\n{MODEL}, sales\n{MODEL}, costs"',
        f'{MODEL},x,"a list, ""quoted"", and ""more"""',
        f'{MODEL}," ""Plain"" ",',
        f'{MODEL},"the ""big"", one",',
        f'{MODEL},24" screens,',
        f'{MODEL},the "big" one,',
        f'{MODEL},x," "',
        f"{MODEL},x,,,,",
        f"{MODEL},x",
        f'"{MODEL}","x",""\r',
    ],
)
def test_what_is_legitimate_passes(tmp_path: Path, line: str) -> None:
    """Line breaks in descriptions, doubled quotes, quotes within a cell, empty cells at the end, a byte order mark."""
    assert said(tmp_path, f"\ufeff{HEADER}{line}\n") == []


def test_json_over_several_lines_passes(tmp_path: Path) -> None:
    """Written for people, with a model's id on a line of its own."""
    cell = f'[{{"name": "a", "query": {{\n "table": "t", "fields": [\n"{MODEL}", "b", "c"\n]}}}}]'.replace('"', '""')
    text = f'modelId,name,queryPresentations\n{MODEL},x,"{cell}"\n'
    assert said(tmp_path, text) == []


texts = st.text(" \t,;\"'\nabé", max_size=8)


@given(st.lists(st.tuples(texts, texts), max_size=5), st.sampled_from(",;\t"), st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=200, deadline=None)
def test_whatever_a_program_writes_is_read_as_meant(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], delimiter: str, end: str
) -> None:
    """Quotes around all cells, or around those that need them. Python's writer leaves a blank cell without."""
    for quoting in (csv.QUOTE_ALL, csv.QUOTE_MINIMAL):
        out = io.StringIO()
        writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting)
        writer.writerows([("modelId", "name", "description"), *((MODEL, *row) for row in rows)])
        path = write(tmp_path_factory.mktemp("csv") / "a.csv", out.getvalue())
        read = [tuple(row.fields.values()) for row in read_rows([path], Reading())]
        assert read == [(MODEL, *row) for row in rows]
