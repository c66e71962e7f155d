"""What stops a run, what only slows it, and what fails a row (contract 8, 9), over real sockets."""

from __future__ import annotations

import asyncio
import itertools
import socket
from pathlib import Path

import anyio
import pytest

from batcher.sandbox import ErrorShape, Fault

from ..support.faulty import FaultyServer, named, on
from ..support.runs import Job, row

MISSING = "00000000-0000-4000-8000-000000000000"
TOKEN = b'{"error": {"code": 403, "message": "Invalid bearer token"}}'


def specs(count: int) -> list[dict[str, str]]:
    """So many rows."""
    return [row(f"n{n}") for n in range(count)]


@pytest.mark.parametrize("brake", ["429=0@2,4", "503=0@2,4", "429=date+0@2"])
async def test_a_brake_costs_no_attempt(tmp_path: Path, brake: str) -> None:
    """429, or 503 with Retry-After: tried again, not counted, not looked up; everything is created."""
    job = Job(tmp_path)
    job.rows(*specs(3))
    async with FaultyServer(brake) as server:
        ran = await job.run(server.base_url, max_attempts=1, concurrency=1)
    assert (ran.code, ran.counts) == (0, {"created_now": 3})
    assert server.gets == []


async def test_a_brake_stops_all_workers_for_the_time_given(tmp_path: Path) -> None:
    """After a 429 with Retry-After: 1 nothing arrives for a second, whoever waits."""
    job = Job(tmp_path)
    job.rows(*specs(12))
    async with FaultyServer("429=1@4", latency_seconds=0.02) as server:
        ran = await job.run(server.base_url, concurrency=2)
    assert (ran.code, ran.counts) == (0, {"created_now": 12})
    arrivals = server.arrivals()
    [pause] = [later - earlier for earlier, later in itertools.pairwise(arrivals) if later - earlier > 0.9]
    assert pause >= 0.95


async def test_a_row_that_alone_is_limited_fails(tmp_path: Path) -> None:
    """Answered 429 five times while others pass: failed `rate_limited`; the others are created."""
    job = Job(tmp_path)
    job.rows(row("bad"), *specs(40))
    async with FaultyServer(on("429=0", named("bad"))) as server:
        ran = await job.run(server.base_url, concurrency=2)
    assert (ran.code, job.reasons, len(job.results)) == (1, {"bad": "failed rate_limited"}, 40)
    assert "firewall" in job.failures[0]["hint"]
    refused = [seen for seen in server.posts if seen.status == 429]
    assert len(refused) >= 5


KEY_REFUSALS = [
    on("401"),
    on("403", body=TOKEN),
    *(on("400", body=b'{"detail": "Bad Request: Malformed Authorization header", "status": 400}'),),
    on("403", body=b'{"error": "forbidden", "message": "API key is not valid"}'),
]


@pytest.mark.parametrize("refusal", KEY_REFUSALS, ids=["401", "403", "400", "403-coded"])
async def test_the_last_key_refused_stops_the_run(tmp_path: Path, refusal: Fault) -> None:
    """The key is dropped, nothing more starts, its rows are not attempted, exit 3; with a good key all is created."""
    job = Job(tmp_path)
    job.rows(*specs(50))
    async with FaultyServer(refusal, latency_seconds=0.01) as server:
        ran = await job.run(server.base_url, concurrency=4)
    assert (ran.code, ran.counts, job.failures) == (3, {"to_do": 50}, [])
    assert len(server.posts) <= 4
    assert "API key 1 was refused" in ran.warnings
    assert "k1" not in ran.warnings


async def test_no_request_starts_later_than_100_ms_after_the_refusal(tmp_path: Path) -> None:
    """A key revoked in the middle: what had started arrives, nothing leaves 100 ms after the answer."""
    job = Job(tmp_path)
    job.rows(*specs(200))
    async with FaultyServer("revoke-key@20", latency_seconds=0.02) as server:
        ran = await job.run(server.base_url, concurrency=8)
        created, rest = ran.counts["created_now"], ran.counts["to_do"]
        assert (ran.code, created + rest, created) == (3, 200, len(server.commits))
        first = min(seen.arrived_seconds for seen in server.posts if seen.status == 403)
        assert max(server.arrivals()) < first + 0.02 + 0.1
        ran = await job.run(server.base_url, keys=("k2",), concurrency=8)
    assert (ran.code, ran.counts) == (0, {"created_before": created, "created_now": rest})
    assert len(server.commits) == 200


