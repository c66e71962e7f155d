"""People's edits don't create twice (contract 5): a new row that holds what was created under another key."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import batcher
from batcher.commands.status import status
from batcher.commands.verify import verify
from batcher.errors import UsageError

from ..support.faulty import FaultyServer
from ..support.runs import Job, Witness, contents, row

Rows = list[dict[str, Any]]

EDITS: dict[str, Callable[[dict[str, Any], int], dict[str, Any]]] = {
    "a key column was added": lambda row, number: {"key": f"{number:03}", **row},
    "an identifier was added": lambda row, number: {**row, "identifier": f"own-{number}"},
    "letters were composed otherwise": lambda row, _: {
        **row,
        "name": row["name"].replace("é", "e\N{COMBINING ACUTE ACCENT}"),
    },
    "a blank was doubled": lambda row, _: {**row, "name": row["name"].replace(" ", "  ")},
}
ROWS = [row("Café one", description="x"), row("Café two", description="y"), row("Café three", description="z")]


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
async def test_a_changed_key_creates_nothing(
    tmp_path: Path, edit: Callable[[dict[str, Any], int], dict[str, Any]]
) -> None:
    """Nothing is sent, both ways out are named, and both work: --rekey makes nothing, run after run."""
    job = Job(tmp_path)
    job.rows(*ROWS)
    async with FaultyServer() as server:
        await job.run(server.base_url)
        before = len(server.seen)
        job.rows(*(edit(one, number) for number, one in enumerate(ROWS)), row("Another"))
        with pytest.raises(UsageError, match=r"3 new rows hold what was created .* --rekey.* --create-again"):
            await job.run(server.base_url)
        assert len(server.seen) == before
        assert (await job.run(server.base_url, rekey=True)).counts == {"created_now": 1, "created_before": 3}
        assert (await job.run(server.base_url)).counts == {"created_before": 4}
    assert len(server.documents) == 4


async def test_keys_that_a_spreadsheet_program_changed(tmp_path: Path) -> None:
    """001 was saved as 1, twice over; the refusal names them, and the rows keep the key they had first."""
    job, witness = Job(tmp_path), Witness()
    job.rows(*({"key": f"{number:03}", **row(f"Board {number}")} for number in range(1, 8)))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        job.rows(*({"key": str(number), **row(f"Board {number}")} for number in range(1, 8)))
        with pytest.raises(UsageError, match="7 new rows hold"):
            await job.run(server.base_url, witness=witness)
        assert [problem.line for problem in witness.problems] == [1, 2, 3, 4, 5, 6, 7]
        assert 'this row\'s key is "1"' in witness.problems[0].message
        await job.run(server.base_url, rekey=True)
        job.rows(*({"key": f"B-{number}", **row(f"Board {number}")} for number in range(1, 8)))
        assert (await job.run(server.base_url, rekey=True)).counts == {"created_before": 7}
        job.rows({"key": "B-1", **row("Board 1", description="changed")})
        ran = await job.run(server.base_url)
    assert ran.counts == {"created_before": 1}
    assert "changed since" in ran.warnings
    assert len(server.documents) == 7


async def test_a_row_with_a_new_key_is_found_by_verify_and_by_a_program(tmp_path: Path) -> None:
    """Both know it by the key that it had first: regression, verify found no document of it, and `create` made one."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        job.rows(row("a", key="k"))
        await job.run(server.base_url, rekey=True)
        verified = await verify(job.settings(server.base_url), observer=Witness(), runtime=job.runtime)
        assert (verified.created, verified.same) == (1, 1)
        async with batcher.Client(server.base_url, "k1") as client:
            given: list[batcher.Spec | dict[str, Any]] = [
                row("a", key="k"),
                next(batcher.read_specs([job.input], batcher.Reading())),
            ]
            for spec in given:
                async with batcher.create([spec], client, journal=job.files.journal) as outcomes:
                    assert [outcome async for outcome in outcomes] == []
    assert len(server.documents) == 1


