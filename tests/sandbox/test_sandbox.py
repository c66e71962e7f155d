"""The sandbox over a real socket: every route, every error shape, every fault as a client meets it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from batcher.errors import UsageError
from batcher.pace.rate import Rate
from batcher.sandbox import ErrorShape, Fault, RequestRecord, Sandbox, SandboxSettings, serve
from batcher.sandbox.openapi import description

from .client import DOCUMENTS, MODEL, TILE, sandbox


async def test_a_create_answers_everything_that_the_api_does() -> None:
    """201 with the promised handles and about 1.8 KB around them."""
    async with sandbox() as client:
        status, answer = await client.create("sales", description="d")
        assert status == 201
        assert answer["workbook"]["identifier"] == "sales"
        assert answer["workbook"]["documentId"] == answer["workbook"]["id"] == answer["dashboard"]["workbookId"]
        assert answer["dashboard"]["id"] == answer["dashboard"]["dashboardId"]
        assert answer["dashboard"]["metadataVersion"] == 2
        assert len(answer["dashboard"]) == 13
        assert len(answer["workbook"]) == 27
        assert 1400 < len(orjson.dumps(answer)) < 2200


async def test_the_server_chooses_an_identifier_where_none_is_given() -> None:
    """Eight hex digits, another for each document; names need not be unique."""
    async with sandbox() as client:
        chosen = {(await client.create())[1]["workbook"]["identifier"] for _ in range(5)}
        assert len(chosen) == 5
        assert all(len(identifier) == 8 and int(identifier, 16) >= 0 for identifier in chosen)


async def test_a_read_shows_the_document_without_its_identifier() -> None:
    """GET returns what was sent, and 404 with the documented words for what is not there."""
    async with sandbox() as client:
        await client.create("sales", facetFilters=True)
        status, document = await client.read("sales")
        assert status == 200
        assert set(document) == {
            *("name", "description", "modelId", "queryPresentations"),
            *("filterConfig", "filterOrder", "facetFilters", "refreshInterval"),
        }
        assert (document["name"], document["modelId"], document["facetFilters"]) == ("Sales", MODEL, True)
        assert document["queryPresentations"] == [TILE]
        assert await client.read("other") == (
            404,
            {"detail": 'Document with identifier "other" not found', "status": 404},
        )


@pytest.mark.parametrize(
    ("key", "status", "message"),
    [
        (None, 401, "Missing bearer token"),
        ("Bearer wrong", 403, "Invalid bearer token"),
        ("Basic abc", 400, 'Malformed Authorization header, expected "Bearer <token>"'),
        ("Bearer", 400, 'Malformed Authorization header, expected "Bearer <token>"'),
        ("Bearer a b", 400, 'Malformed Authorization header, expected "Bearer <token>"'),
    ],
)
async def test_authentication(key: str | None, status: int, message: str) -> None:
    """Each wrong Authorization gets its documented status in the nested shape."""
    async with sandbox(key=key, keys=frozenset({"right"})) as client:
        assert await client.create() == (status, {"error": {"code": status, "message": message}})
        assert [(record.method, record.status) for record in client.records] == [("POST", status)]


async def test_the_right_key_passes() -> None:
    """Of the keys that are accepted each one is."""
    async with sandbox(key="Bearer right", keys=frozenset({"right", "other"})) as client:
        assert (await client.create())[0] == 201


async def test_invalid_bodies_are_refused_in_omnis_words() -> None:
    """All problems in one detail; broken JSON, a wrong media type and a body too large have their own answers."""
    async with sandbox(max_body_bytes=20_000) as client:
        assert await client.call("POST", DOCUMENTS, json={"name": "x"}) == (
            400,
            {"detail": "Bad Request: modelId: Required", "status": 400},
        )
        json = {"Content-Type": "application/json"}
        assert (await client.call("POST", DOCUMENTS, data=b"{", headers=json))[1][
            "detail"
        ] == "Bad Request: body: Invalid JSON"
        assert (await client.call("POST", DOCUMENTS, data=b"{}"))[0] == 415
        assert (await client.create(description="x" * 30_000))[0] == 413
        assert 201 not in {record.status for record in client.records}


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        (ErrorShape.DETAIL, {"detail": 'Bad Request: identifier: "aa" is already in use', "status": 400}),
        (ErrorShape.NESTED, {"error": {"code": 400, "message": 'identifier: "aa" is already in use'}}),
        (ErrorShape.PLAIN, {"success": False, "error": 'identifier: "aa" is already in use'}),
        (ErrorShape.CODED, {"error": "bad_request", "message": 'identifier: "aa" is already in use'}),
    ],
)
async def test_a_taken_identifier_is_refused_in_each_shape(shape: ErrorShape, body: dict[str, Any]) -> None:
    """The second create of an identifier is 400 (or 409 where asked for) and changes nothing."""
    async with sandbox(error_shape=shape) as client:
        await client.create("aa")
        assert await client.create("aa", name="Other") == (400, body)
        assert (await client.read("aa"))[1]["name"] == "Sales"
    async with sandbox(taken_status=409) as client:
        await client.create("aa")
        assert (await client.create("aa"))[0] == 409


async def test_unknown_models_and_branches_are_not_found() -> None:
    """404 that speaks of the model or branch; the models endpoint agrees."""
    async with sandbox(unknown_models=frozenset({MODEL})) as client:
        assert await client.create() == (404, {"detail": f'Model with id "{MODEL}" not found', "status": 404})
        other = MODEL.replace("5", "6")
        assert (await client.create(modelId=other, branchId=MODEL))[1][
            "detail"
        ] == f'Branch with id "{MODEL}" not found'
        assert (await client.call("GET", f"/api/v1/models?modelId={MODEL}"))[1]["records"] == []
        assert (await client.call("GET", f"/api/v1/models?modelId={other}"))[1]["records"][0]["id"] == other
        assert (await client.call("GET", "/api/v1/models?modelId=x"))[0] == 400
        assert (await client.call("GET", "/api/v1/models?pageSize=1"))[0] == 200


async def test_the_list_goes_page_by_page() -> None:
    """Cursors lead through all documents once, in the order asked for."""
    async with sandbox() as client:
        for n in range(25):
            await client.create(f"doc-{n:02}", name=f"Name {24 - n:02}")
        names: list[str] = []
        query = {"pageSize": "10", "sortField": "name", "sortDirection": "asc"}
        while True:
            status, page = await client.call("GET", DOCUMENTS, params=query)
            assert status == 200
            assert page["pageInfo"]["totalRecords"] == 25
            names += [record["name"] for record in page["records"]]
            if not page["pageInfo"]["hasNextPage"]:
                break
            query["cursor"] = page["pageInfo"]["nextCursor"]
        assert names == [f"Name {n:02}" for n in range(25)]
        newest = (await client.call("GET", f"{DOCUMENTS}?sortField=updatedAt&sortDirection=desc&pageSize=1"))[1][
            "records"
        ]
        assert newest[0]["identifier"] == "doc-24"
        assert newest[0]["url"] == f"{client.sandbox.base_url}/dashboards/doc-24"
        assert "createdAt" not in newest[0]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("name=x", "Unrecognized key(s) in object: 'name'"),
        ("pageSize=101", "Page size cannot exceed 100"),
        ("pageSize=99999999999999999999", "Page size cannot exceed 100"),
        ("pageSize=0", "pageSize: "),
        ("pageSize=x", "pageSize: "),
        ("folderId=x", "folderId: "),
        ("creatorId=x", "creatorId: "),
        ("sortField=createdAt", "sortField: "),
        ("sortDirection=up", "sortDirection: "),
        ("cursor=%%%", "cursor: "),
        ("cursor=W10", "cursor: "),
    ],
)
async def test_the_list_refuses_what_it_does_not_know(query: str, message: str) -> None:
    """Unknown parameters and wrong values are 400 with the parameter's name."""
    async with sandbox() as client:
        status, answer = await client.call("GET", f"{DOCUMENTS}?{query}")
        assert status == 400
        assert answer["detail"].startswith(f"Bad Request: {message}")