async def test_one_of_two_keys_is_revoked(tmp_path: Path) -> None:
    """A revoked key is dropped with a message, its row goes back, and the other key does the rest."""
    job = Job(tmp_path)
    job.rows(*specs(40))
    async with FaultyServer(keys=frozenset({"good"})) as server:
        ran = await job.run(server.base_url, keys=("bad", "good"))
    assert (ran.code, ran.counts) == (0, {"created_now": 40})
    assert "API key 1 was refused" in ran.warnings
    assert "1 left" in ran.warnings
    assert {seen.status for seen in server.posts if seen.authorization == "Bearer bad"} == {403}


async def test_a_row_refused_with_its_key_is_not_unclear(tmp_path: Path) -> None:
    """After such a refusal the row's document that a stranger makes meanwhile is not taken for ours."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer(keys=frozenset({"good"})) as server:
        await job.run(server.base_url, keys=("bad",))
    assert [line["type"] for line in job.journal if "key" in line] == ["intent", "clear"]


@pytest.mark.parametrize("shape", list(ErrorShape))
async def test_an_unknown_model_fails_its_row(tmp_path: Path, shape: ErrorShape) -> None:
    """404 that speaks of the model: failed `not_found`, with the API's own words, the rest goes on."""
    job = Job(tmp_path)
    job.rows(row("a") | {"modelId": MISSING}, row("b", branchId=MISSING), row("c"))
    async with FaultyServer(unknown_models=frozenset({MISSING}), error_shape=shape) as server:
        ran = await job.run(server.base_url)
    assert (ran.code, job.how) == (1, {"c": "created"})
    assert job.reasons == {"a": "failed not_found", "b": "failed not_found"}
    assert job.failures[0]["message"] in {f'{what} with id "{MISSING}" not found' for what in ("Model", "Branch")}


@pytest.mark.parametrize("status", [404, 405, 410])
async def test_a_missing_route_stops_the_run(tmp_path: Path, status: int) -> None:
    """404, 405 or 410 that speaks of no model or branch: v1 create is gone; exit 3, rows not attempted."""
    job = Job(tmp_path)
    job.rows(*specs(3))
    async with FaultyServer(str(status)) as server:
        ran = await job.run(server.base_url, concurrency=1)
    assert (ran.code, ran.counts, len(server.posts)) == (3, {"to_do": 3}, 1)
    assert "no longer offers v1 create" in (ran.summary.stopped or "")


async def test_a_redirect_at_first_stops_and_later_fails_its_row(tmp_path: Path) -> None:
    """3xx is never followed: before the first success it stops the run, later it fails its row."""
    job = Job(tmp_path)
    job.rows(*specs(3))
    async with FaultyServer("redirect@1,3") as server:
        ran = await job.run(server.base_url, concurrency=1)
        assert (ran.code, ran.counts) == (3, {"to_do": 3})
        assert "is this an Omni base URL?" in (ran.summary.stopped or "")
        ran = await job.run(server.base_url, concurrency=1)
    assert (ran.code, job.reasons) == (1, {"n1": "failed bad_response"})
    assert {seen.path for seen in server.seen} == {"/api/v1/documents"}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("400", "rejected"), ("409", "rejected"), ("413", "rejected"), ("422", "rejected"), ("418", "rejected")],
)
async def test_a_refusal_fails_the_row_and_is_not_repeated(tmp_path: Path, fault: str, reason: str) -> None:
    """400, 409, 413, 422 and other 4xx: failed, sent once in this run; the others are created."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer(on(fault, named("a"))) as server:
        ran = await job.run(server.base_url)
    assert (ran.code, job.reasons, job.how) == (1, {"a": f"failed {reason}"}, {"b": "created"})
    assert len(server.posts) == 2
    assert job.failures[0]["status"] == int(fault)


async def test_a_body_of_megabytes_is_sent(tmp_path: Path) -> None:
    """A body of 3 MB arrives whole. (Failed before: aiohttp warned that a large body might lock the event loop.)"""
    job = Job(tmp_path)
    job.rows(row("a", filterConfig={"x": "y" * 3_000_000}))
    async with FaultyServer() as server:
        ran = await job.run(server.base_url)
    assert (ran.code, job.how) == (0, {"a": "created"})
    assert len(server.commits[0].body) > 3_000_000


async def test_an_answer_before_the_body_was_read_is_never_a_second_document(tmp_path: Path) -> None:
    """413 while a large body is still on its way: refused, or lost and then looked up; no document is claimed."""
    job = Job(tmp_path)
    job.rows(row("a", filterConfig={"x": "y" * 3_000_000}))
    async with FaultyServer("early") as server:
        ran = await job.run(server.base_url)
    assert (ran.code, job.results, server.commits) in ((1, [], []), (5, [], []))


async def test_forbidden_fails_the_row(tmp_path: Path) -> None:
    """A 403 that says nothing of the token: failed `forbidden`, the key stays in use."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    body = b'{"detail": "You do not have permission to create content here", "status": 403}'
    async with FaultyServer(on("403@1", body=body)) as server:
        ran = await job.run(server.base_url, concurrency=1)
    assert (ran.code, job.reasons, job.how) == (1, {"a": "failed forbidden"}, {"b": "created"})


