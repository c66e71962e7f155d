"""One pass over the inputs: keys, clashes, copies, specs, and memory that does not grow with the rows."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batcher.config import Reading
from batcher.identity import name_key, spec_hash
from batcher.models import Problem
from batcher.plan.mentions import Asked
from batcher.read.read import as_read
from batcher.validate.check import read_specs
from tests.support.rows import (
    COLUMNS,
    ITEM,
    MODEL,
    OTHER_MODEL,
    Told,
    csv_text,
    documents,
    identifiers,
    jsonl,
    read_rows,
    write,
)


def doc(name: str = "x", **fields: object) -> dict[str, object]:
    """A document of this name."""
    return {"modelId": MODEL, "name": name} | fields


def told(path: Path, rows: list[dict[str, object]]) -> Told:
    """The check of these documents as JSON lines."""
    return Told(write(path / "a.jsonl", jsonl(rows)))


def test_keys_come_from_key_then_identifier_then_name(tmp_path: Path) -> None:
    """And rows that share a model and a name are told apart by their order."""
    rows = [doc(key=" k "), doc(identifier="my-id"), doc(), doc(description="y"), doc(), doc(modelId=OTHER_MODEL)]
    name, other = name_key(MODEL, "x"), name_key(OTHER_MODEL, "x")
    assert told(tmp_path, rows).keys == ["k", "id:my-id", name, f"{name}~2", f"{name}~3", other]


def test_a_row_that_is_not_fine_counts_among_those_of_its_name(tmp_path: Path) -> None:
    """So mending it leaves the keys of the others as they are."""
    rows = [doc(), doc(description=""), doc()]
    found = told(tmp_path, rows)
    name = name_key(MODEL, "x")
    assert found.keys == [name, f"{name}~3"]
    assert [key for _, key in found.invalid] == [f"{name}~2"]


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ({"key": "k"}, {"key": "k"}, 'key: "k" is the key of a.jsonl:1 too'),
        ({"identifier": "ab"}, {"identifier": "ab"}, 'identifier: "ab" is the identifier of a.jsonl:1 too'),
        ({"identifier": "ab"}, {"identifier": "ab", "key": "k"}, 'identifier: "ab" is the identifier of a.jsonl:1 too'),
        ({"identifier": "ab", "key": "k"}, {"identifier": "ab"}, 'identifier: "ab" is the identifier of a.jsonl:1 too'),
        ({"key": "id:ab"}, {"identifier": "ab"}, 'key: "id:ab" is the key of a.jsonl:1 too'),
        ({"identifier": "ab"}, {"key": "id:ab"}, 'key: "id:ab" is the key of a.jsonl:1 too'),
        ({"key": "id:ab", "identifier": "ab"}, {"key": "x"}, None),
        ({"key": "a"}, {"key": "A"}, None),
    ],
)
def test_two_rows_with_one_key_or_identifier(
    tmp_path: Path, first: dict[str, object], second: dict[str, object], message: str | None
) -> None:
    """A problem of the second, which names the first; and the second gets a key of its own all the same."""
    found = told(tmp_path, [doc("a", **first), doc("b", **second)])
    said = [line.replace(f"{tmp_path}/", "") for line in found.said]
    assert len(said) == (message is not None)
    assert all(line.startswith(message or "never") for line in said)
    assert len({*found.keys, *(key for _, key in found.invalid)}) == 2


def test_a_key_that_another_rows_name_leads_to_is_no_clash_for_the_name(tmp_path: Path) -> None:
    """Somebody's own key may look like one of ours; the rows still get different ones."""
    name = name_key(MODEL, "x")
    found = told(tmp_path, [doc("a", key=f"{name}~2"), doc(), doc(), doc()])
    assert found.keys == [f"{name}~2", name, f"{name}~3", f"{name}~4"]
    taken = told(tmp_path, [doc("a", key=name), doc(), doc("b", key=f"{name}~2")])
    assert taken.keys == [name, f"{name}~2"]
    assert taken.said[0].startswith(f'key: "{name}~2" is the key of')