async def test_deleting_moves_to_trash_which_keeps_the_identifier() -> None:
    """200 once, then 404; the identifier stays taken, unless the sandbox was told otherwise."""
    async with sandbox() as client:
        await client.create("aa")
        assert await client.call("DELETE", f"{DOCUMENTS}/aa") == (200, {"success": True})
        assert (await client.call("DELETE", f"{DOCUMENTS}/aa"))[0] == 404
        assert (await client.read("aa"))[0] == 404
        assert (await client.call("GET", DOCUMENTS))[1]["records"] == []
        assert (await client.create("aa"))[0] == 400
    async with sandbox(trash_keeps_identifier=False) as client:
        await client.create("aa")
        await client.call("DELETE", f"{DOCUMENTS}/aa")
        assert (await client.create("aa"))[0] == 201


async def test_whoami_and_owners() -> None:
    """One owner for all keys, or one each; an older instance does not know whoami."""
    other = {"headers": {"Authorization": "Bearer other"}}
    async with sandbox() as client:
        status, mine = await client.call("GET", "/api/v1/whoami")
        assert status == 200
        assert set(mine) == {"user", "keyScope", "orgRole", "rolesByModel"}
        assert (await client.call("GET", "/api/v1/whoami", **other))[1] == mine
    async with sandbox(separate_owners=True) as client:
        mine = (await client.call("GET", "/api/v1/whoami"))[1]["user"]["membershipId"]
        assert (await client.call("GET", "/api/v1/whoami", **other))[1]["user"]["membershipId"] != mine
        await client.create()
        listed = await client.call("GET", f"{DOCUMENTS}?creatorId={mine}")
        assert listed[1]["records"][0]["owner"]["id"] == mine
    async with sandbox(whoami=False) as client:
        assert (await client.call("GET", "/api/v1/whoami"))[0] == 404


