"""Whose is an identifier that the server refuses as taken (contract 7): never a stranger's document booked as ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from batcher.files.journal_lines import JournalHeader
from batcher.identity import content_hash, fill_identifier, name_key
from batcher.sandbox import ErrorShape

from ..support.faulty import FaultyServer, guarded, on
from ..support.runs import MODEL, Job, row

SHAPES = [(status, shape) for status in (400, 409) for shape in ErrorShape]


async def place(server: FaultyServer, identifier: str, **fields: object) -> None:
    """Somebody else creates a document."""
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer stranger"}) as session:
        body = {"modelId": MODEL, "identifier": identifier, **fields}
        async with session.post(f"{server.base_url}/api/v1/documents", json=body) as answer:
            assert answer.status == 201


def filled(name: str) -> str:
    """The identifier that batcher fills in for this row."""
    return fill_identifier(name, name_key(MODEL, name), "", 0, content_hash(row(name)))


def ours(server: FaultyServer) -> Sequence[str]:
    """The documents that our key made."""
    return [
        seen.identifier or "" for seen in server.posts if seen.status == 201 and seen.authorization != "Bearer stranger"
    ]


@pytest.mark.parametrize(("status", "shape"), SHAPES)
async def test_a_strangers_document_is_never_ours(tmp_path: Path, status: int, shape: ErrorShape) -> None:
    """The user's own identifier is taken by somebody: failed `identifier_taken`, in each shape of 400 and 409."""
    job = Job(tmp_path)
    job.rows(row("a", identifier="mine-1"))
    async with FaultyServer(taken_status=status, error_shape=shape) as server:
        await place(server, "mine-1", name="theirs")
        ran = await job.run(server.base_url)
        assert (ran.code, job.reasons, job.results) == (1, {"a": "failed identifier_taken"}, [])
        again = await job.run(server.base_url, adopt_existing=True)
    assert (again.code, job.reasons, job.results) == (1, {"a": "failed identifier_taken"}, [])
    assert "already in use" in job.failures[0]["message"]
    assert "--adopt-existing" in job.failures[0]["hint"]
    assert ours(server) == []


@pytest.mark.parametrize(("status", "shape"), SHAPES)
async def test_a_taken_identifier_with_an_earlier_unclear_attempt_is_ours(
    tmp_path: Path, status: int, shape: ErrorShape
) -> None:
    """Refused as taken after an unclear attempt whose read lags: reconciled, in each shape of 400 and 409."""
    job = Job(tmp_path)
    job.rows(row("a", identifier="mine-1"))
    async with FaultyServer("reset-after@1", "GET 404@1", taken_status=status, error_shape=shape) as server:
        ran = await job.run(server.base_url)
    assert (ran.code, job.how) == (0, {"a": "reconciled"})
    assert [seen.status for seen in server.posts] == [None, status]
    assert len(server.commits) == 1


async def test_the_same_content_under_the_users_identifier_needs_leave_to_be_adopted(tmp_path: Path) -> None:
    """Taken, and it reads the same: `identifier_taken` without --adopt-existing, `adopted` with a warning with it."""
    job = Job(tmp_path)
    job.rows(row("a", identifier="mine-1", description="d"))
    async with FaultyServer() as server:
        await place(server, "mine-1", name="a", description="d")
        assert (await job.run(server.base_url)).code == 1
        assert job.reasons == {"a": "failed identifier_taken"}
        ran = await job.run(server.base_url, adopt_existing=True)
    assert (ran.code, ran.counts, job.how, job.failures) == (0, {"adopted": 1}, {"a": "adopted"}, [])
    assert "adopted the existing document mine-1" in ran.warnings
    assert ours(server) == []


async def test_a_filled_identifier_that_exists_and_matches_is_adopted(tmp_path: Path) -> None:
    """We filled it in, no attempt of ours is unclear, and what is readable matches: adopted, with a warning."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer() as server:
        await place(server, filled("a"), name="a")
        ran = await job.run(server.base_url)
    assert (ran.code, job.how) == (0, {"a": "adopted"})
    assert "adopted" in ran.warnings


@pytest.mark.parametrize("guard", ["GET 403", "GET 422", "analysis"])
async def test_a_filled_identifier_that_cannot_be_compared_is_taken(tmp_path: Path, guard: str) -> None:
    """It exists but cannot be read, and nothing of ours is unclear: nobody knows that it is ours, so `identifier_taken`."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer(guarded(guard)) as server:
        await place(server, filled("a"), name="a")
        ran = await job.run(server.base_url)
    assert (ran.code, job.reasons, job.results) == (1, {"a": "failed identifier_taken"}, [])


