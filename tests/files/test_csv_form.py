"""The CSV form of results and failures: nothing lost, no formula run, and fixed in a spreadsheet program."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import openpyxl
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batcher.config import Reading
from batcher.errors import UsageError
from batcher.files.csv_form import failures_header, failures_to_csv, results_from_csv
from batcher.files.csv_records import torn_record
from batcher.omni.fields import API_FIELDS
from batcher.read import workbook
from batcher.read.cells import defuse, restore
from batcher.read.csv_table import Layout
from batcher.read.read import as_read, layout_of
from batcher.read.sources import Source
from tests.support.earlier import results_header, results_to_csv
from tests.support.rows import (
    COLUMNS,
    ITEM,
    MODEL,
    Told,
    anything,
    csv_text,
    documents,
    failures_from_csv,
    names,
    read_rows,
    texts,
    write,
)

counts = st.integers(0, 10**9)
results = st.fixed_dictionaries(
    dict.fromkeys(["key", "source", "how", "specHash", "name", "modelId", "url", "at", "run"], texts)
    | dict.fromkeys(["line", "attempts", "elapsedMs"], counts)
    | dict.fromkeys(["dashboardId", "workbookId"], st.none() | names)
    | {"outcome": st.just("created"), "identifier": names, "status": st.none() | counts, "response": anything}
)
specs = texts | st.dictionaries(
    st.sampled_from([*API_FIELDS, "note"]), anything.filter(lambda value: value is not None)
)
failures = st.fixed_dictionaries(
    dict.fromkeys(["key", "source", "reason", "message", "hint", "at", "run"], texts)
    | {"line": counts, "attempts": counts, "status": st.none() | counts, "identifier": st.none() | names}
    | {"outcome": st.sampled_from(["failed", "uncertain"]), "spec": specs}
)
layouts = st.builds(
    Layout,
    st.lists(st.sampled_from(["Model ID", "name", "description", "queryPresentations", "metadata"]), unique=True).map(
        tuple
    ),
    st.sampled_from([",", ";", "\t"]),
)


@given(texts)
def test_defusing_is_undone_for_every_text(text: str) -> None:
    """Also for texts that begin with quotes already; and nothing defused begins as a formula does."""
    assert restore(defuse(text)) == text
    assert not defuse(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


@pytest.mark.parametrize("cell", ["=1+1", "'=1", "''@x", "+", "-5", "\tx", "\r", "\uff1dx"])
def test_what_looks_like_a_formula_is_defused(cell: str) -> None:
    """By one more quote before it."""
    assert defuse(cell) == f"'{cell}"


@given(st.lists(results, max_size=4))
def test_results_survive_csv(lines: list[dict[str, object]]) -> None:
    """Every line of a results file reads back as it was written."""
    data = results_header() + b"".join(map(results_to_csv, lines))
    assert list(results_from_csv(io.BytesIO(data))) == lines


@given(st.lists(failures, max_size=4), layouts)
def test_failures_survive_csv(lines: list[dict[str, object]], layout: Layout) -> None:
    """Whatever the row held, and whichever columns its input had."""
    data = failures_header(layout) + b"".join(failures_to_csv(line, layout) for line in lines)
    back = list(failures_from_csv(io.BytesIO(data)))
    assert [line | {"spec": line["spec"] or {}} for line in back] == [
        line | {"spec": line["spec"] or {}} for line in lines
    ]


def test_a_row_without_its_own_key_column_does_not_repeat_its_key() -> None:
    """`batcher_key` has it."""
    line: dict[str, object] = dict.fromkeys(["source", "line", "outcome", "reason", "status", "message", "hint"], "")
    line |= dict.fromkeys(["attempts", "identifier", "at", "run"], "") | {"key": "k", "spec": {"key": "k", "name": "x"}}
    assert failures_to_csv(line, Layout(("name",))) == b"x,k,,,,,,,,,,,,\r\n"


@given(st.lists(failures, max_size=3), layouts, st.data())
@settings(deadline=None)
def test_a_torn_tail_is_found_at_any_cut(lines: list[dict[str, object]], layout: Layout, data: st.DataObject) -> None:
    """Also within a quoted newline; what is whole stays."""
    records = [failures_header(layout), *(failures_to_csv(line, layout) for line in lines)]
    whole = b"".join(records)
    cut = data.draw(st.integers(0, len(whole)))
    ends = [sum(map(len, records[:count])) for count in range(len(records) + 1)]
    torn = torn_record(io.BytesIO(whole[:cut]))
    if cut in ends:
        assert torn is None
    else:
        assert torn is not None
        offset, only_newline_is_missing = torn
        assert offset == max(end for end in ends if end <= cut)
        assert not only_newline_is_missing or cut >= min(end for end in ends if end > cut) - len("\r\n")


def test_the_spreadsheet_round_trip(tmp_path: Path) -> None:
    """Exported with semicolons, failed, opened, fixed, saved in another dialect, fed back: the same row, fixed."""
    rows: list[dict[str, object]] = [
        {"modelId": MODEL, "name": '=Umsatz; "Q1"', "queryPresentations": [ITEM], "description": "+1"},
        {"modelId": "oops", "name": "Drei", "description": "Zwei\nZeilen", "facetFilters": True},
    ]
    source = write(tmp_path / "a.csv", csv_text(rows, COLUMNS, ";").replace("\n", "\r\n").encode("utf-8-sig"))
    before, layout = Told(source), layout_of([source], Reading())
    data = failures_header(layout)
    for row, key in [*((spec.row, spec.key) for spec in before.specs), *before.invalid]:
        data += failures_to_csv(failure(as_read(row), key), layout)
    assert data.startswith("\ufeffmodelId;name;description;".encode())
    saved = _saved_again(data.decode("utf-8-sig")).replace("oops", MODEL)
    after = Told(write(tmp_path / "a.failures.csv", saved.encode("utf-16")))
    assert after.keys == [before.keys[0], before.invalid[0][1]]
    assert after.specs[0].body == before.specs[0].body
    assert orjson.loads(after.specs[1].body)["description"] == "Zwei\r\nZeilen"


def failure(spec: object, key: str) -> dict[str, object]:
    """A whole failures line."""
    facts = {"key": key, "source": "a.csv", "line": 2, "outcome": "failed", "reason": "invalid", "status": None}
    return facts | {
        "message": "=m",
        "hint": "h",
        "attempts": 0,
        "identifier": None,
        "at": "t",
        "run": "r",
        "spec": spec,
    }


def _saved_again(text: str) -> str:
    """As a spreadsheet program would save it: every cell quoted, tabs between them."""
    out = io.StringIO()
    cells = csv.reader(io.StringIO(text, newline=""), delimiter=";")
    csv.writer(out, delimiter="\t", quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(cells)
    return out.getvalue()


def test_a_broken_rows_text_survives_the_csv_form_and_is_fixed_in_its_columns(tmp_path: Path) -> None:
    """It lies in `batcher_rest`; cells filled in beside it take its place."""
    layout = Layout(("modelId", "name"))
    broken = failures_header(layout) + failures_to_csv(failure("1,2,3", "raw:1"), layout)
    told = Told(write(tmp_path / "a.csv", broken))
    assert [key for _, key in told.invalid] == ["raw:1"]
    assert as_read(told.invalid[0][0]) == "1,2,3"
    fixed = broken.replace(b"\r\n,,", f"\r\n{MODEL},x,".encode())
    assert Told(write(tmp_path / "b.csv", fixed)).keys == ["raw:1"]


@given(st.lists(documents, min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_a_row_survives_a_failures_file_in_csv(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]
) -> None:
    """The same specs with the same keys as before."""
    folder = tmp_path_factory.mktemp("back")
    source = write(folder / "a.csv", csv_text(rows, COLUMNS))
    before, layout = Told(source), layout_of([source], Reading())
    lines = (failures_to_csv(failure(as_read(spec.row), spec.key), layout) for spec in before.specs)
    after = Told(write(folder / "b.csv", failures_header(layout) + b"".join(lines)))
    assert [(spec.key, spec.body) for spec in after.specs] == [(spec.key, spec.body) for spec in before.specs]


def _workbook(path: Path) -> Path:
    book = openpyxl.Workbook()
    first = book.worksheets[0]
    first.title = "Boards"
    first.append(["Model ID", "Name", "facetFilters", "metadata", "metadataVersion"])
    first.append([MODEL, 7, True, "{}", 2.0])
    first.append([])
    first.append([MODEL, "x"])
    book.create_sheet("Other").append(["modelId", "name"])
    book.save(path)
    return path


def test_workbooks_are_tables(tmp_path: Path) -> None:
    """Numbers and booleans as a spreadsheet program would export them; the line is the sheet's row."""
    path = _workbook(tmp_path / "a.xlsx")
    told = Told(path)
    assert [spec.body for spec in told.specs] == [
        f'{{"modelId":"{MODEL}","name":"7","facetFilters":true,"metadata":{{}},"metadataVersion":"2"}}'.encode(),
        f'{{"modelId":"{MODEL}","name":"x"}}'.encode(),
    ]
    assert [spec.line for spec in told.specs] == [2, 4]
    assert layout_of([path], Reading()).columns[0] == "Model ID"
    assert list(read_rows([path], Reading(sheet="Other"))) == []


def test_what_is_wrong_with_a_workbook_is_said(tmp_path: Path) -> None:
    """No such sheet, not a workbook."""
    path = _workbook(tmp_path / "a.xlsx")
    with pytest.raises(UsageError, match="has no sheet “Sales”; it has: Boards, Other"):
        list(read_rows([path], Reading(sheet="Sales")))
    with pytest.raises(UsageError, match="cannot be read as a workbook"):
        list(read_rows([write(tmp_path / "b.xlsx", "modelId,name")], Reading()))


def test_without_the_extra_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And another way out."""
    monkeypatch.setitem(__import__("sys").modules, "python_calamine", None)
    with pytest.raises(UsageError, match=r"pip install 'omni-batcher\[xlsx\]' \(or save it as CSV\)"):
        list(workbook.sheet_rows(Source("a.xlsx", _workbook(tmp_path / "a.xlsx")), None))