async def test_openapi_describes_exactly_what_is_served() -> None:
    """What is described is served, and nothing else is; without a key the description is there, too."""
    async with sandbox(key=None) as client:
        assert await client.call("GET", "/openapi.json") == (200, orjson.loads(orjson.dumps(description())))
    async with sandbox() as client:
        for path, described in description()["paths"].items():
            methods = {method.upper() for method in described} - {"PARAMETERS"}
            for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - ({"GET"} if path == "/openapi.json" else set()):
                status, _ = await client.call(method, path.replace("{identifier}", "aa").replace("{label}", "bb"))
                if path == "/openapi.json":
                    continue
                assert (status == 405) == (method not in methods), (method, path)
                if status == 405:
                    assert set(client.headers["Allow"].split(", ")) == methods
                else:
                    assert str(status) in described[method.lower()]["responses"]
        assert await client.call("GET", "/api/v3/documents") == (404, {"detail": "Not Found", "status": 404})


async def test_models_have_all_fields_that_the_vendor_requires() -> None:
    """And other kinds than shared ones have no records."""
    async with sandbox() as client:
        (model,) = (await client.call("GET", f"/api/v1/models?modelId={MODEL}&modelKind=SHARED"))[1]["records"]
        assert set(model) == {
            *("id", "name", "modelKind", "connectionId", "baseModelId", "createdAt", "updatedAt", "deletedAt"),
        }
        assert (await client.call("GET", f"/api/v1/models?modelId={MODEL}&modelKind=WORKBOOK"))[1]["records"] == []


async def test_the_firewall_blocks_before_the_application() -> None:
    """The third of two a minute is 429 with the firewall's header; another key is free; nothing was created."""
    async with sandbox(rate=Rate(2, 60.0), rate_retry_after=True) as client:
        assert [(await client.create())[0] for _ in range(3)] == [201, 201, 429]
        assert client.headers["X-Omni-Waf-Action"] == "block"
        assert 0 < int(client.headers["Retry-After"]) <= 60
        assert (await client.call("GET", DOCUMENTS, headers={"Authorization": "Bearer other"}))[0] == 200
        assert len(list(client.sandbox.store.documents())) == 2
    async with sandbox(rate=Rate(1, 60.0)) as client:
        await client.create()
        assert (await client.create())[0] == 429
        assert "Retry-After" not in client.headers


async def test_the_window_opens_again() -> None:
    """A request that waits until the oldest has left the window is admitted."""
    async with sandbox(rate=Rate(1, 0.2)) as client:
        assert (await client.create())[0] == 201
        assert (await client.create())[0] == 429
        await asyncio.sleep(0.21)
        assert (await client.create())[0] == 201


@pytest.mark.parametrize(
    ("fault", "status", "headers"),
    [
        ("429", 429, {"X-Omni-Waf-Action": "block"}),
        ("429=7", 429, {"Retry-After": "7"}),
        ("503=5", 503, {"Retry-After": "5"}),
        ("500", 500, {}),
        ("502", 502, {"Content-Type": "text/html"}),
        ("504", 504, {}),
        ("529", 529, {}),
        ("html", 200, {"Content-Type": "text/html"}),
        ("redirect", 302, {"Location": "/login"}),
        ("early", 413, {"Connection": "close"}),
    ],
)
async def test_faults_before_the_commit(fault: str, status: int, headers: dict[str, str]) -> None:
    """The client gets the status, and nothing was created."""
    async with sandbox(f"{fault}@1") as client:
        assert (await client.create("aa"))[0] == status
        assert headers.items() <= {**client.headers}.items()
        assert (await client.read("aa"))[0] == 404
        assert (await client.create("aa"))[0] == 201


