"""What an unclear attempt did is found out before anything is sent again (contract 7): real sockets, real files."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from batcher.sandbox import Fault

from ..support.faulty import FaultyServer, guarded, named, on
from ..support.runs import Job, row

COMMITTED = (
    *("reset-after@1", "500-after@1", "502-after@1", "504-after@1", "503-after@1", "408-after@1", "425-after@1"),
    *("truncate@1", "oversized@1", "short-length@1", "stall@1", "hang-after@1"),
)
UNCARRIED = ("reset-before@1", "500@1", "502@1", "503@1", "504@1", "408@1", "425@1", "hang-before@1")


@pytest.mark.parametrize("fault", COMMITTED)
async def test_an_unclear_attempt_that_made_it_is_reconciled(tmp_path: Path, fault: str) -> None:
    """Whatever hides the answer to a create that was carried out: one POST, a GET, `reconciled`, one document."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer(fault) as server:
        ran = await job.run(server.base_url, timeout_seconds=0.3)
    assert (ran.code, job.how) == (0, {"a": "reconciled"})
    assert (len(server.posts), len(server.commits)) == (1, 1)
    assert job.results[0]["identifier"] in server.documents


@pytest.mark.parametrize("fault", UNCARRIED)
async def test_an_unclear_attempt_that_did_nothing_is_sent_again(tmp_path: Path, fault: str) -> None:
    """A GET that says 404 allows the second POST, under the same identifier; it is `created`, with two attempts."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer(fault) as server:
        ran = await job.run(server.base_url, timeout_seconds=0.3)
    assert (ran.code, job.how) == (0, {"a": "created"})
    assert [len(server.posts), len(server.commits)] == [2, 1]
    assert [seen.method for seen in server.seen] == ["POST", "GET", "POST"]
    assert len({intent["identifier"] for intent in job.intents("a")}) == 1
    assert job.results[0]["attempts"] == 2


@pytest.mark.parametrize("fault", ["empty@2", "html-after@2", "garbage@2"])
async def test_an_unreadable_2xx_after_the_first_success_is_unclear(tmp_path: Path, fault: str) -> None:
    """A 2xx that cannot be read, once something has succeeded, is reconciled like any unclear attempt."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer(fault) as server:
        ran = await job.run(server.base_url, concurrency=1)
    assert (ran.code, job.how) == (0, {"a": "created", "b": "reconciled"})
    assert len(server.commits) == 2


@pytest.mark.parametrize("fault", ["html@1", "empty@1", "html-after@1", "garbage@1"])
async def test_an_unreadable_2xx_before_the_first_success_stops(tmp_path: Path, fault: str) -> None:
    """A 2xx that is not JSON before anything succeeded: exit 3 asks for the base URL; its row is uncertain, not lost."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer(fault) as server:
        ran = await job.run(server.base_url, concurrency=1)
        assert (ran.code, ran.counts) == (3, {"uncertain": 1, "to_do": 1})
        assert "is this an Omni base URL?" in (ran.summary.stopped or "")
        ran = await job.run(server.base_url)
    assert (ran.code, set(job.how)) == (0, {"a", "b"})
    assert len(server.commits) == 2


@pytest.mark.parametrize("how", ["201-after@1", "200-after@1", "bare@1"])
async def test_any_readable_2xx_is_created(tmp_path: Path, how: str) -> None:
    """200 or 201, and an answer with no more than the four promised fields, count as created."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer(how) as server:
        ran = await job.run(server.base_url)
    assert (ran.code, job.how) == (0, {"a": "created"})
    assert job.results[0]["identifier"] in server.documents


async def test_an_answer_with_another_identifier_keeps_the_outcome_and_stops(tmp_path: Path) -> None:
    """The outcome is kept under the server's identifier, and the run stops with exit 3: the assumption does not hold."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"), row("c"))
    async with FaultyServer("other-identifier@2") as server:
        ran = await job.run(server.base_url, concurrency=1)
        assert (ran.code, ran.counts) == (3, {"created_now": 2, "to_do": 1})
        assert "--no-fill-identifiers" in (ran.summary.stopped or "")
        ran = await job.run(server.base_url)
    assert (ran.code, ran.counts) == (0, {"created_before": 2, "created_now": 1})
    assert {line["identifier"] for line in job.results} == set(server.documents)
    assert len(server.commits) == 3


async def test_a_server_that_names_documents_itself_and_reads_otherwise(tmp_path: Path) -> None:
    """Seed 1091: each run after ten minutes made another document. Now the row waits for a person, run after run."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer("other-identifier", "other-name") as server:
        for hours in range(3):
            now = datetime.now(UTC) + timedelta(hours=hours)
            later = replace(job, runtime=replace(job.runtime, now=lambda now=now: now))  # type: ignore[misc]
            ran = await later.run(server.base_url, concurrency=1)
            assert (ran.code, ran.counts["uncertain"]) == (3, 1) if hours == 0 else ran.code in (3, 5)
        made = [document.name for document in server.commits]
    assert sorted(made) == ["a", "b"]


