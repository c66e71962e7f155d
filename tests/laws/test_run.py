"""The straight path of a run, and of running it again: the real pipeline over real sockets, then the server is asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from batcher.errors import InvalidInput, Locked, UsageError
from batcher.identity import content_hash, fill_identifier, spec_hash
from batcher.send.drain import Drain

from ..files.test_spool import FullDisk
from ..support.faulty import FaultyServer
from ..support.runs import MODEL, Job, Witness, contents, row


def specs(count: int) -> list[dict[str, str]]:
    """So many rows."""
    return [row(f"n{n}") for n in range(count)]


async def test_the_peers_test(tmp_path: Path) -> None:
    """400 rows, each committed, every 20th answer dropped: 400 created, 0 duplicates, 0 unaccounted, exit code 0."""
    job = Job(tmp_path)
    job.rows(*specs(400))
    async with FaultyServer("reset-after/20") as server:
        ran = await job.run(server.base_url, concurrency=16)
    assert ran.code == 0
    assert ran.counts == {"created_now": 380, "reconciled": 20}
    assert {name: len(made) for name, made in server.created_by_name.items()} == {f"n{n}": 1 for n in range(400)}
    assert {line["identifier"] for line in job.results} == set(server.documents)
    assert len(job.how) == 400
    assert job.failures == []


async def test_a_results_line_says_everything_in_the_contracts_order(tmp_path: Path) -> None:
    """The fields of a results line, their order, and what they hold."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b", identifier="my-own", description="d"))
    async with FaultyServer() as server:
        await job.run(server.base_url, concurrency=1)
    first, second = job.results
    order = "key source line outcome how specHash identifier name modelId url dashboardId workbookId attempts status"
    assert list(first) == [*order.split(), "elapsedMs", "at", "run", "response"]
    assert (first["line"], first["outcome"], first["how"]) == (1, "created", "created")
    assert (first["attempts"], first["status"], first["run"]) == (1, 201, "run1")
    assert first["key"].startswith("name:")
    assert second["key"] == "id:my-own"
    assert (second["identifier"], second["modelId"]) == ("my-own", MODEL)
    assert second["url"] == f"{server.base_url}/dashboards/my-own"
    made = server.documents["my-own"]
    assert (second["dashboardId"], second["workbookId"]) == (made.dashboard_id, made.workbook_id)
    assert second["response"]["workbook"]["identifier"] == "my-own"
    assert second["specHash"] == spec_hash(json.dumps(row("b", identifier="my-own", description="d")).encode())


async def test_a_row_without_identifier_gets_a_filled_one(tmp_path: Path) -> None:
    """The identifier sent is the one that name, key, namespace and content give, and it is in the journal before."""
    job = Job(tmp_path)
    job.rows(row("Revenue by Month"))
    async with FaultyServer() as server:
        await job.run(server.base_url, namespace="eu")
    [line] = job.results
    assert line["identifier"] == fill_identifier(
        "Revenue by Month", line["key"], "eu", 0, content_hash(row("Revenue by Month"))
    )
    assert list(server.documents) == [line["identifier"]]
    [intent] = job.intents("Revenue by Month")
    assert (intent["identifier"], intent["filled"]) == (line["identifier"], True)


async def test_a_second_run_sends_nothing(tmp_path: Path) -> None:
    """With everything created, the same run again makes no request, needs no key and changes no file."""
    job = Job(tmp_path)
    job.rows(*specs(12))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        before = contents(tmp_path)
        ran = await job.run(server.base_url, keys=())
    assert (ran.code, ran.counts, ran.summary.requests) == (0, {"created_before": 12}, 0)
    assert len(server.seen) == 12
    assert contents(tmp_path) == before