async def test_second_documents_on_request(tmp_path: Path) -> None:
    """--create-again makes them, once."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        job.rows(row("a", key="k"))
        assert (await job.run(server.base_url, create_again=True)).counts == {"created_now": 1}
        assert (await job.run(server.base_url)).counts == {"created_before": 1}
    assert len(server.documents) == 2


async def test_fixed_in_both_places_is_one_row_without_asking(tmp_path: Path) -> None:
    """Its failures line was fixed and created; later the input is fixed, too, and gives the row another key."""
    job = Job(tmp_path)
    job.rows(row("a"), {"modelId": row("a")["modelId"], "description": "no name yet"})
    async with FaultyServer() as server:
        await job.run(server.base_url, skip_invalid=True)
        job.edit_failures(lambda line: line["spec"].update(name="b"))
        await job.run(server.base_url, inputs=[job.files.failures])
        job.rows(row("a"), row("b", description="no name yet"))
        for _ in range(2):
            assert (await job.run(server.base_url)).counts == {"created_before": 2}
    assert len(server.documents) == 2


@pytest.mark.parametrize("is_sent", [True, False], ids=["it was created", "it was not"])
async def test_an_unclear_row_under_a_new_key_is_looked_up(tmp_path: Path, is_sent: bool) -> None:
    """It may have been created: it is that row without asking, so it is looked up, and sent only if it isn't there."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer("reset-after@1" if is_sent else "reset-before@1", "GET 500@1") as server:
        assert (await job.run(server.base_url, max_attempts=1)).counts == {"uncertain": 1}
        job.rows(row("a", key="k"))
        for _ in range(2):
            assert (await job.run(server.base_url)).code == 0
    assert len(server.documents) == 1


async def test_an_unclear_row_that_cannot_be_looked_up_stays_uncertain(tmp_path: Path) -> None:
    """It was sent without an identifier: under its new key it is still that row."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer("reset-after@1") as server:
        await job.run(server.base_url, fill_identifiers=False)
        job.rows(row("a", key="k"))
        for _ in range(2):
            assert (await job.run(server.base_url)).counts == {"uncertain": 1}
    assert len(server.documents) == 1


async def test_a_refused_row_under_a_new_key_is_one_row(tmp_path: Path) -> None:
    """Regression: its old failures line stayed, and running that file made a second document."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer("400@1") as server:
        await job.run(server.base_url)
        kept = job.files.failures.read_text()
        job.rows(row("a", key="k"))
        assert (await job.run(server.base_url)).counts == {"created_now": 1}
        assert job.failures == []
        job.files.failures.write_text(kept)
        await job.run(server.base_url, inputs=[job.files.failures])
    assert len(server.documents) == 1