@pytest.mark.parametrize(
    ("fault", "status"),
    [("500-after", 500), ("502-after=3", 502), ("200-after", 200), ("html-after", 200), ("empty", 201), ("close", 201)],
)
async def test_faults_after_the_commit(fault: str, status: int) -> None:
    """Whatever the client gets to see, the document is there."""
    async with sandbox(f"{fault}@1") as client:
        assert (await client.create("aa"))[0] == status
        assert (await client.read("aa"))[0] == 200


@pytest.mark.parametrize("fault", ["reset-after", "hang-after", "truncate", "stall"])
async def test_faults_that_lose_the_answer(fault: str) -> None:
    """The client gets no whole answer, and the document is there."""
    async with sandbox(f"{fault}@1") as client:
        with pytest.raises((aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError)):
            await client.create("aa", timeout_seconds=0.3)
        assert (await client.read("aa"))[0] == 200


@pytest.mark.parametrize("fault", ["reset-before", "hang-before"])
async def test_faults_that_lose_the_request(fault: str) -> None:
    """The client gets no answer, and the document is not there."""
    async with sandbox(f"{fault}@1") as client:
        with pytest.raises((aiohttp.ClientConnectionError, TimeoutError)):
            await client.create("aa", timeout_seconds=0.3)
        assert (await client.read("aa"))[0] == 404
        assert [record.method for record in client.records if record.status is None] == ["POST"]


@pytest.mark.parametrize("fault", ["garbage", "short-length"])
async def test_faults_that_spoil_the_answer(fault: str) -> None:
    """A 201 that is no JSON, or that aiohttp itself stumbles over; the document is there."""
    async with sandbox(f"{fault}@1") as client:
        with pytest.raises((orjson.JSONDecodeError, aiohttp.ClientResponseError)):
            await client.create("aa")
        assert (await client.read("aa"))[0] == 200


async def test_an_oversized_and_a_bare_answer() -> None:
    """More megabytes than anybody wants, and no more than the four promised fields."""
    async with sandbox("oversized=2@1", "bare@2") as client:
        assert (await client.create("aa"))[0] == 201
        assert int(client.headers["Content-Length"]) > 2_000_000
        answer = (await client.create("bb"))[1]
        assert {name: set(fields) for name, fields in answer.items()} == {
            "dashboard": {"id", "dashboardId"},
            "workbook": {"id", "documentId"},
        }


async def test_another_identifier_than_the_one_sent() -> None:
    """The document lies under the identifier that the answer names, not under the one that was sent."""
    async with sandbox("other-identifier@1") as client:
        chosen = (await client.create("aa"))[1]["workbook"]["identifier"]
        assert (await client.read("aa"))[0] == 404
        assert (await client.read(chosen))[0] == 200


async def test_a_late_commit_lands_after_the_client_was_told_nothing() -> None:
    """Reset at once, absent for a while, then there."""
    async with sandbox("late-commit=0.15@1") as client:
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.create("aa")
        assert (await client.read("aa"))[0] == 404
        await asyncio.sleep(0.3)
        assert (await client.read("aa"))[0] == 200


async def test_reads_that_lag_misname_or_refuse() -> None:
    """GET says 404 for a while after the commit, another name, or that it is an analysis document."""
    async with sandbox("404-lag=0.5", "other-name@2", "analysis@3") as client:
        await client.create("aa")
        assert (await client.read("aa"))[0] == 404
        await asyncio.sleep(0.55)
        assert (await client.read("aa"))[1]["name"] == "Sales (renamed)"
        assert await client.read("aa") == (
            400,
            {"detail": "Bad Request: Analysis documents are not supported", "status": 400},
        )


async def test_a_slow_request_is_carried_out_although_the_client_left() -> None:
    """The commit lies in the middle of the delay; a client that times out does not undo it."""
    async with sandbox("slow=0.4@1") as client:
        with pytest.raises(TimeoutError):
            await client.create("aa", timeout_seconds=0.1)
        assert (await client.read("aa"))[0] == 404
        await asyncio.sleep(0.2)
        assert (await client.read("aa"))[0] == 200