@pytest.mark.parametrize("guard", ["GET 403", "GET 422", "analysis"])
async def test_existence_is_proof_for_an_identifier_that_was_filled_in(tmp_path: Path, guard: str) -> None:
    """A GET that says 403, 422 or 400-analysis means that it exists: with a filled identifier that is ours."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer("reset-after@1", guarded(guard)) as server:
        ran = await job.run(server.base_url)
    assert (ran.code, job.how, len(server.posts)) == (0, {"a": "reconciled"}, 1)


async def test_another_name_is_a_warning_for_a_filled_identifier(tmp_path: Path) -> None:
    """Somebody has renamed the document meanwhile: still ours, with a warning that names both."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer("reset-after@1", "other-name") as server:
        ran = await job.run(server.base_url)
    assert (ran.code, job.how) == (0, {"a": "reconciled"})
    assert "d.jsonl:1" in ran.warnings
    assert "'a (renamed)'" in ran.warnings


async def test_the_users_own_identifier_is_reconciled_if_it_reads_the_same(tmp_path: Path) -> None:
    """For a user's own identifier what is readable must equal what was sent: then it is reconciled."""
    job = Job(tmp_path)
    job.rows(row("a", identifier="mine-1", description="d"))
    async with FaultyServer("reset-after@1") as server:
        ran = await job.run(server.base_url)
    assert (ran.code, job.how, len(server.posts)) == (0, {"a": "reconciled"}, 1)


async def test_the_users_own_identifier_with_other_content_is_taken(tmp_path: Path) -> None:
    """For a user's own identifier another readable content means: somebody else's; failed `identifier_taken`."""
    job = Job(tmp_path)
    job.rows(row("a", identifier="mine-1"))
    async with FaultyServer("reset-after@1", "other-name") as server:
        ran = await job.run(server.base_url)
    assert (ran.code, job.reasons) == (1, {"a": "failed identifier_taken"})
    assert job.results == []


@pytest.mark.parametrize("guard", ["GET 403", "GET 422", "analysis"])
async def test_the_users_own_identifier_that_cannot_be_read_is_uncertain(tmp_path: Path, guard: str) -> None:
    """For a user's own identifier that exists but cannot be read nobody knows whose it is: uncertain, exit 5."""
    job = Job(tmp_path)
    job.rows(row("a", identifier="mine-1"))
    async with FaultyServer("reset-after@1", guarded(guard)) as server:
        ran = await job.run(server.base_url)
    assert (ran.code, ran.counts, job.results) == (5, {"uncertain": 1}, [])
    assert job.reasons == {"a": "uncertain connection"}


async def test_a_late_commit_is_guarded_by_uniqueness(tmp_path: Path) -> None:
    """The GET says 404, the second POST makes it or meets the late first one; either way there is one document."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer("late-commit=0.15@1", "slow=0.5@2") as server:
        ran = await job.run(server.base_url)
    assert (ran.code, job.how) == (0, {"a": "reconciled"})
    assert [seen.status for seen in server.seen] == [None, 404, 400, 200]
    assert len(server.commits) == 1


async def test_reads_that_lag_are_asked_again(tmp_path: Path) -> None:
    """A refusal as taken after an unclear attempt while GET still says 404 is asked again until the read has caught up."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer("reset-after@1", "404-lag=0.5") as server:
        ran = await job.run(server.base_url)
    assert (ran.code, job.how, len(server.commits)) == (0, {"a": "reconciled"}, 1)
    assert [seen.status for seen in server.gets][-2:] == [404, 200]