def test_copies_are_allowed_with_one_warning(tmp_path: Path) -> None:
    """Wholly identical rows only; the order of their keys does not matter in a table's row, content does."""
    found = told(tmp_path, [doc(), doc(description="y"), doc(), doc(description="y"), doc("z"), doc(description="q")])
    assert (found.checked.valid, found.checked.repeats) == (6, 2)
    assert found.warnings == ["2 rows are identical to an earlier row; each becomes a separate document"]


def test_many_rows_of_one_name_are_no_matter(tmp_path: Path) -> None:
    """Telling them apart costs the same for each."""
    found = told(tmp_path, [doc(description=str(number)) for number in range(3000)])
    assert found.keys[-1] == f"{name_key(MODEL, 'x')}~3000"


def test_what_the_preflight_wants_to_know(tmp_path: Path) -> None:
    """The model ids and own identifiers of the rows that can be sent."""
    rows = [doc("a", identifier="ab"), doc("b", modelId=OTHER_MODEL), doc("c", identifier="B"), doc("d", modelId="x")]
    found, asked = told(tmp_path, rows), Asked()
    for spec in found.specs:
        asked.see(spec)
    assert (list(asked.models), list(asked.identifiers)) == ([MODEL, OTHER_MODEL], ["ab"])
    assert (found.checked.rows, found.checked.valid, found.checked.invalid) == (4, 2, 2)


def test_a_spec_says_what_was_checked(tmp_path: Path) -> None:
    """Through every way that a row may take: fast, full, broken, clashing, fed back."""
    rows = [
        doc("a"),
        doc("a"),
        doc("b", key="k"),
        doc("c", key="k"),
        doc("d", metadata={}, metadataVersion=2),
        doc("", x=1),
    ]
    broken = b"nope\n\n" + orjson.dumps({"key": "q", "outcome": "failed", "spec": doc("e")}) + b"\n[1]\n"
    found = Told(write(tmp_path / "a.jsonl", jsonl(rows) + broken))
    assert [(spec.key, spec.body, spec.line) for spec in found.specs] == [
        (row.key, orjson.dumps(row.body), row.line) for row in found.first
    ]
    assert [(spec.name, spec.model_id, spec.identifier, spec.place, spec_hash(spec.body)) for spec in found.specs] == [
        (row.name, row.model_id, row.identifier, row.place, row.spec_hash()) for row in found.first
    ]
    assert [spec.line for spec in found.specs] == [1, 2, 3, 5, 9]


def test_specs_come_as_the_inputs_are_read(tmp_path: Path) -> None:
    """`read_specs` is one pass: it gives what `check` finds valid, and tells what is wrong with the rest."""
    rows = [doc("a"), doc("b", description=7), doc("c", key="k"), doc("a")]
    path = write(tmp_path / "a.jsonl", jsonl(rows))
    problems: list[Problem] = []
    specs = read_specs([path], Reading(), on_problem=problems.append)
    first = next(specs)
    path.unlink()
    assert [first, *specs] == told(tmp_path, rows).specs
    assert [(problem.line, problem.field) for problem in problems] == [(2, "description")]


def test_several_inputs_are_one_run(tmp_path: Path) -> None:
    """Clashes are found across them, and named with the right file."""
    first = write(tmp_path / "a.csv", f"modelId,name,key\n{MODEL},a,k\n")
    second = write(tmp_path / "b.jsonl", jsonl([doc("b", key="k"), doc("a")]))
    found = Told(first, second)
    assert str(found.problems[0]) == f'{second}:1: key: "k" is the key of {first}:2 too; each row needs its own'
    assert [spec.source for spec in found.specs] == [str(first), str(second)]


