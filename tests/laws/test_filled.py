"""Identifiers that batcher fills in: two inputs never meet, and a row meets its own document (contract 7)."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

import batcher
from batcher.commands.undo import undo
from batcher.errors import UsageError
from batcher.files.journal_lines import JournalHeader
from batcher.identity import content_hash, fill_identifier

from ..commands.test_undo import Told
from ..commands.test_undo import settings as undo_settings
from ..support.faulty import FaultyServer, named, on
from ..support.runs import Job, row

MODEL2 = "6e2d3c4b-7d4e-4f70-8a91-b2c3d4e5f607"


def jobs(home: Path) -> tuple[Job, Job]:
    """Two spreadsheets of one team: each numbers its rows from 1, and one dashboard has the same name in both."""
    (home / "emea").mkdir()
    (home / "apac").mkdir()
    emea, apac = Job(home / "emea"), Job(home / "apac")
    emea.rows(row("Overview", key="1", description="Europe"), row("Details EMEA", key="2"))
    apac.rows(row("Overview", key="1", description="Asia"), row("Details APAC", key="2"))
    return emea, apac


async def test_inputs_that_number_their_rows_alike_never_meet(tmp_path: Path) -> None:
    """Regression: after a 502 the second file's row was `reconciled` with the first's document, and undo deleted that."""
    emea, apac = jobs(tmp_path)
    async with FaultyServer(on("502@2", named("Overview"))) as server:
        assert (await emea.run(server.base_url)).code == 0
        ran = await apac.run(server.base_url)
        assert (ran.code, ran.counts) == (0, {"created_now": 2})
        made = [
            orjson.loads(document.body)["description"] for document in server.commits if document.name == "Overview"
        ]
        assert made == ["Europe", "Asia"]
        await undo(undo_settings(apac, server.base_url), observer=Told())
        left = {document.name for document in server.documents.values()}
    assert left == {"Overview", "Details EMEA"}


async def test_two_models_with_one_dashboard_never_meet(tmp_path: Path) -> None:
    """The same names on two models, keyed by name and number: each row makes a document, none is taken."""
    emea, apac = jobs(tmp_path)
    emea.rows(row("Overview", key="overview"))
    apac.rows(row("Overview", key="overview") | {"modelId": MODEL2})
    async with FaultyServer() as server:
        assert (await emea.run(server.base_url)).counts == {"created_now": 1}
        assert (await apac.run(server.base_url)).counts == {"created_now": 1}
    assert len(server.documents) == 2


async def test_one_row_on_two_machines_is_one_document(tmp_path: Path) -> None:
    """The same key and content, from files that know nothing of each other: the second run adopts what the first made."""
    emea, apac = jobs(tmp_path)
    apac.rows(*map(orjson.loads, emea.input.read_bytes().splitlines()))
    async with FaultyServer() as server:
        assert (await emea.run(server.base_url)).counts == {"created_now": 2}
        assert (await apac.run(server.base_url)).counts == {"adopted": 2}
    assert len(server.commits) == 2


async def test_a_row_edited_after_an_unclear_attempt_is_looked_up_where_it_was_sent(tmp_path: Path) -> None:
    """Its content is another now, and so would be its identifier: the intent's holds, and nothing is made twice."""
    job = Job(tmp_path)
    job.rows(row("a", key="1", description="before"))
    async with FaultyServer("reset-after@1", "GET 500@1-5") as server:
        assert (await job.run(server.base_url)).code == 5
        job.rows(row("a, renamed", key="1", description="after"))
        ran = await job.run(server.base_url)
    assert (ran.code, ran.counts) == (0, {"reconciled": 1})
    assert len(server.commits) == 1


async def test_a_row_edited_after_the_files_were_lost_is_a_second_document(tmp_path: Path) -> None:
    """The README's limit. Those that nobody edited are found again and adopted."""
    job = Job(tmp_path)
    job.rows(row("a", key="1", description="before"), row("b", key="2"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        for path in (job.files.results, job.files.failures, job.files.journal):
            path.unlink()
        job.rows(row("a", key="1", description="after"), row("b", key="2"))
        ran = await job.run(server.base_url)
    assert ran.counts == {"created_now": 1, "adopted": 1}
    assert sorted(document.name for document in server.commits) == ["a", "a", "b"]


async def test_after_undo_a_row_is_made_under_its_next_identifier(tmp_path: Path) -> None:
    """Of key, content and how often it was undone, in this journal's way."""
    job = Job(tmp_path)
    job.rows(one := row("a", key="1", description="d"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        await undo(undo_settings(job, server.base_url), observer=Told())
        assert (await job.run(server.base_url, recreate_undone=True)).counts == {"created_now": 1}
    content = content_hash({field: value for field, value in one.items() if field != "key"})
    made = [fill_identifier("a", "1", "", undone, content) for undone in (0, 1)]
    assert [document.identifier for document in server.commits] == made


@pytest.mark.parametrize("identifiers", [None, "content"])
async def test_a_journal_keeps_its_way(tmp_path: Path, identifiers: str | None) -> None:
    """Rows of before an upgrade and rows of after it, of a run or a program: all by the journal's first line."""
    job = Job(tmp_path)
    one, other = row("a", key="1", description="d"), row("b", key="2", description="d")
    async with FaultyServer(on("400@1", named("a"))) as server:
        job.files.journal.write_bytes(JournalHeader(server.base_url, "", identifiers=identifiers).encode())
        job.rows(one)
        assert (await job.run(server.base_url)).code == 1
        job.rows(one | {"description": "fixed"})
        assert (await job.run(server.base_url)).code == 0
        async with (
            batcher.Client(server.base_url, "k1") as client,
            batcher.create([other], client, rate=None, journal=job.files.journal, shared_pace=False) as outcomes,
        ):
            assert [type(outcome) async for outcome in outcomes] == [batcher.Created]

    def expected(given: dict[str, object], name: str) -> str:
        content = content_hash({field: value for field, value in given.items() if field != "key"})
        return fill_identifier(name, str(given["key"]), "", 0, content if identifiers else None)

    assert [line["identifier"] for line in job.results] == [expected(one, "a"), expected(other, "b")]
    assert [line["type"] for line in job.journal].count("journal") == 1


@pytest.mark.parametrize("identifiers", [None, "content"])
async def test_starting_over_without_results_finds_every_document(tmp_path: Path, identifiers: str | None) -> None:
    """The way out that the refusal names: an earlier version's first line stays, since its identifiers hang on it."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer() as server:
        header = JournalHeader(server.base_url, "", identifiers=identifiers).encode()
        job.files.journal.write_bytes(header)
        await job.run(server.base_url)
        job.files.results.unlink()
        way = "all lines of .* but the first" if identifiers is None else "move .*journal.jsonl and .* away as well"
        with pytest.raises(UsageError, match=way):
            await job.run(server.base_url)
        job.files.failures.unlink()
        job.files.journal.write_bytes(b"" if identifiers else header)
        assert (await job.run(server.base_url)).counts == {"adopted": 2}
    assert len(server.commits) == 2