async def test_a_changed_key_that_came_with_an_invalid_row(tmp_path: Path) -> None:
    """Seed 401210: the row failed under its new key, and then it was fixed: it is compared all the same."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        job.rows(row("a", key="k", description=7), row("b"))
        await job.run(server.base_url, skip_invalid=True)
        job.rows(row("a", key="k"), row("b"))
        with pytest.raises(UsageError, match="1 new row holds"):
            await job.run(server.base_url)
        for _ in range(2):
            ran = await job.run(server.base_url, rekey=True)
            assert (ran.code, ran.counts, job.failures) == (0, {"created_before": 2}, [])
    assert len(server.documents) == 2


ORDINARY: dict[str, tuple[Rows, Rows]] = {
    "a row was added": ([row("a")], [row("a"), row("b")]),
    "a row was removed, another added": ([row("a"), row("b")], [row("a"), row("c")]),
    "reordered": ([row("a"), row("b")], [row("b"), row("a"), row("c")]),
    "renamed": ([row("a", description="same")], [row("b", description="same")]),
    "a copy was removed": ([row("a"), row("a"), row("b")], [row("a"), row("b"), row("c")]),
    "a copy was added": ([row("a")], [row("a"), row("a")]),
    "the same content twice, under keys": ([row("a", key="1")], [row("a", key="1"), row("a", key="2")]),
    "all rows edited": ([row("a", key="1"), row("b", key="2")], [row("x", key="1"), row("y", key="2")]),
    "one of two copies edited": ([row("a", key="1"), row("a", key="2")], [row("x", key="1"), row("a", key="2")]),
    "rows edited, another removed": (
        [row("a", key="1"), row("b", key="2"), row("c", key="3")],
        [row("x", key="1"), row("y", key="3")],
    ),
    "one row's text copied over another": (
        [row("a", key="1"), row("b", key="2")],
        [row("a", key="1"), row("a", key="2")],
    ),
    "two rows changed places": ([row("a", key="1"), row("b", key="2")], [row("b", key="1"), row("a", key="2")]),
}


@pytest.mark.parametrize("edit", ORDINARY, ids=ORDINARY)
async def test_ordinary_edits_are_never_refused(tmp_path: Path, edit: str) -> None:
    """What is new by key and by content is created."""
    job = Job(tmp_path)
    before, after = ORDINARY[edit]
    job.rows(*before)
    async with FaultyServer() as server:
        await job.run(server.base_url)
        job.rows(*after)
        assert (await job.run(server.base_url)).code == 0


async def test_two_inputs_with_one_results_file(tmp_path: Path) -> None:
    """Each alone, with a row of the same content: the other's rows are claimed by the other. A file that is gone isn't."""
    job, other = Job(tmp_path), tmp_path / "other.jsonl"
    job.rows(row("a", key="1"))
    other.write_text(json.dumps(row("a", key="2")) + "\n" + json.dumps(row("b", key="3")) + "\n")
    async with FaultyServer() as server:
        await job.run(server.base_url)
        assert (await job.run(server.base_url, inputs=[other])).counts == {"created_now": 2}
        assert (await job.run(server.base_url, inputs=[other])).counts == {"created_before": 2}
        other.unlink()
        job.rows(row("a", key="1"), row("b", key="4"))
        with pytest.raises(UsageError, match="1 new row holds"):
            await job.run(server.base_url)


async def test_what_was_undone_or_failed_holds_nothing_up(tmp_path: Path) -> None:
    """Only what exists, or may exist, is a second document's first."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer("400@2") as server:
        await job.run(server.base_url, concurrency=1)
        job.rows(row("a"), row("b", key="k"))
        assert (await job.run(server.base_url)).counts == {"created_now": 1, "created_before": 1}


async def test_what_lost_its_row_is_named(tmp_path: Path) -> None:
    """Renamed: the new one is made, and the old one's document told."""
    job = Job(tmp_path)
    job.rows(row("a"), row("Board 3"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        job.rows(row("a"), row("Board three"))
        ran = await job.run(server.base_url)
        assert "1 created document has no row anymore: Board 3 (http" in ran.warnings
        assert (await job.run(server.base_url)).warnings == ""


async def test_status_tells_it_too(tmp_path: Path) -> None:
    """Before anybody runs it, and without writing anything."""
    job, witness = Job(tmp_path), Witness()
    job.rows(row("a"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        before = contents(tmp_path)
        job.rows(row("a", key="k"))
        before[job.input.name] = job.input.read_bytes()
        status(job.settings(server.base_url), observer=witness, runtime=job.runtime)
    assert "--rekey" in "\n".join(witness.warnings)
    assert contents(tmp_path) == before


async def test_a_failures_line_with_a_key_that_nobody_knows(tmp_path: Path) -> None:
    """Saved by a spreadsheet program: 00124 is 124, another row. Refused, with the key that it probably was."""
    job = Job(tmp_path, form="jsonl")
    job.rows(row("a", key="00124"), row("b", key="00999"))
    async with FaultyServer("400@1", "400@2") as server:
        await job.run(server.base_url)
        job.edit_failures(lambda line: line.update(key=line["key"].lstrip("0")))
        with pytest.raises(UsageError, match=r'no row with the key "124".* probably "00124"'):
            await job.run(server.base_url, inputs=[job.files.failures])
    assert server.documents == {}