async def test_a_get_that_does_not_tell_leaves_it_uncertain_and_the_next_run_begins_with_it(tmp_path: Path) -> None:
    """GETs answered 500: uncertain, exit 5, never resent; the next run asks first and sends nothing."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer("reset-after@1", "GET 500@1-5") as server:
        ran = await job.run(server.base_url, concurrency=1)
        assert (ran.code, ran.counts) == (5, {"created_now": 1, "uncertain": 1})
        assert job.reasons == {"a": "uncertain server_error"}
        assert len(server.gets) == 5
        job.rows(row("c"), row("b"), row("a"))
        ran = await job.run(server.base_url, concurrency=1)
    assert (ran.code, ran.counts, job.failures) == (0, {"created_before": 1, "reconciled": 1, "created_now": 1}, [])
    assert [seen.method for seen in server.seen[7:]] == ["GET", "POST"]


ROUTER = {"message": "Route GET:/api/v1/documents/mine-1 not found", "error": "Not Found", "statusCode": 404}


@pytest.mark.parametrize("body", [b"<html>404 Not Found</html>", json.dumps(ROUTER).encode()])
async def test_a_proxys_or_routers_404_proves_nothing(tmp_path: Path, body: bytes) -> None:
    """Only the application's own 404 proves absence: another one leaves the row uncertain, and nothing is sent again."""
    job = Job(tmp_path)
    job.rows(row("a", identifier="mine-1"))
    async with FaultyServer("reset-after@1", on("GET 404", body=body)) as server:
        ran = await job.run(server.base_url)
    assert (ran.code, ran.counts, len(server.posts)) == (5, {"uncertain": 1}, 1)


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
async def test_a_look_ups_line_breaks_do_not_break_the_results(tmp_path: Path, indent: int | None, end: str) -> None:
    """Many servers end JSON with one: the reconciled row's line is read by the next run. (Failed before: exit 2.)"""
    job = Job(tmp_path)
    job.rows(row("a", identifier="mine-1"), row("b"))
    shown = json.dumps(row("a"), indent=indent) + end
    look_up = on("GET 200-after", lambda call: call.path.endswith("mine-1"), body=shown.encode())
    async with FaultyServer(on("reset-after", named("a")), look_up) as server:
        ran = await job.run(server.base_url)
        assert (ran.code, job.how) == (0, {"a": "reconciled", "b": "created"})
        assert row("a") in [line["response"] for line in job.results]
        again = await job.run(server.base_url)
    assert (again.code, again.counts) == (0, {"created_before": 2})


async def test_attempts_used_up_with_one_unclear_is_uncertain(tmp_path: Path) -> None:
    """--max-attempts counts all attempts; used up, and one of them unclear: uncertain, never failed."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer("500") as server:
        ran = await job.run(server.base_url, max_attempts=3)
    assert (ran.code, job.reasons, len(server.posts)) == (5, {"a": "uncertain server_error"}, 3)
    assert job.failures[0]["attempts"] == 3


async def test_a_clear_refusal_after_an_unclear_attempt_is_no_failure(tmp_path: Path) -> None:
    """A row is failed only if none of its attempts is unclear: 500, then 422 while GET says 404 is not failed."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer("500@1", "413@2") as server:
        ran = await job.run(server.base_url)
    assert (ran.code, ran.counts, len(server.posts)) == (5, {"uncertain": 1}, 2)


async def test_an_unclear_attempt_keeps_its_identifier_whatever_is_edited(tmp_path: Path) -> None:
    """While an attempt is unclear the row goes under no other identifier: not one typed in since, nor none."""
    job = Job(tmp_path)
    job.rows(row("a", key="K1"))
    async with FaultyServer("500-after@1", "GET 500@1-10", "GET 404@11") as server:
        assert (await job.run(server.base_url)).code == 5
        [first] = job.intents("a")
        job.rows(row("a", key="K1", identifier="typed-in-since"))
        assert (await job.run(server.base_url, fill_identifiers=False)).code == 5
        ran = await job.run(server.base_url, fill_identifiers=False)
    assert (ran.code, job.how) == (0, {"a": "reconciled"})
    assert {intent["identifier"] for intent in job.intents("a")} == {first["identifier"]}
    assert list(server.documents) == [first["identifier"]]


async def test_a_row_that_was_edited_while_unclear_is_compared_with_what_was_sent(tmp_path: Path) -> None:
    """What counts is what the journal says was sent, not the row as it is now; the change is then named."""
    job = Job(tmp_path)
    job.rows(row("a", identifier="mine-1", description="old"))
    async with FaultyServer("reset-after@1", "GET 500@1-5") as server:
        assert (await job.run(server.base_url)).code == 5
        job.rows(row("a", identifier="mine-1", description="new"))
        assert (await job.run(server.base_url)).counts == {"reconciled": 1}
        ran = await job.run(server.base_url)
    assert (ran.counts, ran.summary.changed) == ({"created_before": 1}, 1)
    assert len(server.posts) == 1


async def test_rows_gone_from_the_input_are_looked_up_and_never_sent(tmp_path: Path) -> None:
    """Intents whose rows are no longer in the input are reconciled: found → created; not found → kept, not sent."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    lost: list[str | Fault] = [on("500-after", named("a")), on("500", named("b")), "GET 500@1-10"]
    async with FaultyServer(*lost) as server:
        assert (await job.run(server.base_url, concurrency=1)).counts == {"uncertain": 2}
        posts = len(server.posts)
        job.rows(row("c"))
        ran = await job.run(server.base_url)
    assert (ran.code, ran.counts) == (0, {"created_now": 1})
    assert job.how == {"a": "reconciled", "c": "created"}
    assert job.reasons == {"b": "uncertain server_error"}
    assert ran.summary.other_failures == 1
    assert len(server.posts) == posts + 1
