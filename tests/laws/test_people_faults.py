"""What people's lives in the simulation found, and what their author reduced to the smallest (contract 5 and 7)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from batcher.errors import InvalidInput, UsageError

from ..commands.test_undo import undone
from ..support.faulty import FaultyServer
from ..support.runs import Job, Witness, row
from .test_renumbered import names, numbered


async def test_an_invalid_row_keeps_no_document(tmp_path: Path) -> None:
    """Numbered anew, with a nameless row on top: regression, it kept the first document, so that one was made again."""
    job, witness = Job(tmp_path), Witness()
    job.rows(*numbered("A", "B"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        nameless = {"key": "1", "modelId": row("x")["modelId"]}
        job.rows(nameless, row("A", key="2"), row("B", key="3"))
        with pytest.raises(InvalidInput, match="1 of 3 rows are not valid"):
            await job.run(server.base_url, rekey=True, witness=witness)
        assert [problem.field for problem in witness.problems] == ["name"]
        ran = await job.run(server.base_url, rekey=True, skip_invalid=True)
        assert ran.counts == {"failed": 1, "created_before": 2}
        job.rows(row("N", key="1"), row("A", key="2"), row("B", key="3"))
        assert (await job.run(server.base_url)).counts == {"created_now": 1, "created_before": 2}
    assert names(server) == ["A", "B", "N"]


async def test_an_old_failures_line_of_a_row_with_another_key(tmp_path: Path) -> None:
    """Regression: its key was looked for in the journal only, where it is over, and the row was made again."""
    job = Job(tmp_path)
    job.rows({"modelId": row("x")["modelId"], "description": "d"})
    async with FaultyServer() as server:
        await job.run(server.base_url, skip_invalid=True)
        kept = job.files.failures.read_text()
        job.rows({"modelId": row("x")["modelId"], "description": "d", "identifier": "ix-1"})
        await job.run(server.base_url, skip_invalid=True)
        job.rows(row("A", description="d", identifier="ix-1"))
        await job.run(server.base_url)
        job.files.failures.write_text(kept)
        job.edit_failures(lambda line: line["spec"].update(name="A", identifier="ix-1"))
        for _ in range(2):
            await job.run(server.base_url, inputs=[job.files.failures])
    assert names(server) == ["A"]


@pytest.mark.parametrize("form", ["jsonl", "csv"])
async def test_an_old_journal_beside_an_uncertain_row(tmp_path: Path, form: str) -> None:
    """Regression: without identifiers the row was sent again, blindly. It is refused until the journal is put back."""
    job, old = Job(tmp_path, form), tmp_path / "old.jsonl"
    job.rows(row("A"))
    async with FaultyServer("reset-after@2") as server:
        await job.run(server.base_url, fill_identifiers=False)
        shutil.copy(job.files.journal, old)
        job.rows(row("A"), row("B"))
        assert (await job.run(server.base_url, fill_identifiers=False)).counts == {"created_before": 1, "uncertain": 1}
        newest = job.files.journal.read_bytes()
        shutil.copy(old, job.files.journal)
        with pytest.raises(UsageError, match=r"uncertain, but .* has no record of it"):
            await job.run(server.base_url, fill_identifiers=False)
        job.files.journal.write_bytes(newest)
        assert (await job.run(server.base_url, fill_identifiers=False)).counts["uncertain"] == 1
    assert names(server) == ["A", "B"]


async def test_rekey_of_a_failures_file_that_somebody_edited(tmp_path: Path) -> None:
    """Regression: its lines kept keys that were over by then, so the rows that --rekey had named were made again."""
    job = Job(tmp_path)
    job.rows(row("1"), row("2"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        nameless = {"key": "k4", "modelId": row("x")["modelId"]}
        job.rows(row("1", key="k1"), row("2", key="k2"), row("3", key="k3"), nameless)
        await job.run(server.base_url, skip_invalid=True)
        job.edit_failures(lambda line: line["spec"].update(name=line["spec"].get("name", "4")))
        with pytest.raises(UsageError, match="2 new rows hold"):
            await job.run(server.base_url, inputs=[job.files.failures])
        ran = await job.run(server.base_url, inputs=[job.files.failures], rekey=True)
        assert (ran.counts, job.failures) == ({"created_now": 1, "created_before": 2}, [])
        job.rows(row("1", key="k1"), row("2", key="k2"), row("3", key="k3"), row("4", key="k4"))
        assert (await job.run(server.base_url)).counts == {"created_before": 4}
    assert names(server) == ["1", "2", "3", "4"]


async def test_two_lines_that_were_held_back_for_one_document(tmp_path: Path) -> None:
    """Regression: keys changed twice, and --rekey of the failures file paired one line and created the other."""
    job = Job(tmp_path)
    job.rows(row("1"), row("2"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        for key in ("k", "l"):
            job.rows(row("1", key=f"{key}1"), row("2", key=f"{key}2"))
            await job.run(server.base_url, skip_invalid=True)
        assert len(job.failures) == 4
        failures = [job.files.failures]
        with pytest.raises(UsageError, match="4 new rows hold"):
            await job.run(server.base_url, inputs=failures)
        job.edit_failures(lambda line: line.update(hint="nobody's"))
        with pytest.raises(UsageError, match=r"2 new rows hold .* Remove each line that is the same row as another"):
            await job.run(server.base_url, inputs=failures, rekey=True)
        held = await job.run(server.base_url, inputs=failures, rekey=True, skip_invalid=True)
        assert (held.counts, len(job.failures)) == ({"created_before": 2, "failed": 2}, 2)
        again = await job.run(server.base_url, inputs=failures, rekey=True)
        assert (again.counts, job.failures) == ({"created_before": 2}, [])
        assert (await job.run(server.base_url)).counts == {"created_before": 2}
    assert names(server) == ["1", "2"]


async def test_a_failures_line_with_the_key_of_another_row(tmp_path: Path) -> None:
    """Regression: numbered anew, then 0002 was saved as 2, the number that 0001 has now: its fix was sent for that row."""
    job = Job(tmp_path)
    job.rows(row("A", key="0001"), row("B", key="0002"))
    async with FaultyServer("400@1", "400@2", "400@3", "400@5") as server:
        await job.run(server.base_url, concurrency=1)
        job.rows(row("N", key="1"), row("A", key="2"), row("B", key="3"))
        assert (await job.run(server.base_url, concurrency=1)).counts == {"failed": 2, "created_now": 1}
        job.edit_failures(lambda line: line.update(key=line["key"].lstrip("0")))
        with pytest.raises(UsageError, match=r'has no row with the key "2".* It was probably "0002"'):
            await job.run(server.base_url, inputs=[job.files.failures])
    assert len(server.documents) == 1


Fix = dict[str, Any]
PLACES = {
    "another description": ({"name": "Sales"}, row("Sales", description="x"), 1),
    "another name in the same place": ({"name": "Sales"}, row("Sales (EMEA)"), 1),
    "the same name in another place": ({"name": "Sales"}, row("Sales", description="x"), 2),
}


@pytest.mark.parametrize("rekey", [True, False])
@pytest.mark.parametrize(("fix", "then", "line"), PLACES.values(), ids=PLACES)
async def test_fixed_in_two_places_each_in_another_way(
    tmp_path: Path, fix: Fix, then: Fix, line: int, rekey: bool
) -> None:
    """Regression: first in the failures file, then in the input; a second document was made."""
    job, witness = Job(tmp_path), Witness()
    job.rows({"modelId": row("x")["modelId"]}, row("Other"))
    async with FaultyServer() as server:
        await job.run(server.base_url, skip_invalid=True)
        job.edit_failures(lambda failure: failure["spec"].update(fix))
        await job.run(server.base_url, inputs=[job.files.failures])
        job.rows(*([then, row("Other")] if line == 1 else [row("Other"), then]))
        with pytest.raises(UsageError, match=r"1 row was perhaps fixed in two places\..* --rekey.* --create-again"):
            await job.run(server.base_url, witness=witness)
        assert [problem.line for problem in witness.problems] == [line]
        answered = await job.run(server.base_url, rekey=rekey, create_again=not rekey)
        assert answered.counts == ({"created_before": 2} if rekey else {"created_before": 1, "created_now": 1})
        assert (await job.run(server.base_url)).counts == {"created_before": 2}
    assert len(server.documents) == (2 if rekey else 3)


async def test_fixed_in_the_input_then_in_the_same_way_in_the_failures_file(tmp_path: Path) -> None:
    """Nobody is asked: what was created in the place where it failed is that row."""
    job = Job(tmp_path)
    job.rows({"modelId": row("x")["modelId"]}, row("Other"))
    async with FaultyServer() as server:
        await job.run(server.base_url, skip_invalid=True)
        job.rows(row("Sales"), row("Other"))
        await job.run(server.base_url)
        job.edit_failures(lambda failure: failure["spec"].update(name="Sales"))
        assert (await job.run(server.base_url, inputs=[job.files.failures])).counts == {"created_before": 1}
        assert (await job.run(server.base_url)).counts == {"created_before": 2}
    assert (names(server), job.failures) == (["Other", "Sales"], [])


@pytest.mark.parametrize("rekey", [True, False])
async def test_fixed_in_the_input_then_in_the_failures_file(tmp_path: Path, rekey: bool) -> None:
    """Regression: the other way round, too."""
    job = Job(tmp_path)
    job.rows({"modelId": row("x")["modelId"]})
    async with FaultyServer() as server:
        await job.run(server.base_url, skip_invalid=True)
        job.rows(row("Sales", description="x"))
        await job.run(server.base_url)
        job.edit_failures(lambda failure: failure["spec"].update(name="Sales"))
        with pytest.raises(UsageError, match="1 row was perhaps fixed in two places"):
            await job.run(server.base_url, inputs=[job.files.failures])
        await job.run(server.base_url, inputs=[job.files.failures], rekey=rekey, create_again=not rekey)
        assert job.failures == []
        assert (await job.run(server.base_url)).counts == {"created_before": 1}
    assert len(server.documents) == (1 if rekey else 2)


@pytest.mark.parametrize("fix", ["Sales", "Sales (EMEA)"])
async def test_a_refused_row_fixed_in_the_input_then_in_the_failures_file(tmp_path: Path, fix: str) -> None:
    """Regression: a line that was sent once was compared with nothing, so its fixed row was made again."""
    job = Job(tmp_path)
    job.rows(row("Sales!"), row("Other"))
    async with FaultyServer("400@1") as server:
        await job.run(server.base_url, concurrency=1)
        job.rows(row("Sales"), row("Other"))
        await job.run(server.base_url)
        job.edit_failures(lambda failure: failure["spec"].update(name=fix))
        if fix == "Sales":  # in the same way: nobody is asked
            assert (await job.run(server.base_url, inputs=[job.files.failures])).counts == {"created_before": 1}
            return
        with pytest.raises(UsageError, match="1 row was perhaps fixed"):
            await job.run(server.base_url, inputs=[job.files.failures])
        assert (await job.run(server.base_url, inputs=[job.files.failures], rekey=True)).counts == {"created_before": 1}
        assert (await job.run(server.base_url)).counts == {"created_before": 2}
    assert names(server) == ["Other", "Sales"]


async def test_two_refused_lines_with_one_content(tmp_path: Path) -> None:
    """They are two rows alike, as in their input: neither is the other's second document."""
    job = Job(tmp_path)
    job.rows(row("A", key="1"), row("A", key="2"), {**row("A", key="3"), "limit": 1})
    async with FaultyServer("400@1", "400@2") as server:
        await job.run(server.base_url, concurrency=1, skip_invalid=True)
        job.edit_failures(lambda failure: failure["spec"].pop("limit", None))
        assert (await job.run(server.base_url, inputs=[job.files.failures])).counts == {"created_now": 3}
    assert names(server) == ["A", "A", "A"]