async def test_the_same_failure_again_and_again_stops(tmp_path: Path) -> None:
    """--stop-after times the same reason and message: exit 3, the rest not attempted; names of rows do not matter."""
    job = Job(tmp_path)
    job.rows(*[row(f"n{n}", identifier=f"own-{n}") for n in range(20)])
    body = b'{"detail": "Bad Request: name: too plain", "status": 400}'
    async with FaultyServer(on("400", body=body)) as server:
        ran = await job.run(server.base_url, stop_after=5, concurrency=1)
    assert (ran.code, ran.counts, len(server.posts)) == (3, {"failed": 5, "to_do": 15}, 5)
    assert "5 rows in a row failed the same way" in (ran.summary.stopped or "")


async def test_different_failures_or_a_success_between_do_not_stop(tmp_path: Path) -> None:
    """The streak is broken by a created row and by another message."""
    job = Job(tmp_path)
    job.rows(*specs(12))
    async with FaultyServer("413@1,2,4,5,7,8", "422@9,10,11") as server:
        ran = await job.run(server.base_url, stop_after=4, concurrency=1)
    assert (ran.code, ran.counts) == (1, {"created_now": 3, "failed": 9})


async def test_rows_that_failed_before_do_not_stop_the_run(tmp_path: Path) -> None:
    """Only failures of rows that had not failed in an earlier run count for --stop-after."""
    job = Job(tmp_path)
    job.rows(*specs(6))
    async with FaultyServer("413") as server:
        await job.run(server.base_url, stop_after=100)
        ran = await job.run(server.base_url, stop_after=3)
    assert (ran.code, ran.counts, len(server.posts)) == (1, {"failed": 6}, 12)


async def test_nobody_there_gives_up(tmp_path: Path) -> None:
    """Connections refused for longer than --give-up-after: exit 3, nothing attempted, no attempt counted."""
    job = Job(tmp_path)
    job.rows(*specs(5))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        ran = await job.run(base_url, give_up_after_seconds=0.3)
    assert (ran.code, ran.counts, job.failures) == (3, {"to_do": 5}, [])
    assert "no usable answer from the server" in (ran.summary.stopped or "")
    assert "--give-up-after" in (ran.summary.stopped or "")


async def test_a_server_that_comes_back_is_used_again(tmp_path: Path) -> None:
    """Down at the start, up a little later: the run goes on by itself, and everything is created."""
    job = Job(tmp_path)
    job.rows(*specs(20))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]

    async def later() -> None:
        await anyio.sleep(0.4)
        async with FaultyServer(port=port) as server:
            servers.append(server)
            await done.wait()

    servers: list[FaultyServer] = []
    done = asyncio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(later)
        ran = await job.run(f"http://127.0.0.1:{port}", max_attempts=1)
        done.set()
    assert (ran.code, ran.counts) == (0, {"created_now": 20})
    assert len(servers[0].commits) == 20


async def test_an_unknown_host_before_the_first_answer_stops(tmp_path: Path) -> None:
    """A host that does not exist: exit 3 at once, naming the flag to check."""
    job = Job(tmp_path)
    job.rows(row("a"))
    with anyio.fail_after(20):
        ran = await job.run("http://no-such-host.invalid")
    assert (ran.code, ran.counts) == (3, {"to_do": 1})
    assert "no-such-host.invalid" in (ran.summary.stopped or "")
    assert "--base-url" in (ran.summary.stopped or "")


async def test_the_end_of_v1_is_announced_once(tmp_path: Path) -> None:
    """Deprecation and Sunset headers are one warning, however many answers carry them."""
    job = Job(tmp_path)
    job.rows(*specs(3))
    async with FaultyServer("deprecated") as server:
        ran = await job.run(server.base_url)
    assert [text for text in ran.witness.warnings if "announces the end" in text] == [
        next(text for text in ran.witness.warnings if "31 Dec 2026" in text)
    ]