async def test_latency_holds_every_answer_back() -> None:
    """Each request takes at least the latency."""
    async with sandbox(latency_seconds=0.1) as client:
        before = time.monotonic()
        await client.create()
        assert time.monotonic() - before >= 0.1


async def test_a_revoked_key_stays_revoked() -> None:
    """From the struck request on this key gets 403, others do not."""
    async with sandbox("revoke-key@2") as client:
        assert [(await client.create())[0] for _ in range(3)] == [201, 403, 403]
        assert (await client.call("GET", DOCUMENTS, headers={"Authorization": "Bearer other"}))[0] == 200


async def test_deprecation_headers() -> None:
    """The create works and announces its end."""
    async with sandbox("deprecated") as client:
        assert (await client.create())[0] == 201
        assert {"Deprecation", "Sunset", "Link"} <= set(client.headers)


async def test_a_reset_is_a_real_one() -> None:
    """RST at the socket, not an orderly end."""
    async with Sandbox(SandboxSettings(faults=(Fault.parse("reset-after"),))) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.base_url.rpartition(":")[2]))
        writer.write(
            b"POST /api/v1/documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\nContent-Length: 2\r\n\r\n{}"
        )
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_what_is_not_http_is_refused_without_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """400 to the client; whoever runs the sandbox sees nothing of it."""
    async with Sandbox(SandboxSettings()) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.base_url.rpartition(":")[2]))
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Null: \x00\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.0 400")
        writer.close()
    assert caplog.text == ""


async def test_a_client_that_dies_in_its_body_creates_nothing() -> None:
    """Half a body and then the end of the connection: recorded, nothing committed."""
    records: list[RequestRecord] = []
    async with Sandbox(SandboxSettings(), observe=records.append) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", int(server.base_url.rpartition(":")[2]))
        writer.write(
            b"POST /api/v1/documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\nContent-Length: 99\r\n\r\n{}"
        )
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(0.05)
        assert [(record.method, record.path, record.status) for record in records] == [("POST", DOCUMENTS, None)]


async def test_the_log_tells_what_arrived_without_the_key(tmp_path: Path) -> None:
    """One line for each request, with a hash for the key, and never the key itself."""
    log = tmp_path / "log.jsonl"
    async with sandbox("reset-after@2", key="Bearer secret-key", log=log) as client:
        await client.create("aa")
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.create("bb")
        await client.read("bb")
        lines = [orjson.loads(line) for line in log.read_bytes().splitlines()]
    assert [(line["method"], line["status"], line["identifier"], line["fault"]) for line in lines] == [
        ("POST", 201, "aa", None),
        ("POST", None, "bb", "reset-after@2"),
        ("GET", 200, "bb", None),
    ]
    assert len({line["key"] for line in lines}) == 1
    assert b"secret" not in log.read_bytes()


async def test_a_sandbox_closes_at_once_whatever_hangs() -> None:
    """Hung, slow and half-sent requests and idle connections do not hold up the end."""
    async with sandbox("hang-after@1", "slow=60@2") as client:
        hung = [asyncio.ensure_future(client.create(f"doc-{n}")) for n in range(3)]
        await asyncio.sleep(0.1)
        before = time.monotonic()
        await client.sandbox.stop()
        assert time.monotonic() - before < 1.0
        done = await asyncio.gather(*hung, return_exceptions=True)
        assert isinstance(done[0], aiohttp.ClientConnectionError)
        assert client.sandbox.in_flight == 0


async def test_serving_ends_with_its_cancellation(tmp_path: Path) -> None:
    """`serve` announces its address, serves until cancelled, and leaves a closed state behind."""
    state = tmp_path / "state.sqlite"
    announced: asyncio.Queue[str] = asyncio.Queue()
    task = asyncio.ensure_future(serve(SandboxSettings(state=state), announced.put_nowait))
    base_url = await announced.get()
    async with aiohttp.ClientSession(base_url, headers={"Authorization": "Bearer k"}) as session:
        async with session.get("/api/v1/whoami") as answer:
            assert answer.status == 200
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not state.with_name("state.sqlite-wal").exists()


async def test_a_port_that_is_taken_is_refused() -> None:
    """The message names the port and a way out."""
    async with Sandbox(SandboxSettings()) as server:
        port = int(server.base_url.rpartition(":")[2])
        with pytest.raises(UsageError, match=f"port {port}: .*--port 0"):
            async with Sandbox(SandboxSettings(port=port)):
                pass
