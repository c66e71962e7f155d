"""Every problem of a row, in words; and what a row becomes."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from batcher.config import Reading
from batcher.models import Row
from batcher.validate.validate import Validator
from tests.support.rows import ITEM, MODEL, Told, write

GOOD: dict[str, object] = {"modelId": MODEL, "name": "x"}


def said_of(fields: dict[str, object], **how: object) -> list[str]:
    """The problems of a row of JSON, `field: message`."""
    found = Validator(Reading(**how)).problems(Row("a.jsonl", 1, fields))  # type: ignore[arg-type]
    return [f"{problem.field}: {problem.message}" for problem in found]


def body_of(fields: dict[str, object], **how: object) -> dict[str, object]:
    """What is sent of a row of JSON."""
    row, validator = Row("a.jsonl", 1, fields), Validator(Reading(**how))  # type: ignore[arg-type]
    assert validator.problems(row) == []
    body: dict[str, object] = orjson.loads(orjson.dumps(validator.normalise(row)))
    return body


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"modelId": None}, "modelId: missing; required: a UUID such as"),
        ({"modelId": "abc"}, 'modelId: "abc" isn\'t valid; allowed: a UUID such as'),
        ({"modelId": MODEL.replace("-", "")}, "modelId: "),
        ({"modelId": 7}, "modelId: must be a UUID such as 123e4567-e89b-42d3-a456-426614174000, but is the number 7"),
        ({"name": None}, "name: missing; required: text of 1 to 254 characters"),
        ({"name": ""}, "name: is empty; allowed: text of 1 to 254"),
        ({"name": " \t"}, 'name: " \\t" isn\'t valid; allowed: text of 1 to 254 characters, not just spaces'),
        ({"name": "x" * 255}, f'name: "{"x" * 60}…" has 255 characters; allowed: text of 1 to 254'),
        ({"name": 5}, "name: must be text of 1 to 254 characters, not just spaces, but is the number 5"),
        ({"name": "a\0b"}, 'name: "a\\u0000b" contains a NUL character'),
        ({"description": ""}, "description: is empty; allowed: text of 1 to 1024 characters (or leave it out)"),
        ({"description": "x" * 1025}, "description: "),
        (
            {"description": ["x"]},
            'description: must be text of 1 to 1024 characters (or leave it out), but is an array, ["x"]',
        ),
        ({"identifier": "x"}, 'identifier: "x" has 1 character; allowed: 2 to 48'),
        ({"identifier": "My-Board"}, 'identifier: "My-Board" isn\'t valid; allowed: 2 to 48 of a-z, 0-9, - and _'),
        ({"identifier": "-ab"}, 'identifier: "-ab" isn\'t valid'),
        ({"identifier": "ab_"}, 'identifier: "ab_" isn\'t valid'),
        ({"identifier": "ab\n"}, None),
        ({"branchId": "main"}, 'branchId: "main" isn\'t valid; allowed: a UUID'),
        ({"facetFilters": "true"}, 'facetFilters: must be true or false, but is the text "true"'),
        ({"facetFilters": 1}, "facetFilters: must be true or false, but is the number 1"),
        ({"filterOrder": {"a": 1}}, "filterOrder: must be a JSON array of filter ids"),
        ({"filterOrder": ["a", 1]}, "filterOrder[1]: must be a filter id, as text, but is the number 1"),
        ({"metadata": {}}, 'metadataVersion: missing; metadata needs it too: text such as "2"'),
        (
            {"metadata": {}, "metadataVersion": True},
            'metadataVersion: must be text such as "2", but is the boolean true',
        ),
        ({"key": 7}, "key: must be text of 1 to 200 characters without control characters, but is the number 7"),
        ({"key": " "}, "key: is empty; leave it out, or give text of 1 to 200 characters"),
        ({"key": "x" * 201}, f'key: "{"x" * 60}…" has 201 characters'),
        ({"key": "a\nb"}, 'key: "a\\nb" contains a control character, U+000A at character 2'),
        ({"key": "a\u200bb"}, 'key: "a\u200bb" contains a control character, U+200B ZERO WIDTH SPACE at character 2'),
        (
            {"identifier": "a\u2011b"},
            'identifier: "a\u2011b" contains U+2011 NON-BREAKING HYPHEN at character 2; allowed: 2 to 48',
        ),
        (
            {"identifier": "c\u0430b"},
            'identifier: "c\u0430b" contains U+0430 CYRILLIC SMALL LETTER A at character 2; allowed',
        ),
        (
            {"branchId": f"{MODEL[:35]}\u0435"},
            f'branchId: "{MODEL[:35]}\u0435" contains U+0435 CYRILLIC SMALL LETTER IE at character 36; allowed',
        ),
        (
            {"descripton": "x"},
            'descripton: unknown field, with the value "x"; did you mean description? --ignore-unknown',
        ),
        ({"modelid": "x"}, 'modelid: unknown field, with the value "x"; did you mean modelId?'),
        ({"zzz": 1}, "zzz: unknown field, with the value 1; --ignore-unknown leaves it out"),
        ({"folderId": "x"}, 'folderId: unknown field, with the value "x"; call it folder, which takes a path such as'),
        ({"folderPath": "x"}, 'folderPath: unknown field, with the value "x"; call it folder'),
        ({"folder": "Sales/EMEA", "labels": ["q3", "Q3", "x" * 25]}, None),
        ({"folder": MODEL, "labels": []}, None),
        ({"folder": 7}, "folder: must be a path such as Sales/EMEA, or a folder's UUID, but is the number 7"),
        ({"folder": "Sales//EMEA"}, 'folder: "Sales//EMEA" isn\'t valid; allowed: a path'),
        ({"folder": " / "}, 'folder: " / " isn\'t valid; allowed: a path'),
        ({"folder": "a/b/c/d/e/f/g/h"}, 'folder: "a/b/c/d/e/f/g/h" has 8 levels; Omni has 7 at most'),
        ({"folder": "a\nb"}, 'folder: "a\\nb" isn\'t valid'),
        ({"labels": "q3"}, "labels: must be labels of 2 to 25 characters, as a JSON array"),
        ({"labels": ["q3", "x"]}, 'labels[1]: "x" isn\'t valid; allowed: labels of 2 to 25 characters'),
        ({"labels": ["x" * 26]}, 'labels[0]: "xxxxxxxxxxxxxxxxxxxxxxxxxx" isn\'t valid'),
        ({"labels": [3]}, "labels[0]: must be text of 2 to 25 characters, but is the number 3"),
        ({"queryPresentations": {}}, "queryPresentations: must be a JSON array of objects like"),
        ({"queryPresentations": [3]}, "queryPresentations[0]: must be an object like"),
        ({"queryPresentations": [{"name": "x"}]}, "queryPresentations[0].query: missing; required: an object like"),
        ({"queryPresentations": [ITEM, ITEM | {"name": None}]}, "queryPresentations[1].name: missing"),
        (
            {"queryPresentations": [ITEM | {"query": {"fields": "a"}}]},
            "queryPresentations[0].query.fields: must be an array",
        ),
        ({"queryPresentations": [ITEM | {"query": {"table": ""}}]}, "queryPresentations[0].query.fields: missing"),
        (
            {"queryPresentations": [ITEM | {"query": {"fields": [1], "table": "t"}}]},
            "queryPresentations[0].query.fields[0]: ",
        ),
        (
            {"queryPresentations": [ITEM | {"chart": "x"}]},
            'queryPresentations[0].chart: unknown field, with the value "x"; did',
        ),
        (
            {"queryPresentations": [ITEM | {"prefersChart": "x"}]},
            "queryPresentations[0].prefersChart: must be true or false",
        ),
        ({"queryPresentations": [ITEM | {"visConfig": 1}]}, "queryPresentations[0].visConfig: must be an object like"),
    ],
)
def test_a_problem_says_the_value_and_what_is_allowed(fields: dict[str, object], message: str | None) -> None:
    """One voice for all of them; `None`: there is no problem."""
    said = said_of(GOOD | fields)
    assert len(said) >= (message is not None)
    assert all(line.startswith(message or "never") for line in said[:1])


def test_every_problem_of_a_row_is_found_at_once() -> None:
    """Nobody wants to mend a file one problem at a time."""
    said = said_of({"modelId": "x", "description": "", "flder": 1, "queryPresentations": [{}, 1], "key": 1})
    assert sorted(line.split(":")[0] for line in said) == [
        "description",
        "flder",
        "key",
        "modelId",
        "name",
        "queryPresentations[0].name",
        "queryPresentations[0].query",
        "queryPresentations[1]",
    ]


def test_whatever_lies_in_query_and_untyped_fields_passes() -> None:
    """The vendor may add to them at any time."""
    anything = {"x": [None, {"y": 1.5}]}
    item = ITEM | {
        "query": {"table": "t", "fields": [], "limit": None} | anything,
        "visConfig": anything,
        "aiConfig": 1,
    }
    fields = GOOD | {"queryPresentations": [item], "filterConfig": anything, "metadata": "m", "metadataVersion": "2"}
    assert body_of(fields) == fields


def test_a_body_holds_the_api_fields_in_their_order_without_what_is_absent() -> None:
    """Ids trimmed, a name kept as it is, null dropped, metadataVersion as text, and no key."""
    item = ITEM | {"topicName": None}
    fields = {
        "metadataVersion": 2,
        "metadata": {},
        "key": "k",
        "name": " x ",
        "identifier": " ab ",
        "description": None,
    }
    body = body_of(fields | {"queryPresentations": [item], "modelId": f" {MODEL} "})
    assert list(body) == ["modelId", "name", "identifier", "queryPresentations", "metadata", "metadataVersion"]
    assert (body["modelId"], body["name"], body["identifier"]) == (MODEL, " x ", "ab")
    assert (body["metadataVersion"], body["queryPresentations"]) == ("2", [ITEM])


def test_ignore_unknown_leaves_out_what_the_api_does_not_know() -> None:
    """At the top and in an item, and nowhere else."""
    fields = GOOD | {"owner": "x", "queryPresentations": [ITEM | {"chart": 1}]}
    assert body_of(fields, ignore_unknown=True) == GOOD | {"queryPresentations": [ITEM]}


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("queryPresentations", "[{", 'queryPresentations: "[{" is not JSON: unexpected end of data, at character 3'),
        ("queryPresentations", "{}", "queryPresentations: must be a JSON array"),
        (
            "queryPresentations",
            '[{"name":"x","name":"y","query":{"table":"t","fields":[]}}]',
            'queryPresentations: has the key "name" twice',
        ),
        ("facetFilters", "yes", 'facetFilters: "yes" is not true or false'),
        ("facetFilters", "True", None),
        ("filterConfig", "{broken", 'filterConfig: "{broken" is not JSON: '),
        ("filterConfig", "7", None),
        ("filterOrder", "a, b", 'filterOrder: "a, b" is not JSON: '),
        ("Notes", "x", 'Notes: unknown field, with the value "x"'),
        ("Notes", "  ", None),
        ("folderId", "Sales", "folderId: unknown field"),
        ("Folder", "Sales / EMEA", None),
        ("folder", "/", 'folder: "/" isn\'t valid'),
        ("Labels", "q3; finance;", None),
        ("labels", '["q3", "a;b"]', None),
        ("labels", "q3; x", 'labels[1]: "x" isn\'t valid'),
        ("labels", "[q3]", 'labels: "[q3]" is not JSON'),
        ("label", "q3", 'label: unknown field, with the value "q3"; did you mean labels?'),
        ("key", "x" * 201, "key: "),
    ],
)
def test_problems_of_cells(tmp_path: Path, column: str, cell: str, message: str | None) -> None:
    """In the words of a spreadsheet's user."""
    quoted = cell.replace('"', '""')
    told = Told(write(tmp_path / "a.csv", f'modelId,name,{column}\n{MODEL},x,"{quoted}"\n'))
    assert bool(told.said) == (message is not None)
    assert all(line.startswith(message or "") for line in told.said[:1])


