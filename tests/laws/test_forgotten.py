"""A failures file fed in without the journal that it came with: what its own lines say keeps from creating twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import batcher
from batcher.commands import run
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
async def test_an_uncertain_row_without_identifier_is_not_sent_again(
    tmp_path: Path, form: str, keep_results: bool, fill: bool
) -> None:
    """Regression: it was taken for a new row, and created a second time. Refused; nothing is sent or written."""
    job = Job(tmp_path, form)
    job.rows(row("a"), row("b"), row("c"))
    async with FaultyServer(LOST) as server:
        await leave(job, server, keep_results=keep_results, fill_identifiers=False)
        before, posts = contents(tmp_path), len(server.posts)
        with pytest.raises(UsageError) as caught:
            await feed(job, server, fill_identifiers=fill)
        assert (contents(tmp_path), len(server.posts)) == (before, posts)
    said = str(caught.value)
    assert f"{job.files.failures}:{2 if form == 'csv' else 1}: uncertain, sent without an identifier" in said
    assert "Put that run's journal and results back" in said
    assert "--resend-uncertain" in said


async def test_resend_uncertain_takes_the_risk_here_too(tmp_path: Path) -> None:
    """As with the journal at hand; and it has the protection of an identifier from then on."""
    job = Job(tmp_path)
    job.rows(row("b"))
    async with FaultyServer(LOST) as server:
        await leave(job, server, fill_identifiers=False)
        ran = await feed(job, server, resend_uncertain=True)
    assert (ran.code, ran.counts, job.failures) == (0, {"created_now": 1}, [])
    assert len(server.created_by_name["b"]) == 2


async def test_a_persons_identifier_alone_settles_nothing(tmp_path: Path) -> None:
    """Without the journal nobody can tell whether that document is the row's; if it is not there, it would be made."""
    job = Job(tmp_path)
    job.rows(row("b"))
    async with FaultyServer(LOST) as server:
        await leave(job, server, fill_identifiers=False)
        job.edit_failures(lambda line: line.update(identifier="found-it"))
        for sending in ({}, {"adopt_existing": True}):
            with pytest.raises(UsageError, match="sent without an identifier"):
                await feed(job, server, **sending)
        assert len(server.commits) == 1


@pytest.mark.parametrize("edited", [{}, {"name": "mended"}])
@pytest.mark.parametrize("namespace", ["", "another"])
async def test_a_row_that_was_sent_under_an_identifier_is_sent_under_it(
    tmp_path: Path, edited: dict[str, str], namespace: str
) -> None:
    """Regression: another name or namespace led to another identifier, and to a second document."""
    job = Job(tmp_path)
    job.rows(row("b"))
    async with FaultyServer(*BLIND) as server:
        await leave(job, server)
        job.edit_failures(lambda line: line["spec"].update(edited))
        ran = await feed(job, server, namespace=namespace)
    assert len(server.commits) == 1
    assert ran.counts == ({"failed": 1} if edited else {"adopted": 1})
    assert job.reasons == ({"mended": "failed identifier_taken"} if edited else {})


async def test_it_is_not_sent_without_an_identifier_either(tmp_path: Path) -> None:
    """--no-fill-identifiers cannot give up a protection that an attempt already has."""
    job = Job(tmp_path)
    job.rows(row("b"))
    async with FaultyServer(*BLIND) as server:
        await leave(job, server)
        identifier = job.failures[0]["identifier"]
        with pytest.raises(UsageError, match=rf"jsonl:1 \({identifier}\): uncertain under the identifier"):
            await feed(job, server, fill_identifiers=False)
        job.edit_failures(lambda line: line["spec"].update(identifier=identifier))  # as the message says
        ran = await feed(job, server, fill_identifiers=False, adopt_existing=True)
        assert (ran.counts, len(server.commits)) == ({"adopted": 1}, 1)


async def test_the_users_own_identifier_may_not_be_changed(tmp_path: Path) -> None:
    """Another one is refused; with the first one back the server's own uniqueness guards the row."""
    job = Job(tmp_path)
    job.rows(row("b", identifier="mine-1"))
    async with FaultyServer(*BLIND) as server:
        await leave(job, server)
        job.edit_failures(lambda line: line["spec"].update(identifier="mine-2"))
        with pytest.raises(UsageError, match=r"\(mine-1\): uncertain under the identifier in parentheses"):
            await feed(job, server)
        job.edit_failures(lambda line: line["spec"].update(identifier="mine-1"))
        ran = await feed(job, server, adopt_existing=True)
    assert (ran.counts, len(server.commits)) == ({"adopted": 1}, 1)


@pytest.mark.parametrize("form", ["jsonl", "csv"])
@pytest.mark.parametrize("keep_results", [False, True])
async def test_a_failures_file_beside_the_input_is_heard_too(tmp_path: Path, form: str, keep_results: bool) -> None:
    """Regression: the input run again beside it, with the journal lost, created the uncertain row a second time."""
    job = Job(tmp_path, form)
    job.rows(row("a"), row("b"), row("c"))
    async with FaultyServer(LOST) as server:
        await leave(job, server, keep_results=keep_results, fill_identifiers=False)
        before, posts = contents(tmp_path), len(server.posts)
        with pytest.raises(UsageError, match=rf"{job.input}:2: uncertain, sent without an identifier"):
            await job.run(server.base_url)
        assert (contents(tmp_path), len(server.posts)) == (before, posts)
        job.files.failures.unlink()  # a person who wants to start over says so
        await job.run(server.base_url)
        assert len(server.created_by_name["b"]) == 2


async def test_failed_rows_need_no_journal(tmp_path: Path) -> None:
    """Failed means that no attempt is unclear: mended and sent."""
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
    plan = run.status(job.settings(server.base_url, inputs=[job.files.failures]), observer=witness)
    assert plan.rows == 1
    assert "sent without an identifier" in "\n".join(witness.warnings)


async def test_a_program_is_told_before_such_a_row_leaves(tmp_path: Path) -> None:
    """Specs that were read from a failures file carry what its lines say into `create`."""
    job = Job(tmp_path)
    job.rows(row("b"))
    async with FaultyServer(LOST) as server:
        await leave(job, server, fill_identifiers=False)
        given = list(batcher.read_specs([job.files.failures], batcher.Reading()))
        async with batcher.Client(server.base_url, "key") as client:
            with pytest.raises(batcher.Stopped, match="sent without an identifier"):
                async with batcher.create(given, client, rate=None, journal=tmp_path / "x.journal.jsonl") as outcomes:
                    assert [outcome async for outcome in outcomes] == []
        assert len(server.posts) == 1
