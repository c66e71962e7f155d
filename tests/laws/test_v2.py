"""All guarantees hold under version 2 and across a switch (contract 13): real sockets, real files, the server asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import orjson
import pytest

import batcher
from batcher.commands.undo import UndoSettings, undo
from batcher.commands.verified import Verified
from batcher.commands.verify import verify
from batcher.config import Sending
from batcher.models import ApiVersion
from batcher.sandbox import Fault
from batcher.sandbox.calls import Call

from ..support.faulty import FaultyServer, on
from ..support.runs import MODEL, Job, Witness, row
from .test_unclear import COMMITTED, UNCARRIED

V1, V2 = ApiVersion.V1, ApiVersion.V2
CREATE, READ = "/api/v2/documents", "GET /api/v2/documents/"
GONE = b'{"detail": "This endpoint has been removed", "status": 410}'
TILE = {"name": "t", "query": {"table": "orders", "fields": ["orders.total"]}}
RICH: dict[str, Any] = {
    "description": "d",
    "facetFilters": True,
    "filterConfig": {"r": {"type": "string", "fieldName": "orders.region", "kind": "EQUALS", "values": ["EMEA"]}},
    "queryPresentations": [
        TILE | {"chartType": "kpi"},
        TILE | {"name": "u", "visConfig": {"visType": "basic", "config": {}}},
    ],
}


def of_version(version: str, when: Callable[[], bool]) -> Callable[[Call], bool]:
    """Matches creates and reads of this version's documents from some moment on."""
    path = f"/api/{version}/documents"
    return lambda call: when() and call.path.startswith(path) and call.path.count("/") <= path.count("/") + 1


def gone(version: str, when: Callable[[], bool], status: int = 410) -> tuple[Fault, Fault]:
    """This version's create and read are removed at some moment."""
    return tuple(on(f"{method} {status}", of_version(version, when), body=GONE) for method in ("POST", "GET"))  # type: ignore[return-value]


async def place(server: FaultyServer, identifier: str, version: str = "v2", **fields: object) -> None:
    """Somebody else creates a document."""
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer stranger"}) as session:
        body = {"modelId": MODEL, "identifier": identifier, **fields}
        async with session.post(f"{server.base_url}/api/{version}/documents", json=body) as answer:
            assert answer.status == 201


def paths(server: FaultyServer) -> list[str]:
    """Method and endpoint of each request."""
    return [
        f"{seen.method} {seen.path.rsplit('/', 1)[0]}/" if seen.method == "GET" else f"{seen.method} {seen.path}"
        for seen in server.seen
    ]


@pytest.mark.parametrize("fault", COMMITTED)
async def test_an_unclear_attempt_that_made_it_is_reconciled(tmp_path: Path, fault: str) -> None:
    """One POST and one GET, both of version 2, and one document."""
    job = Job(tmp_path)
    job.rows(row("a", **RICH))
    async with FaultyServer(fault) as server:
        ran = await job.run(server.base_url, timeout_seconds=0.3, api=V2)
    assert (ran.code, job.how) == (0, {"a": "reconciled"})
    assert (len(server.posts), len(server.commits)) == (1, 1)
    assert set(paths(server)) == {f"POST {CREATE}", READ}
    (intent,) = job.intents("a")
    assert (intent["api"], intent["body"]["queryPresentations"]) == ("v2", RICH["queryPresentations"])