def test_a_cell_that_a_spreadsheet_program_cut_off_is_told_apart(tmp_path: Path) -> None:
    """A spreadsheet cell holds 32,767 characters; longer JSON loses its end without a word."""
    cell = ('[""' + "x" * 40_000)[:32_768]
    told = Told(write(tmp_path / "a.csv", f'modelId,name,queryPresentations\n{MODEL},x,"{cell}"\n'))
    assert "a spreadsheet cell can't hold more than 32,767 characters" in told.said[0]


@pytest.mark.parametrize("name", ["Sales\nEU", "Sales\r\nEU", "Sales\rEU", "Sales\n"])
def test_a_line_break_in_a_name_is_a_problem_in_every_format(tmp_path: Path, name: str) -> None:
    """Alt+Enter in a spreadsheet, a quote in the wrong place: the API would take it, but nobody means it."""
    told = f"name: {orjson.dumps(name).decode()} contains a line break; write the name on one line"
    assert said_of(GOOD | {"name": name}) == [told]
    first = f"modelId,name\n{MODEL},fine\n"  # from here on rows of this model take the quickest way
    assert Told(write(tmp_path / "a.csv", f'{first}{MODEL},"{name}"\n')).said == [told]
    assert Told(write(tmp_path / "a.jsonl", orjson.dumps(GOOD | {"name": name}))).said == [told]


