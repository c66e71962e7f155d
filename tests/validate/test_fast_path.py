"""The fast path says of a record what the full validation says, or nothing."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batcher.config import Reading
from batcher.omni.fields import API_FIELDS, UNTYPED_FIELDS
from batcher.read.read import read_contents
from batcher.validate.validate import Validator, own_key
from tests.support.rows import COLUMNS, ITEM, MODEL, OTHER_MODEL, Told, csv_text, documents, jsonl, write

READING = Reading()
VALIDATOR = Validator(READING)
DEEP = f'[{{"name":"a","query":{{"table":"t","fields":[]}},"visConfig":{{"a":{"[" * 300}{"]" * 300}}}}}]'

models = st.sampled_from([MODEL, OTHER_MODEL, MODEL.upper(), f" {MODEL} ", MODEL[1:], "", "\u00a0", f"{MODEL}\n"])
lengths = st.sampled_from([0, 1, 253, 254, 255, 256, 1023, 1024, 1025])
odd = st.text("a \t\0\x1c\x85\u00a0\u3000\u200bé😀'\"", max_size=4)
cells = st.builds(lambda start, length, end: start + "é" * length + end, odd, lengths, odd) | odd


def on_fast_path(path: Path) -> int:
    """How many rows of this file took the fast path; each is proven to be what the full validation makes of it."""
    count = 0
    for content in read_contents([path], READING):
        fast_path = VALIDATOR.fast_path().of(content)
        for line, record in content.records:
            plain, row = fast_path(record), content.row(line, record)
            body = {} if row is None else VALIDATOR.normalise(row)
            is_valid = row is not None and VALIDATOR.problems(row, body) == []
            assert (plain is not None) == (is_valid and UNTYPED_FIELDS.isdisjoint(body))
            if plain is not None and row is not None:
                assert plain == (own_key(row), body, orjson.dumps(body))
                count += 1
    return count


@given(st.lists(st.tuples(models, cells, cells), max_size=8), st.permutations(["modelId", "name", "description"]))
@settings(max_examples=200, deadline=None)
def test_a_table_of_names_is_judged_as_in_full(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]], columns: list[str]
) -> None:
    """At the limits of each length, with all kinds of blanks, and with a model that came before."""
    named = [{"modelId": model, "name": name, "description": text} for model, name, text in [(MODEL, "a", ""), *rows]]
    on_fast_path(write(tmp_path_factory.mktemp("fast") / "a.csv", csv_text([dict(row) for row in named], columns)))


@given(st.lists(documents, min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_whatever_a_row_holds_both_ways_agree(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]
) -> None:
    """In a table and as JSON lines."""
    folder = tmp_path_factory.mktemp("fast")
    on_fast_path(write(folder / "a.csv", csv_text(rows, COLUMNS)))
    on_fast_path(write(folder / "a.jsonl", jsonl(rows)))


wild = odd | cells | st.booleans() | st.integers(-(2**53), 2**53) | st.lists(odd | st.none(), max_size=2)
items = st.dictionaries(st.sampled_from(["name", "query", "chartType", "visConfig", "chart"]), wild, max_size=3)
changes = st.dictionaries(st.sampled_from(API_FIELDS), wild | st.lists(items, max_size=2) | items, max_size=3)


@given(st.lists(st.builds(lambda document, change: document | change, documents, changes), min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_whatever_is_wrong_with_a_row_both_ways_agree(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]
) -> None:
    """Any value in any field of the table: what one refuses, the other refuses, in both forms of input."""
    folder = tmp_path_factory.mktemp("fast")
    on_fast_path(write(folder / "a.csv", csv_text(rows, list(API_FIELDS))))
    on_fast_path(write(folder / "a.jsonl", jsonl(rows)))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", f"modelId,name\n{MODEL},a\n{MODEL},b\n{OTHER_MODEL},c\n"),
        ("a.csv", f"description,name,modelId\n,a,{MODEL}\nb,b,{MODEL}\n ,c,{MODEL}\n"),
        ("a.csv", f"name,modelId,key\na,{MODEL},k\nb,{MODEL},\nc,{MODEL},l\n"),
        ("a.csv", f"name,modelId,identifier,what\na,{MODEL},ab,\nb,{MODEL},,\nc,{MODEL},cd,\n"),
        ("a.jsonl", "".join(f'{{"name":"{name}","modelId":"{MODEL}"}}\n' for name in "abc")),
    ],
)
def test_ordinary_rows_take_the_fast_path(tmp_path: Path, name: str, text: str) -> None:
    """All three of them."""
    assert on_fast_path(write(tmp_path / name, text)) == 3


def test_a_cell_that_is_nested_too_deeply_is_a_problem_of_its_row(tmp_path: Path) -> None:
    """It ended the check with an internal error: whether its value can be written again was not asked."""
    rows: list[dict[str, object]] = [
        {"modelId": MODEL, "name": "x", "queryPresentations": DEEP},
        {"modelId": MODEL, "name": "y", "queryPresentations": [ITEM]},
    ]
    found = Told(write(tmp_path / "a.csv", csv_text(rows, ["modelId", "name", "queryPresentations"])))
    assert len(found.said) == 1
    assert found.said[0].startswith("queryPresentations: ")
    assert found.said[0].endswith("is nested more than 250 levels deep")
    assert [spec.name for spec in found.specs] == ["y"]