@pytest.mark.parametrize("fault", UNCARRIED)
async def test_an_unclear_attempt_that_did_nothing_is_sent_again(tmp_path: Path, fault: str) -> None:
    """A GET that says 404 allows the second POST, under the same identifier."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer(fault) as server:
        ran = await job.run(server.base_url, timeout_seconds=0.3, api=V2)
    assert (ran.code, job.how, len(server.commits)) == (0, {"a": "created"}, 1)
    assert paths(server) == [f"POST {CREATE}", READ, f"POST {CREATE}"]


async def test_a_plain_run_says_what_v2_answers(tmp_path: Path) -> None:
    """The identifier is ours, nothing is known of dashboard and workbook; a second run has nothing to do."""
    job = Job(tmp_path)
    job.rows(row("a", **RICH), row("b", identifier="b-1", summary="by hand"))
    async with FaultyServer() as server:
        assert (await job.run(server.base_url, api=V2)).code == 0
        again = await job.run(server.base_url, api=V2)
    assert again.counts == {"created_before": 2}
    assert len(server.posts) == 2
    for line in job.results:
        assert line["identifier"] in server.documents
        assert (line["dashboardId"], line["workbookId"]) == (None, None)
        assert line["url"].endswith(f"/dashboards/{line['identifier']}")


@pytest.mark.parametrize("status", [400, 409])
async def test_a_strangers_document_is_never_ours(tmp_path: Path, status: int) -> None:
    """Taken in words that nobody knows: looked up; another content is `identifier_taken`, the same may be adopted."""
    job, told = Job(tmp_path), b'{"detail": "that slug lives here", "status": 400}'
    job.rows(row("a", identifier="mine-1", **RICH))
    refusal = on(f"POST {status}", lambda call: call.authorization != "Bearer stranger", body=told)
    async with FaultyServer(refusal) as server:
        other = RICH["filterConfig"]["r"] | {"values": ["APAC"]}
        await place(server, "mine-1", name="a", controls={"data": {"r": {"config": other}}, "order": ["r"]})
        ran = await job.run(server.base_url, api=V2, adopt_existing=True)
    assert (ran.code, job.reasons) == (1, {"a": "failed identifier_taken"})
    assert "that slug lives here" in job.failures[0]["message"]


async def test_the_same_content_may_be_adopted(tmp_path: Path) -> None:
    """Read back through v2, in v2's shape, with all that the server adds."""
    job, other = Job(tmp_path / "x"), Job(tmp_path / "y")
    for one in (job, other):
        one.directory.mkdir()
        one.rows(row("a", identifier="mine-1", **RICH))
    async with FaultyServer() as server:
        assert (await other.run(server.base_url, api=V2)).code == 0
        assert (await job.run(server.base_url, api=V2)).code == 1
        ran = await job.run(server.base_url, api=V2, adopt_existing=True)
    assert (ran.code, job.how) == (0, {"a": "adopted"})