async def test_an_invalid_rows_line_is_where_it_is(tmp_path: Path) -> None:
    """Regression: the failures file named the line on which the row was first."""
    job = Job(tmp_path)
    nameless = {"modelId": row("x")["modelId"]}
    job.rows(nameless)
    async with FaultyServer() as server:
        await job.run(server.base_url, skip_invalid=True)
        job.rows(row("A"), nameless)
        await job.run(server.base_url, skip_invalid=True)
    assert [(failure["source"], failure["line"]) for failure in job.failures] == [(str(job.input), 2)]


async def test_a_row_fixed_in_the_failures_file_and_taken_out_of_the_input(tmp_path: Path) -> None:
    """It's nobody's fix in two places when others are added, or its line's number is another's by then."""
    job = Job(tmp_path)
    nameless = {"modelId": row("x")["modelId"]}
    job.rows(row("A"), nameless, row("B"))
    async with FaultyServer() as server:
        await job.run(server.base_url, skip_invalid=True)
        job.edit_failures(lambda failure: failure["spec"].update(name="Sales"))
        await job.run(server.base_url, inputs=[job.files.failures])
        job.rows(row("A"), row("B"), row("C"))
        assert (await job.run(server.base_url)).counts == {"created_before": 2, "created_now": 1}
        job.rows(row("A"), nameless, row("B"), row("C"), row("D"))
        ran = await job.run(server.base_url, skip_invalid=True)
    assert (ran.counts, names(server)) == ({"created_before": 4, "created_now": 1}, ["A", "B", "C", "D", "Sales"])