def test_a_name_of_blank_lines_is_blank() -> None:
    """That is said rather than to write it in one line."""
    assert said_of(GOOD | {"name": "\n"}) == [
        'name: "\\n" isn\'t valid; allowed: text of 1 to 254 characters, not just spaces'
    ]


def test_ignore_unknown_says_once_for_each_input_what_it_leaves_out(tmp_path: Path) -> None:
    """With the name that was perhaps meant; not what holds nothing, and nothing without the option."""
    table = f"modelId,name,descripton,,owner,folder,empty\n{MODEL},A,x,,,,\n{MODEL},B,x,y,bob,, \n"
    items = [ITEM | {"charttype": "bar", "aiConfig": None, "nope": None}]
    row: dict[str, object] = {"descripton": "x", "queryPresentations": items, "zzz": None}
    text = b"".join(orjson.dumps(GOOD | row | {"name": name}) + b"\n" for name in "CD")
    paths = [write(tmp_path / "a.csv", table), write(tmp_path / "a.jsonl", text)]
    typo = "left out: descripton (did you mean description?)"
    assert Told(*paths, reading=Reading(ignore_unknown=True)).warnings == [
        f"{paths[0]}: {typo}, column 4, owner",
        f"{paths[1]}: {typo}, queryPresentations[].charttype (did you mean chartType?)",
    ]
    assert Told(*paths).warnings == []
    clean = write(tmp_path / "b.csv", f"modelId,name\n{MODEL},A\n")
    assert Told(clean, reading=Reading(ignore_unknown=True)).warnings == []


def test_of_many_unknown_fields_some_are_named(tmp_path: Path) -> None:
    """Each row of a JSON input may have others."""
    rows = b"".join(orjson.dumps(GOOD | {"name": str(i), f"zzz{i}": 1}) + b"\n" for i in range(50))
    (warning,) = Told(write(tmp_path / "a.jsonl", rows), reading=Reading(ignore_unknown=True)).warnings
    assert warning.endswith("zzz18, zzz19, 30 more")