@given(st.lists(documents, max_size=8, unique_by=lambda row: (row["modelId"], row["name"])), st.randoms())
@settings(max_examples=40, deadline=None)
def test_keys_do_not_depend_on_the_order(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]], chance: random.Random
) -> None:
    """For rows without repeated names: a file may be sorted anew between two runs."""
    folder = tmp_path_factory.mktemp("order")
    before = {spec.key: spec.body for spec in told(folder, rows).specs}
    chance.shuffle(rows)
    assert {spec.key: spec.body for spec in told(folder, rows).specs} == before


@given(st.lists(st.tuples(documents, st.none() | identifiers), max_size=6))
@settings(max_examples=40, deadline=None)
def test_a_row_survives_the_failures_file(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[dict[str, object], str | None]]
) -> None:
    """Fed back in, a row from JSON or from a table is the same spec with the same key."""
    folder = tmp_path_factory.mktemp("back")
    whole = [row | ({"identifier": own} if own else {}) for row, own in rows]
    for path in (
        write(folder / "a.jsonl", jsonl(whole)),
        write(folder / "a.csv", csv_text(whole, [*COLUMNS, "identifier"])),
    ):
        before = Told(path)
        lines: list[dict[str, object]] = [
            {"key": spec.key, "outcome": "failed", "spec": as_read(spec.row)} for spec in before.specs
        ]
        after = Told(write(folder / "a.failures.jsonl", jsonl(lines)))
        assert [(spec.key, spec.body) for spec in after.specs] == [(spec.key, spec.body) for spec in before.specs]


@pytest.mark.parametrize("depth", [240, 249, 250, 251, 252, 300])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_row_nested_deeply_can_stand_in_a_failures_line(tmp_path: Path, name: str, depth: int) -> None:
    """Invalid or failed: writing its line ended the run with an internal error. Fed back, it is the same row."""
    item = {**ITEM, "visConfig": {"a": "here"}}
    whole = orjson.dumps([item]).replace(b'"here"', b"[" * depth + b"]" * depth)
    if name == "a.csv":
        text = csv_text([doc(queryPresentations=whole.decode())], ["modelId", "name", "queryPresentations"])
    else:
        text = f'{{"modelId":"{MODEL}","name":"x","queryPresentations":{whole.decode()}}}\n'
    path = write(tmp_path / name, text)
    rows = list(read_rows([path], Reading()))
    line = {"key": "k", "outcome": "failed", "spec": as_read(rows[0])}
    before, after = Told(path), Told(write(tmp_path / "a.failures.jsonl", orjson.dumps(line)))
    assert [spec.body for spec in after.specs] == [spec.body for spec in before.specs]
    assert (after.checked.rows, after.checked.invalid) == (1, before.checked.invalid)


MEASURE = """
import re, sys
from pathlib import Path
from batcher.config import Reading
from batcher.files.disk import Disk
from batcher.files.spool import open_specs
from batcher.validate.check import check
path = Path(sys.argv[1])
with open_specs(Disk(), path) as specs:
    check([path], Reading(), on_problem=print, on_row=lambda row: specs.add(row.spec()))
    valid = sum(1 for _ in specs)
print(valid, re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def test_memory_hardly_grows_with_the_rows(tmp_path: Path) -> None:
    """Issue 6: at most 64 bytes for each further row, checked, spooled and read back."""
    used = []
    for count in (20_000, 120_000):
        path = tmp_path / f"{count}.jsonl"
        with path.open("wb") as out:
            for number in range(count):
                out.write(orjson.dumps(doc(f"Board {number}", queryPresentations=[ITEM])) + b"\n")
        done = subprocess.run([sys.executable, "-c", MEASURE, str(path)], capture_output=True, check=True, text=True)
        valid, kilobytes = map(int, done.stdout.split())
        assert valid == count
        used.append(kilobytes * 1024)
    assert used[0] <= 80 * 2**20
    assert (used[1] - used[0]) / 100_000 <= 64
