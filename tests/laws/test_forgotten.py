"""A failures file without the journal that it came with: its uncertain rows are not sent until that is back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import batcher
from batcher.commands import status
from batcher.errors import UsageError

from ..support.faulty import FaultyServer, named, on
from ..support.runs import Job, Ran, Witness, contents, row

LOST = on("reset-after@1", named("b"))
BLIND = ("reset-after@1", "GET 500@1-5")  # the first create is carried out, and five times nobody can be asked


async def leave(job: Job, server: FaultyServer, *, keep_results: bool = False, **sending: Any) -> None:
    """A run that leaves uncertain rows; then only its failures file is left."""
    ran = await job.run(server.base_url, concurrency=1, max_attempts=5, **sending)
    assert ran.summary.uncertain == 1, ran.counts
    job.files.journal.unlink()
    if not keep_results:
        job.files.results.unlink(missing_ok=True)


async def feed(job: Job, server: FaultyServer, **sending: Any) -> Ran:
    """The failures file as the input of a run."""
    return await job.run(server.base_url, inputs=[job.files.failures], **sending)


@pytest.mark.parametrize("form", ["jsonl", "csv"])
@pytest.mark.parametrize("keep_results", [False, True])
@pytest.mark.parametrize("fill", [True, False])
async def test_an_uncertain_row_whose_journal_is_missing_is_not_sent(
    tmp_path: Path, form: str, keep_results: bool, fill: bool
) -> None:
    """With or without an identifier: refused, whatever is asked for; nothing is sent or written."""
    job = Job(tmp_path, form)
    job.rows(row("a"), row("b"), row("c"))
    async with FaultyServer(LOST, *([] if not fill else ["GET 500@1-5"])) as server:
        await leave(job, server, keep_results=keep_results, fill_identifiers=fill)
        before, posts = contents(tmp_path), len(server.posts)
        with pytest.raises(UsageError) as caught:
            await feed(job, server, fill_identifiers=fill, resend_uncertain=True, adopt_existing=True)
        assert (contents(tmp_path), len(server.posts)) == (before, posts)
    said = str(caught.value)
    assert f"{job.files.failures}:{2 if form == 'csv' else 1}: uncertain" in said
    assert "Put that journal and its results back" in said


async def test_a_row_taken_out_of_its_line_is_a_new_row(tmp_path: Path) -> None:
    """The way out that the message names, for who has looked and found no document."""
    job = Job(tmp_path)
    job.rows(row("b"))
    async with FaultyServer("reset-before@1", "GET 500@1-5") as server:
        await leave(job, server)
        job.rows(*[line["spec"] for line in job.failures])
        job.files.failures.unlink()
        assert (await job.run(server.base_url)).counts == {"created_now": 1}


@pytest.mark.parametrize("form", ["jsonl", "csv"])
@pytest.mark.parametrize("keep_results", [False, True])
async def test_a_failures_file_beside_the_input_is_heard_too(tmp_path: Path, form: str, keep_results: bool) -> None:
    """Regression: the input run again beside it, with the journal lost, created the uncertain row a second time."""
    job = Job(tmp_path, form)
    job.rows(row("a"), row("b"), row("c"))
    async with FaultyServer(LOST) as server:
        await leave(job, server, keep_results=keep_results, fill_identifiers=False)
        before, posts = contents(tmp_path), len(server.posts)
        with pytest.raises(UsageError, match=rf"{job.files.failures}: uncertain, but"):
            await job.run(server.base_url)
        assert (contents(tmp_path), len(server.posts)) == (before, posts)
        job.files.failures.unlink()  # a person who wants to start over says so
        await job.run(server.base_url)
        assert len(server.created_by_name["b"]) == 2


async def test_failed_rows_need_no_journal(tmp_path: Path) -> None:
    """Failed means that no attempt is unclear: fixed and sent."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer("400@1") as server:
        assert (await job.run(server.base_url)).counts == {"failed": 1}
        job.files.journal.unlink()
        assert (await feed(job, server)).counts == {"created_now": 1}


async def test_status_says_so(tmp_path: Path) -> None:
    """And, as ever, refuses nothing."""
    job = Job(tmp_path)
    job.rows(row("b"))
    async with FaultyServer(LOST) as server:
        await leave(job, server, fill_identifiers=False)
    witness = Witness()
    plan = status.status(job.settings(server.base_url, inputs=[job.files.failures]), observer=witness)
    assert plan.rows == 1
    assert "Put that journal and its results back" in "\n".join(witness.warnings)


async def test_a_program_is_told_before_such_a_row_leaves(tmp_path: Path) -> None:
    """Specs that were read from a failures file carry what its lines say into `create`."""
    job = Job(tmp_path)
    job.rows(row("b"))
    async with FaultyServer(LOST) as server:
        await leave(job, server, fill_identifiers=False)
        given = list(batcher.read_specs([job.files.failures], batcher.Reading()))
        async with batcher.Client(server.base_url, "key") as client:
            with pytest.raises(batcher.Stopped, match="Put that journal and its results back"):
                async with batcher.create(given, client, rate=None, journal=tmp_path / "x.journal.jsonl") as outcomes:
                    assert [outcome async for outcome in outcomes] == []
        assert len(server.posts) == 1