async def test_work_without_a_key_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """No key although something must be sent: a usage error that names the variable; no file appears."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer() as server:
        with pytest.raises(UsageError, match="OMNI_API_KEY"):
            await job.run(server.base_url, keys=())
    assert set(contents(tmp_path)) == {"d.jsonl"}


async def test_rows_may_be_moved_extended_and_fixed(tmp_path: Path) -> None:
    """Resume goes by key: order does not matter, new rows are sent, a changed created row is named and not sent."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"), row("c"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        job.rows(row("c"), row("d"), row("a", description="new"), row("b"))
        ran = await job.run(server.base_url)
    assert ran.counts == {"created_before": 3, "created_now": 1}
    assert ran.summary.changed == 1
    assert "d.jsonl:3 (a)" in ran.warnings
    assert "changed since" in ran.warnings
    assert list(server.created_by_name) == ["a", "b", "c", "d"]


async def test_a_moved_row_is_no_changed_row(tmp_path: Path) -> None:
    """Rows in another order and with their fields in another order: no warning, nothing sent."""
    job = Job(tmp_path)
    job.rows(row("a", description="x"), row("b"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        job.rows(row("b"), {"description": "x", "modelId": MODEL, "name": "a"})
        ran = await job.run(server.base_url)
    assert (ran.counts, ran.summary.changed, ran.warnings) == ({"created_before": 2}, 0, "")


async def test_an_invalid_row_stops_everything(tmp_path: Path) -> None:
    """With an invalid row nothing is sent and nothing written; every problem of every row is told."""
    job = Job(tmp_path)
    job.rows(row("a"), row("", identifier="X"), {"name": "c"})
    async with FaultyServer() as server:
        with pytest.raises(InvalidInput, match="2 of 3 rows"):
            await job.run(server.base_url, witness=(witness := Witness()))
    assert server.seen == []
    assert set(contents(tmp_path)) == {"d.jsonl"}
    assert [(one.line, one.field) for one in witness.problems] == [(2, "name"), (2, "identifier"), (3, "modelId")]


async def test_invalid_rows_are_skipped_on_request_and_fixed_in_the_failures_file(tmp_path: Path) -> None:
    """--skip-invalid: the invalid go to the failures file, the rest is sent; fixed there and fed in, all are created."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b", identifier="Bad Name"), row("c"))
    async with FaultyServer() as server:
        ran = await job.run(server.base_url, skip_invalid=True)
        assert (ran.code, ran.counts, ran.summary.invalid) == (1, {"created_now": 2, "failed": 1}, 1)
        assert job.reasons == {"b": "failed invalid"}
        again = await job.run(server.base_url, skip_invalid=True)
        assert (again.code, again.summary.requests, job.reasons) == (1, 0, {"b": "failed invalid"})
        job.edit_failures(lambda line: line["spec"].update(identifier="good-name"))
        ran = await job.run(server.base_url, inputs=[job.files.failures])
    assert (ran.code, ran.counts) == (0, {"created_now": 1})
    assert job.failures == []
    assert server.documents["good-name"].name == "b"


async def test_limit_is_a_canary(tmp_path: Path) -> None:
    """--limit N sends the first N rows, in input order, and exits 6; with enough of it the run is whole."""
    job = Job(tmp_path)
    job.rows(*specs(10))
    async with FaultyServer() as server:
        ran = await job.run(server.base_url, limit=3)
        assert (ran.code, ran.counts) == (6, {"created_now": 3, "to_do": 7})
        assert sorted(server.created_by_name) == ["n0", "n1", "n2"]
        ran = await job.run(server.base_url, limit=7)
    assert (ran.code, ran.counts) == (0, {"created_before": 3, "created_now": 7})


async def test_another_server_or_namespace_is_refused(tmp_path: Path) -> None:
    """The journal's first line binds the files to a base URL and a namespace; another one is refused before sending."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer() as server, FaultyServer() as other:
        await job.run(server.base_url)
        with pytest.raises(UsageError, match=r"baseUrl.*--results"):
            await job.run(other.base_url)
        with pytest.raises(UsageError, match="namespace"):
            await job.run(server.base_url, namespace="eu")
    assert other.seen == []
    place = {"baseUrl": server.base_url, "namespace": ""}
    assert job.journal[0] == {"type": "journal", "version": 1, **place, "identifiers": "content"}


async def test_missing_results_beside_a_knowing_journal_are_refused(tmp_path: Path) -> None:
    """A journal that knows created rows beside missing results: refused, naming both ways out; both ways work."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        kept = job.files.results.read_bytes()
        job.files.results.unlink()
        with pytest.raises(UsageError, match=r"(?s)Put that file back.*start over"):
            await job.run(server.base_url)
        job.files.results.write_bytes(kept)
        assert (await job.run(server.base_url)).counts == {"created_before": 2}
        for path in (job.files.results, job.files.journal, job.files.failures):
            path.unlink()
        ran = await job.run(server.base_url)
    assert ran.counts == {"adopted": 2}
    assert len(server.commits) == 2


async def test_a_second_run_on_the_same_files_is_locked_out(tmp_path: Path) -> None:
    """While one run holds the files, another says who does, and gives up at once."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer() as server:
        with (
            job.runtime.storage.lock(job.files.journal, b"process 7 on here, run 1234"),
            pytest.raises(Locked, match="process 7 on here, run 1234"),
        ):
            await job.run(server.base_url)
    assert server.seen == []


async def test_identical_rows_become_documents_of_their_own(tmp_path: Path) -> None:
    """Fully identical rows are allowed, each becomes one document, and a second run sends none again."""
    job = Job(tmp_path)
    job.rows(row("a"), row("a"), row("a"))
    async with FaultyServer() as server:
        ran = await job.run(server.base_url)
        assert ran.counts == {"created_now": 3}
        assert "identical" in ran.warnings
        assert (await job.run(server.base_url)).counts == {"created_before": 3}
    assert len(server.created_by_name["a"]) == 3


async def test_the_key_reaches_no_file(tmp_path: Path) -> None:
    """The API key stands in no file that a run writes, whatever the server answers."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer("reset-after@1", "500@2") as server:
        await job.run(server.base_url, keys=("omni_osk_verysecret",))
    assert server.authorizations == ["Bearer omni_osk_verysecret"]
    assert all(b"verysecret" not in content for content in contents(tmp_path).values())


async def test_rows_that_failed_before_are_sent_after_all_others(tmp_path: Path) -> None:
    """A failed row is tried again in the next run, last, and is gone from the failures file once it is created."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer("422@1") as server:
        ran = await job.run(server.base_url, concurrency=1)
        assert (ran.code, job.reasons) == (1, {"a": "failed rejected"})
        job.rows(row("a"), row("b"), row("c"))
        ran = await job.run(server.base_url, concurrency=1)
    assert (ran.code, job.failures) == (0, [])
    assert list(server.created_by_name) == ["b", "c", "a"]


async def test_the_most_requests_in_flight_is_the_concurrency(tmp_path: Path) -> None:
    """The server never sees more requests at a time than --concurrency, and sees that many."""
    job = Job(tmp_path)
    job.rows(*specs(30))
    async with FaultyServer(latency_seconds=0.02) as server:
        await job.run(server.base_url, concurrency=5)
    assert server.most_in_flight == 5


async def test_a_created_row_appears_in_results_as_it_happens(tmp_path: Path) -> None:
    """Each outcome is in its file when the observer hears of it: nothing is counted that is not written."""
    job = Job(tmp_path)
    job.rows(*specs(6))
    witness = Witness()
    seen: list[int] = []
    witness.on_outcome = lambda _: seen.append(len(job.results) + sum(line["type"] == "failed" for line in job.journal))
    async with FaultyServer("422@3") as server:
        await job.run(server.base_url, witness=witness, concurrency=1, drain=Drain())
    assert seen == [1, 2, 3, 4, 5, 6]


async def test_an_input_that_changes_while_the_run_sends_makes_no_difference(tmp_path: Path) -> None:
    """It was read once: what was checked is what is sent, whatever becomes of the file."""
    job = Job(tmp_path)
    job.rows(*specs(20))
    witness = Witness()
    witness.on_outcome = lambda _: job.rows(row("other"))
    async with FaultyServer() as server:
        ran = await job.run(server.base_url, witness=witness, concurrency=1)
    assert (ran.code, ran.counts) == (0, {"created_now": 20})
    assert sorted(server.created_by_name) == sorted(f"n{n}" for n in range(20))


async def test_no_room_for_the_checked_rows_sends_and_writes_nothing(tmp_path: Path) -> None:
    """The disk is full before the first request: exit code 2, and no file appears."""
    job = Job(tmp_path)
    job.rows(*specs(3))
    job.runtime = replace(job.runtime, storage=FullDisk())
    async with FaultyServer() as server:
        with pytest.raises(UsageError, match=r"Free up space.*nothing was sent"):
            await job.run(server.base_url)
    assert server.seen == []
    assert set(contents(tmp_path)) == {"d.jsonl"}