@pytest.mark.parametrize("said", ["Folder with id 5 does not exist", "Model not found", "Branch not found"])
async def test_a_404_that_names_what_the_row_names_is_the_rows(tmp_path: Path, said: str) -> None:
    """No reason to call the endpoint gone: the other rows are created."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    body = f'{{"detail": "{said}", "status": 404}}'.encode()
    async with FaultyServer(on("POST 404@1", body=body)) as server:
        ran = await job.run(server.base_url, api=V2, concurrency=1)
    assert (ran.code, job.how, job.reasons) == (1, {"b": "created"}, {"a": "failed not_found"})


@pytest.mark.parametrize(("version", "status"), [(V1, 410), (V2, 410), (V2, 404), (V2, 405)])
async def test_an_endpoint_that_is_gone_ends_the_run_and_names_the_other(
    tmp_path: Path, version: ApiVersion, status: int
) -> None:
    """Nothing is failed; the rows stay to do, and the other version takes them."""
    job = Job(tmp_path)
    job.rows(*(row(name) for name in "abc"))
    async with FaultyServer(no_v1=version is V1, no_v2=status if version is V2 else None) as server:
        ran = await job.run(server.base_url, api=version)
        assert (ran.code, ran.counts) == (3, {"to_do": 3})
        assert ran.summary.stopped_reason == "endpoint_gone"
        assert f"use --api {version.other}" in (ran.summary.stopped or "")
        ran = await job.run(server.base_url, api=version.other)
    assert (ran.code, ran.counts, len(server.commits)) == (0, {"created_now": 3}, 3)


@dataclass
class Phase:
    """What the server does: first look-ups fail, so that what is unclear stays so; then a version goes away."""

    number: int = 1

    def is_at(self, number: int) -> Callable[[], bool]:
        """Whether it is at this one."""
        return lambda: self.number == number


@pytest.mark.parametrize("identifier", [None, "mine"])
@pytest.mark.parametrize("first", [V1, V2])
@pytest.mark.parametrize("fault", ["reset-after/2", "reset-before/2"])
async def test_what_one_version_left_unclear_the_other_settles(
    tmp_path: Path, first: ApiVersion, fault: str, identifier: str | None
) -> None:
    """A run leaves half of its attempts unclear, and its version goes away: each row still gets one document, once."""
    job, phase = Job(tmp_path), Phase()
    job.rows(*(row(name, **RICH, **({"identifier": f"{identifier}-{name}"} if identifier else {})) for name in "abcd"))
    silent = on("GET 500", of_version(first, phase.is_at(1)))
    async with FaultyServer(silent, fault, *gone(first, phase.is_at(2))) as server:
        ran = await job.run(server.base_url, api=first, concurrency=1, max_attempts=1)
        assert ran.counts == {"created_now": 2, "uncertain": 2}
        phase.number = 2
        ran = await job.run(server.base_url, api=first.other, concurrency=1)
        asked = [seen.status for seen in server.seen if f"/{first}/" in seen.path]
        is_lost = first is V1 and fault == "reset-after/2" and identifier is not None  # classic layout: unreadable now
        assert (ran.code, ran.counts.get("uncertain")) == ((5, 2) if is_lost else (0, None))
        assert asked.count(410) <= 1, "a version that is gone is asked once"
        checked = await verified(job, server, first.other)
    assert {name: len(made) for name, made in server.created_by_name.items()} == dict.fromkeys("abcd", 1)
    is_classic = first is V1
    made_before = 4 if fault == "reset-after/2" else 2
    readable = 4 - made_before if is_classic else 4
    assert checked.same == readable
    assert checked.unreadable == (0 if not is_classic else 2 if is_lost else made_before)


async def test_a_document_in_the_classic_layout_is_read_by_v1_after_the_switch(tmp_path: Path) -> None:
    """v1's create is gone, its read isn't: v2's 422 isn't the last word, for a look-up, an adoption and for verify."""
    job, phase = Job(tmp_path), Phase()
    job.rows(*(row(name, identifier=f"mine-{name}", **RICH) for name in "ab"))
    faults = (on("GET 500", of_version("v1", phase.is_at(1))), "reset-after/2", gone("v1", phase.is_at(2))[0])
    async with FaultyServer(*faults) as server:
        assert (await job.run(server.base_url, concurrency=1, max_attempts=1)).counts == {
            "created_now": 1,
            "uncertain": 1,
        }
        phase.number = 2
        ran = await job.run(server.base_url, api=V2)
        assert (ran.code, job.how) == (0, {"a": "created", "b": "reconciled"})
        checked = await verified(job, server, V2)
        assert (checked.same, checked.exit_code) == (2, 0)
        job.rows(
            row("a", identifier="mine-a", **RICH | {"description": "other"}), row("b", identifier="mine-b", **RICH)
        )
        checked = await verified(job, server, V2)
    assert (checked.same, checked.changed, checked.exit_code) == (2, 1, 1)  # it is compared with what was sent


async def test_undo_and_creating_anew_cross_the_switch(tmp_path: Path) -> None:
    """What v1 made is deleted as ever; v2 makes it again under the next identifier."""
    job = Job(tmp_path)
    job.rows(row("a", **RICH), row("b"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        settings = job.settings(server.base_url, api=V2)
        undone = await undo(
            UndoSettings(endpoint=settings.endpoint, files=job.files, sending=settings.sending, is_dry=False),
            observer=Witness(),
        )
        assert (undone.deleted, undone.kept, server.documents) == (2, 0, {})
        ran = await job.run(server.base_url, api=V2, recreate_undone=True)
        assert (ran.code, len(server.documents)) == (0, 2)
        undone = await undo(
            UndoSettings(endpoint=settings.endpoint, files=job.files, sending=settings.sending, is_dry=False),
            observer=Witness(),
        )
    assert (undone.deleted, server.documents) == (2, {})
    assert {len(made) for made in server.created_by_name.values()} == {2}


async def verified(job: Job, server: FaultyServer, version: ApiVersion) -> Verified:
    """What `verify` finds."""
    return await verify(job.settings(server.base_url, api=version), observer=Witness())


def described(**creates: object) -> Fault:
    """The instance's own description offers these."""
    paths = {f"/api/{version}/documents": methods for version, methods in creates.items()}
    return replace(on("GET /openapi.json 500", body=orjson.dumps({"paths": paths})), status=200)


