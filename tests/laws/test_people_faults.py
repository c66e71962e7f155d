"""What people's lives in the simulation found, and what their author reduced to the smallest (contract 5 and 7)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

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
        with pytest.raises(UsageError, match=r"uncertain, but .* knows nothing of it"):
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
        with pytest.raises(UsageError, match="Run the input that they came from with --rekey"):
            await job.run(server.base_url, inputs=[job.files.failures], rekey=True)
        job.rows(row("1", key="k1"), row("2", key="k2"), row("3", key="k3"), row("4", key="k4"))
        assert (await job.run(server.base_url, rekey=True)).code == 0
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
        for rekey in (False, True):
            with pytest.raises(UsageError, match="4 new rows hold"):
                await job.run(server.base_url, inputs=[job.files.failures], rekey=rekey)
        assert (await job.run(server.base_url, rekey=True)).counts == {"created_before": 2}
    assert names(server) == ["1", "2"]


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
