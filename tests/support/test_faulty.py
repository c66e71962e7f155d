"""The scripted server: does it do what its script says, and remember what reached it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.support.faulty import FaultyServer, documents_in, most_in_window, named, on, requests_in, server_process

MODEL = "5f1c2b3a-6d4e-4f70-8a91-b2c3d4e5f607"


def client(base_url: str, key: str = "k", timeout_seconds: float = 5.0) -> aiohttp.ClientSession:
    """A plain client."""
    return aiohttp.ClientSession(
        base_url,
        headers={"Authorization": f"Bearer {key}"},
        timeout=aiohttp.ClientTimeout(total=timeout_seconds),
    )


async def create(session: aiohttp.ClientSession, name: str, identifier: str | None = None) -> int:
    """POST one document and return the status."""
    body = {"modelId": MODEL, "name": name} | ({"identifier": identifier} if identifier else {})
    async with session.post("/api/v1/documents", json=body) as answer:
        await answer.read()
        return answer.status


async def test_it_follows_its_script_by_call_number() -> None:
    """The third POST is committed and reset, the first GET says 404 although the document is there."""
    async with FaultyServer("reset-after@3", "GET 404@1") as server, client(server.base_url) as session:
        assert [await create(session, name, f"doc-{name}") for name in "ab"] == [201, 201]
        with pytest.raises(aiohttp.ClientConnectionError):
            await create(session, "c", "doc-c")
        async with session.get("/api/v1/documents/doc-c") as answer:
            assert answer.status == 404
        async with session.get("/api/v1/documents/doc-c") as answer:
            assert answer.status == 200
    assert set(server.documents) == {"doc-a", "doc-b", "doc-c"}
    assert [seen.status for seen in server.posts] == [201, 201, None]
    assert [seen.status for seen in server.gets] == [404, 200]
    assert server.posts[2].fault == "reset-after@3"


async def test_it_follows_its_script_by_predicate() -> None:
    """Only the create of one name is refused, with the words that were given."""
    fault = on("400", named("bad"), body=b'{"error":"no such thing"}')
    async with FaultyServer(fault) as server, client(server.base_url) as session:
        assert await create(session, "good") == 201
        assert await create(session, "bad") == 400
    assert list(server.created_by_name) == ["good"]


async def test_it_answers_questions_about_what_arrived() -> None:
    """Keys, arrival times and the fullest window are known after the run."""
    async with FaultyServer() as server:
        before = time.monotonic()
        async with client(server.base_url, "one") as one, client(server.base_url, "two") as two:
            await create(one, "same")
            await create(two, "same")
            await create(two, "same")
        after = time.monotonic()
    assert server.authorizations == ["Bearer one", "Bearer two"]
    assert len(server.created_by_name["same"]) == 3
    assert server.most_in(60.0) == 3
    assert server.most_in(60.0, "Bearer one") == 1
    assert all(before <= arrived <= after for arrived in server.arrivals())
    assert server.most_in_flight == 1


def test_the_fullest_window_is_half_open() -> None:
    """A time exactly one period after another lies in the next window."""
    assert most_in_window([0.0, 0.5, 1.0, 1.1], 1.0) == 3
    assert most_in_window([0.0, 1.0, 2.0], 1.0) == 1
    assert most_in_window([], 1.0) == 0


async def test_a_killed_server_process_keeps_every_answered_create(tmp_path: Path) -> None:
    """SIGKILL loses no document whose 201 was sent, and the next process on the same state still has them."""
    state = tmp_path / "state.sqlite"
    with server_process(state) as server:
        async with client(server.base_url) as session:
            assert {await create(session, f"n{n}", f"doc-{n}") for n in range(50)} == {201}
        server.process.kill()
        server.process.wait()
    assert [document.identifier for document in documents_in(state)] == [f"doc-{n}" for n in range(50)]
    with server_process(state) as server:
        async with client(server.base_url) as session:
            assert await create(session, "again", "doc-7") == 400
    assert server.process.returncode == 0
    assert [(request.method, request.status) for request in requests_in(state, start=2)] == [("POST", 400)]


async def test_a_storm_of_faults_leaves_nothing_behind() -> None:
    """Every kind of fault at once, eight clients: no identifier twice, every 201 kept, and the server comes to rest."""
    storm = [f"{kind}:0.03" for kind in ("reset-before", "reset-after", "truncate", "stall", "garbage", "close", "502")]
    storm += ["hang-after:0.02", "late-commit=0.05:0.03", "500-after:0.03", "slow=0.02:0.1", "oversized=1:0.01"]
    answered: list[str] = []
    async with FaultyServer(*storm, seed=7) as server, client(server.base_url, timeout_seconds=0.3) as session:

        async def send(numbers: Iterator[int]) -> None:
            for n in numbers:
                try:
                    status = await create(session, f"n{n}", f"doc-{n}")
                except (aiohttp.ClientError, TimeoutError):
                    continue
                if status == 201:
                    answered.append(f"doc-{n}")

        numbers = iter(range(400))
        async with asyncio.TaskGroup() as tasks:
            for _ in range(8):
                tasks.create_task(send(numbers))
    assert server.sandbox.in_flight == 0
    assert 360 < len(server.seen) <= 400, "a few are written into a connection that `close` has ended"
    assert len(server.documents) == len(server.commits) > 300
    assert set(answered) <= set(server.documents)
    assert {fault for seen in server.seen for fault in (seen.fault or "").split("; ")} >= set(storm[:8])