async def test_the_preflight_asks_about_the_chosen_version(tmp_path: Path) -> None:
    """Deprecated: a warning that names the other one. Not offered: the end, with the other one if that is."""
    job, post = Job(tmp_path), dict[str, object](post={})
    job.rows(*(row(f"r{n}") for n in range(150)))  # so many that the preflight may ask for the description
    async with FaultyServer(described(v1={"post": {"deprecated": True}}, v2=post)) as server:
        ran = await job.run(server.base_url, preflight=True)
    assert (ran.code, [text for text in ran.witness.warnings if "deprecated" in text]) == (
        0,
        ["this instance's openapi.json calls v1 create deprecated. Use --api v2 in time."],
    )
    job = Job(tmp_path / "other")
    job.directory.mkdir()
    job.rows(*(row(f"r{n}") for n in range(150)))
    async with FaultyServer(described(v1=post)) as server:
        ran = await job.run(server.base_url, preflight=True, api=V2)
        assert (ran.code, server.posts, ran.summary.stopped_reason) == (3, [], "endpoint_gone")
    assert "doesn't offer v2 create" in (ran.summary.stopped or "")
    assert "Use --api v1" in (ran.summary.stopped or "")


async def test_a_program_may_choose_the_version(tmp_path: Path) -> None:
    """What it gives is checked by that version's rules."""
    async with FaultyServer() as server, batcher.Client(server.base_url, "k1") as client:
        settings = Sending(rate=None, shared_pace=False, api=V2)
        specs = [
            row("a", **RICH),
            row("b", queryPresentations={"data": {"2": TILE | {"type": "query"}}}),
            row("c", metadata={"a": 1}),
        ]
        async with batcher.create(specs, client, journal=tmp_path / "x.journal.jsonl", settings=settings) as outcomes:
            found = {outcome.line: type(outcome).__name__ async for outcome in outcomes}
    assert found == {1: "Created", 2: "Created", 3: "Failed"}
    assert {seen.path for seen in server.posts} == {CREATE}


async def test_the_end_of_v1_is_no_end_of_v2(tmp_path: Path) -> None:
    """A look-up through v1 that its end is announced to says nothing of the version in use."""
    job, phase = Job(tmp_path), Phase()
    job.rows(row("a"))
    async with FaultyServer(
        on("GET 500", of_version("v1", phase.is_at(1))), "reset-after@1", "GET deprecated"
    ) as server:
        assert (await job.run(server.base_url, max_attempts=1)).counts == {"uncertain": 1}
        phase.number = 2
        ran = await job.run(server.base_url, api=V2)
    assert (ran.code, job.how) == (0, {"a": "reconciled"})
    assert "announces the end" not in ran.warnings


async def test_a_bare_403_may_be_a_firewalls_or_about_rights(tmp_path: Path) -> None:
    """Nothing is failed for it; the message names both."""
    job = Job(tmp_path)
    job.rows(*(row(name) for name in "abcd"))
    async with FaultyServer(on("POST 403", body=b"")) as server:
        ran = await job.run(server.base_url, api=V2, concurrency=1)
    assert (ran.code, ran.counts, ran.summary.stopped_reason) == (3, {"to_do": 4}, "firewall")
    assert "the key can't create documents there" in (ran.summary.stopped or "")


async def test_a_version_that_goes_away_in_an_outage_is_no_outage(tmp_path: Path) -> None:
    """Several rows meet 502, so one request at a time probes; then its reads are 404: the server is there again.

    Regression (a person's life, seed 152): such a look-up was asked again and again without end.
    """
    job, phase = Job(tmp_path), Phase()
    job.rows(*(row(name) for name in "abc"))
    faults = (
        on("POST 502-after@1-3"),
        on("GET 404", of_version("v2", phase.is_at(1)), body=b"<html>no such page</html>"),
    )
    with anyio.fail_after(20):
        async with FaultyServer(*faults) as server:
            ran = await job.run(server.base_url, api=V2, max_attempts=2)
    assert (ran.code, set(job.how.values())) == (0, {"reconciled"})