async def test_what_was_undone_stays_undone_under_another_key(tmp_path: Path) -> None:
    """Regression: a key column was added after undo, and the row was created again without --recreate-undone."""
    job = Job(tmp_path)
    job.rows(row("1"), row("2"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        await undone(job, server.base_url)
        job.rows(row("1", key="k1"), row("2", key="k2"), row("3", key="k3"))
        ran = await job.run(server.base_url)
        assert ran.counts == {"created_now": 1, "undone": 2}
        again = await job.run(server.base_url, recreate_undone=True)
        assert again.counts == {"created_now": 2, "created_before": 1}
    assert names(server) == ["1", "2", "3"]


async def test_an_input_that_replaces_others_which_are_still_there(tmp_path: Path) -> None:
    """Two of each are made, as for any two inputs with rows alike; but not without a word."""
    job, joined = Job(tmp_path), tmp_path / "all.jsonl"
    job.rows(row("1", key="1"))
    joined.write_text(json.dumps(row("1", key="2")) + "\n" + json.dumps(row("2", key="3")) + "\n")
    async with FaultyServer() as server:
        await job.run(server.base_url)
        ran = await job.run(server.base_url, inputs=[joined])
    assert f"1 new row holds what was created for another input, which is still there: {joined}:1" in ran.warnings
    assert names(server) == ["1", "1", "2"]