async def test_a_filled_identifier_with_other_content_is_taken(tmp_path: Path) -> None:
    """Another document stands under the identifier that we filled in: `identifier_taken`, not ours."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer() as server:
        await place(server, filled("a"), name="theirs")
        ran = await job.run(server.base_url)
    assert (ran.code, job.reasons, job.results) == (1, {"a": "failed identifier_taken"}, [])


def of_region(region: str, **fields: object) -> dict[str, Any]:
    """One dashboard a region: only its filters tell it from the others of its name."""
    values = {"type": "string", "kind": "EQUALS", "values": [region]}
    query = {"table": "orders", "fields": ["orders.total"], "limit": 100, "filters": {"orders.region": values}}
    return row("Revenue", queryPresentations=[{"name": "By month", "query": query}], **fields)


async def test_the_dashboard_of_another_region_is_not_ours(tmp_path: Path) -> None:
    """Two files whose rows differ only in their filters: the second's is `identifier_taken`, with a hint.

    (Failed before: adopted, exit 0, and the second region's document was never made.) They meet only where their journals
    are an earlier version's.
    """
    first, second = Job(tmp_path / "emea"), Job(tmp_path / "apac")
    async with FaultyServer() as server:
        for job, region in ((first, "EMEA"), (second, "APAC")):
            job.directory.mkdir()
            job.rows(of_region(region))
            job.files.journal.write_bytes(JournalHeader(server.base_url, "", identifiers=None).encode())
        assert (await first.run(server.base_url)).code == 0
        ran = await second.run(server.base_url)
    assert (ran.code, second.reasons, second.results) == (1, {"Revenue": "failed identifier_taken"}, [])
    assert "--namespace" in second.failures[0]["hint"]


async def test_a_colleagues_document_with_other_filters_is_not_reconciled(tmp_path: Path) -> None:
    """The user's own identifier, a create that did nothing, and a colleague's dashboard of that name there.

    (Failed before: reconciled, and undo deleted it.)
    """
    job = Job(tmp_path)
    job.rows(of_region("APAC", identifier="mine-1"))
    async with FaultyServer("502@2") as server:
        await place(server, "mine-1", **{name: value for name, value in of_region("EMEA").items() if name != "modelId"})
        ran = await job.run(server.base_url)
    assert (ran.code, job.reasons, job.results) == (1, {"Revenue": "failed identifier_taken"}, [])


async def test_a_document_that_reads_the_same_down_to_its_filters_is_adopted(tmp_path: Path) -> None:
    """The files were lost: the same row finds its document again."""
    before, after = Job(tmp_path / "before"), Job(tmp_path / "after")
    for job in (before, after):
        job.directory.mkdir()
        job.rows(of_region("EMEA", filterConfig={"f": {"values": ["EMEA"]}}))
    async with FaultyServer() as server:
        assert (await before.run(server.base_url)).code == 0
        ran = await after.run(server.base_url)
    assert (ran.code, after.how, len(server.commits)) == (0, {"Revenue": "adopted"}, 1)


async def test_an_intent_whose_attempt_was_clearly_refused_proves_nothing(tmp_path: Path) -> None:
    """Our intent is in the journal, but that attempt was refused clearly: a stranger's document since then is not ours."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer("422@1") as server:
        assert (await job.run(server.base_url)).code == 1
        assert len(job.intents("a")) == 1
        await place(server, filled("a"), name="theirs")
        ran = await job.run(server.base_url)
    assert (ran.code, job.reasons, job.results) == (1, {"a": "failed identifier_taken"}, [])


async def test_an_intent_whose_request_was_braked_proves_nothing(tmp_path: Path) -> None:
    """The same in one run: a 429, then somebody takes the identifier before the second attempt."""
    job = Job(tmp_path)
    job.rows(row("a", identifier="mine-1"))
    async with FaultyServer("429=0@2") as server:
        await place(server, "mine-1", name="theirs")
        ran = await job.run(server.base_url)
    assert (ran.code, job.reasons) == (1, {"a": "failed identifier_taken"})
    assert len(job.intents("a")) == 2


@pytest.mark.parametrize("message", ["identifier: Bad Request: mine-1 is already in use", "Conflict", "Bad Request"])
async def test_a_refusal_with_nothing_there_is_rejected_with_a_hint_of_the_trash(tmp_path: Path, message: str) -> None:
    """Refused and GET 404, nothing unclear: `rejected`, and the hint says that Trash may hold the identifier."""
    job = Job(tmp_path)
    job.rows(row("a", identifier="mine-1"))
    refusal = on("409", body=b'{"detail": "%s", "status": 409}' % message.encode())
    async with FaultyServer(refusal) as server:
        ran = await job.run(server.base_url)
    assert (ran.code, job.reasons) == (1, {"a": "failed rejected"})
    assert "Trash may still hold it" in job.failures[0]["hint"]
    assert job.failures[0]["message"] == message
    assert (len(server.posts), len(server.gets)) == (1, 1)


async def test_a_trashed_identifier_is_rejected(tmp_path: Path) -> None:
    """The server keeps a deleted document's identifier: refused, not there; failed with the hint, never adopted."""
    job = Job(tmp_path)
    job.rows(row("a", identifier="mine-1"))
    async with FaultyServer() as server, aiohttp.ClientSession() as session:
        await place(server, "mine-1", name="a")
        url = f"{server.base_url}/api/v1/documents/mine-1"
        async with session.delete(url, headers={"Authorization": "Bearer stranger"}) as answer:
            assert answer.status == 200
        ran = await job.run(server.base_url, adopt_existing=True)
    assert (ran.code, job.reasons) == (1, {"a": "failed rejected"})
    assert "Trash" in job.failures[0]["hint"]


async def test_a_400_about_another_field_costs_no_get(tmp_path: Path) -> None:
    """A refusal that names a field of the row is the row's own fault: `rejected` at once, with no look-up."""
    job = Job(tmp_path)
    job.rows(row("a", identifier="mine-1"))
    refusal = on("400", body=b'{"detail": "Bad Request: queryPresentations[0].query: Invalid", "status": 400}')
    async with FaultyServer(refusal) as server:
        ran = await job.run(server.base_url)
    assert (ran.code, job.reasons, server.gets) == (1, {"a": "failed rejected"}, [])


async def test_a_taken_identifier_that_cannot_be_looked_up_is_not_adopted(tmp_path: Path) -> None:
    """Refused as taken, nothing unclear, and GET does not tell: failed with the server's own words, no document claimed."""
    job = Job(tmp_path)
    job.rows(row("a", identifier="mine-1"))
    async with FaultyServer("GET 500") as server:
        await place(server, "mine-1", name="a")
        ran = await job.run(server.base_url, adopt_existing=True)
    assert (ran.code, job.results) == (1, [])
    assert job.failures[0]["outcome"] == "failed"
