"""The preflight: what it asks, what it costs, what it warns of, and that only a refused key or a missing endpoint stops."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from batcher.commands import run as run_command
from batcher.errors import InvalidInput
from batcher.models import ApiVersion, Row, Spec
from batcher.omni.described import Offer, offer_of
from batcher.plan.mentions import Asked
from batcher.sandbox import RequestRecord
from batcher.sandbox.openapi import description
from batcher.send.drain import Drain
from batcher.send.preflight import budget_of

from ..support.faulty import FaultyServer, on
from ..support.runs import Job, Ran, Witness, row

OTHER_MODEL = "0e9d8c7b-1111-4222-8333-444455556666"
HTML = b"<html><body>Please sign in</body></html>"


async def run(job: Job, server: FaultyServer, **settings: Any) -> Ran:
    """A run with its preflight."""
    witness = Witness()
    told = replace(job.settings(server.base_url, **settings), preflight=True)
    job.runs += 1
    runtime = replace(job.runtime, run_id=f"run{job.runs}")
    summary = await run_command.run(told, observer=witness, drain=Drain(), runtime=runtime)
    assert summary.adds_up, summary
    return Ran(summary, witness)


def asked(server: FaultyServer) -> list[str]:
    """What arrived before the first create, as paths."""
    paths = []
    for seen in sorted(server.seen, key=lambda one: one.arrived_seconds):
        if seen.method == "POST":
            break
        paths.append(seen.path)
    return paths


def many(count: int, **fields: Any) -> list[dict[str, Any]]:
    """So many rows."""
    return [row(f"Sheet {number}", **fields) for number in range(count)]


@pytest.mark.parametrize(("rows", "budget"), [(1, 1), (12, 1), (99, 1), (100, 2), (999, 19), (1000, 20), (10**6, 20)])
def test_the_budget(rows: int, budget: int) -> None:
    """20 requests or 2 % of the rows, whichever is less, but at least one."""
    assert budget_of(Asked(), rows, None) == budget


async def test_twelve_rows_cost_one_whoami(tmp_path: Path) -> None:
    """Nothing else is asked, and the run does all its creates."""
    job = Job(tmp_path)
    job.rows(*many(11), row("Own", identifier="own-one"))
    async with FaultyServer() as server:
        ran = await run(job, server)
    assert ran.code == 0
    assert asked(server) == ["/api/v1/whoami"]
    assert ran.summary.requests == 13


async def test_a_thousand_rows_cost_twenty_requests(tmp_path: Path) -> None:
    """Key, first model, description, then models and identifiers by turns; exactly the budget, whatever there is to ask."""
    job = Job(tmp_path)
    models = [f"{number:08d}-1111-4222-8333-444455556666" for number in range(12)]
    job.rows(
        *many(976),
        *(row("M", modelId=model) for model in models),
        *(row("I", identifier=f"own-{n}") for n in range(12)),
    )
    async with FaultyServer() as server:
        ran = await run(job, server, concurrency=16)
    assert ran.code == 0
    counted = Counter(path.rpartition("/")[0] if "documents" in path else path for path in asked(server))
    assert counted == {"/api/v1/whoami": 1, "/openapi.json": 1, "/api/v1/models": 10, "/api/v1/documents": 8}
    assert ran.summary.requests == 1020


async def test_nothing_to_do_asks_nothing(tmp_path: Path) -> None:
    """A second run over created rows sends no request at all."""
    job = Job(tmp_path)
    job.rows(*many(3))
    async with FaultyServer() as server:
        await run(job, server)
        before = len(server.seen)
        assert (await run(job, server)).summary.requests == 0
        assert len(server.seen) == before


async def test_only_rows_to_send_are_asked_about(tmp_path: Path) -> None:
    """Identifiers that an earlier run created are not taken: they are ours."""
    job = Job(tmp_path)
    job.rows(*(row("Own", identifier=f"own-{n}") for n in range(30)))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        job.rows(*(row("Own", identifier=f"own-{n}") for n in range(30)), *many(200))
        server.seen.clear()
        ran = await run(job, server)
    assert asked(server) == ["/api/v1/whoami", "/api/v1/models", "/openapi.json"]
    assert ran.warnings == ""


async def test_unknown_models_and_taken_identifiers_are_named(tmp_path: Path) -> None:
    """A problem of the rows, and nothing is sent; with --skip-invalid the rest is. A taken identifier is a warning."""
    job = Job(tmp_path)
    job.rows(*many(193), *(row(f"Lost {n}", modelId=OTHER_MODEL) for n in range(6)), row("Own", identifier="taken-1"))
    async with FaultyServer(unknown_models=frozenset([OTHER_MODEL])) as server:
        other = Job(tmp_path / "other")
        other.directory.mkdir()
        other.rows(row("Somebody's", identifier="taken-1"))
        await other.run(server.base_url)
        server.seen.clear()
        found: list[dict[str, Any]] = [json.loads(line) for line in job.input.read_text().splitlines()]
        job.rows(*found, *many(60, description="more"))
        witness = Witness()
        with pytest.raises(ExceptionGroup) as refused:
            await job.run(server.base_url, preflight=True, witness=witness)
        assert refused.group_contains(InvalidInput, match="1 model isn't known there; no document was created")
        assert len(server.commits) == 1
        server.seen.clear()
        ran = await run(job, server, stop_after=100, skip_invalid=True)
    assert len(asked(server)) == 5
    place = f"{job.input}:"
    assert ran.witness.problems == witness.problems
    [unknown] = map(str, witness.problems)
    assert unknown.startswith(f'{place}194: modelId: "{OTHER_MODEL}" isn\'t a model of this instance, or the API key')
    assert unknown.endswith(":194, 195, 196, 197, 198, …)")
    assert {line["reason"] for line in job.failures} == {"not_found", "identifier_taken"}
    [taken] = ran.witness.warnings
    assert taken.startswith(f"{place}200: the identifier 'taken-1' is already taken")
    assert (ran.code, ran.summary.failed) == (1, 7)


async def test_a_refused_key_stops_before_the_first_create(tmp_path: Path) -> None:
    """Exit code 3, one request, nothing created; the rows are still to do."""
    job = Job(tmp_path)
    job.rows(*many(3))
    async with FaultyServer(keys=frozenset(["good"])) as server:
        ran = await run(job, server, keys=["bad"])
        assert not server.commits
    assert (ran.code, ran.counts, ran.summary.requests) == (3, {"to_do": 3}, 1)
    assert "API key 1 was refused (403: Invalid bearer token)" in ran.warnings
    assert "the server rejected every API key" in (ran.summary.stopped or "")


async def test_each_of_several_keys_is_asked(tmp_path: Path) -> None:
    """A refused one is dropped and the others go on; keys of different users are warned about."""
    job = Job(tmp_path)
    job.rows(*many(200))
    keys = ["one", "bad", "two"]
    async with FaultyServer(keys=frozenset(["one", "two"]), separate_owners=True) as server:
        ran = await run(job, server, keys=keys)
    assert ran.code == 0
    assert sorted(s.authorization or "" for s in server.seen if s.path.endswith("whoami")) == [
        "Bearer bad",
        "Bearer one",
        "Bearer two",
    ]
    assert "API key 2 was refused" in ran.warnings
    assert "the API keys belong to 2 different users (key 1; key 3)" in ran.warnings


async def test_keys_of_one_user_are_fine(tmp_path: Path) -> None:
    """No warning."""
    job = Job(tmp_path)
    job.rows(*many(200))
    async with FaultyServer() as server:
        ran = await run(job, server, keys=["one", "two"])
    assert (ran.code, ran.warnings) == (0, "")


async def test_an_older_instance_without_whoami(tmp_path: Path) -> None:
    """The list of models takes its place, within the budget."""
    job = Job(tmp_path)
    job.rows(*many(100))
    async with FaultyServer(whoami=False) as server:
        ran = await run(job, server)
    assert ran.code == 0
    assert asked(server) == ["/api/v1/whoami", "/api/v1/models"]
    async with FaultyServer(whoami=False, keys=frozenset(["good"])) as server:
        job = Job(tmp_path / "other")
        job.directory.mkdir()
        job.rows(*many(100))
        assert (await run(job, server, keys=["bad"])).code == 3


def without_create(**changes: Any) -> bytes:
    """The sandbox's description, changed."""
    told = orjson.loads(orjson.dumps(description()))
    told["paths"]["/api/v1/documents"].pop("post")
    told["paths"].update(changes)
    return orjson.dumps(told)


async def test_an_instance_that_dropped_v1_create_stops_the_run(tmp_path: Path) -> None:
    """Its own description says so: exit code 3, nothing sent; --no-preflight is the way round."""
    job = Job(tmp_path)
    job.rows(*many(150))
    async with FaultyServer(on("GET /openapi.json 503", body=None)) as server:
        assert (await run(job, server)).code == 0
    job = Job(tmp_path / "other")
    job.directory.mkdir()
    job.rows(*many(150))
    gone = without_create(**{"/api/v2/documents": {"post": {}}})
    async with FaultyServer(replace(on("GET /openapi.json 500", body=gone), status=200)) as server:
        ran = await run(job, server)
        assert not server.posts
    assert ran.code == 3
    assert "no longer offers v1 create" in (ran.summary.stopped or "")
    assert "--no-preflight" in (ran.summary.stopped or "")


def described(**creates: object) -> bytes:
    """A description with these versions' paths."""
    return orjson.dumps({"paths": {f"/api/{version}/documents": methods for version, methods in creates.items()}})


POST: dict[str, object] = {"post": {}}
OLD: dict[str, object] = {"post": {"deprecated": True}}


@pytest.mark.parametrize(
    ("description", "v1", "v2"),
    [
        (orjson.dumps(description()), Offer(True, has_other=True), Offer(True, has_other=True)),
        (described(v1=POST), Offer(True), Offer(False, has_other=True)),
        (described(v2=POST), Offer(False, has_other=True), Offer(True)),
        (described(v1=OLD, v2=POST), Offer(True, is_deprecated=True, has_other=True), Offer(True, has_other=True)),
        (described(v1={"get": {}}), Offer(False), Offer(False)),
        (b'{"paths": {"/v1/documents/": {"$ref": "documents.json"}}}', Offer(True), Offer(False, has_other=True)),
        (b'{"paths": {"/pets": {"post": {}}}}', None, None),
        (b'{"paths": {}}', None, None),
        (b'{"paths": []}', None, None),
        (b"[]", None, None),
        (HTML, None, None),
    ],
)  # fmt: skip
def test_what_a_description_offers(description: bytes, v1: Offer | None, v2: Offer | None) -> None:
    """Only a description of these documents without a version's create says that it isn't there."""
    assert offer_of(description, ApiVersion.V1) == v1
    assert offer_of(description, ApiVersion.V2) == v2


STRANGE = ("html", "redirect", "500", "403", "400", "418", "empty", "garbage", "truncate", "reset-before", "oversized")


@pytest.mark.parametrize("kind", STRANGE)
async def test_a_strange_answer_stops_nothing(kind: str, tmp_path: Path) -> None:
    """Whatever the preflight's questions are answered with, each row is created."""
    job = Job(tmp_path)
    job.rows(*many(300, identifier=None), *(row("Own", identifier=f"own-{n}") for n in range(3)))
    paths = ("/api/v1/whoami", "/api/v1/models", "/openapi.json", "/api/v1/documents")
    async with FaultyServer(*(f"GET {path} {kind}" for path in paths)) as server:
        ran = await run(job, server)
    assert (ran.code, ran.summary.created_now) == (0, 303)
    assert len(asked(server)) <= budget_of(Asked(), 303, None)


async def test_a_key_that_may_not_ask_for_models_is_no_refused_key(tmp_path: Path) -> None:
    """A 403 that speaks of the token drops the key only where whoami says it."""
    job = Job(tmp_path)
    job.rows(*many(150))
    body = b'{"error": {"code": 403, "message": "This token may not list models"}}'
    async with FaultyServer(on("GET /api/v1/models 403", body=body)) as server:
        ran = await run(job, server)
    assert (ran.code, ran.warnings) == (0, "")


async def test_a_brake_at_the_start_is_waited_for(tmp_path: Path) -> None:
    """A 429 to whoami pauses everything; with one request to spend it is not asked again."""
    job = Job(tmp_path)
    job.rows(*many(3))
    async with FaultyServer("GET /api/v1/whoami 429=1@1") as server:
        ran = await run(job, server)
    assert ran.code == 0
    first = next(seen for seen in server.seen if seen.path.endswith("whoami"))
    assert min(seen.arrived_seconds for seen in server.posts) - first.arrived_seconds >= 1.0
    assert len(asked(server)) == 1


async def test_a_server_that_is_down_at_the_start(tmp_path: Path) -> None:
    """The normal outage rules: it is probed, and given up on after --give-up-after."""
    job = Job(tmp_path)
    job.rows(*many(3))
    async with FaultyServer() as server:
        base_url = server.base_url
    ran = await run(job, replace_url(server, base_url), give_up_after_seconds=1.0)
    assert (ran.code, ran.counts) == (3, {"to_do": 3})
    assert "no usable answer from the server for 1 s" in (ran.summary.stopped or "")
    assert ran.summary.requests >= 2


def replace_url(server: FaultyServer, base_url: str) -> FaultyServer:
    """A server that has ended, and where it was."""
    server.sandbox.base_url = base_url
    return server


async def test_announcements_are_told_once(tmp_path: Path) -> None:
    """Deprecation and Sunset headers of any answer, whoami's included."""
    job = Job(tmp_path)
    job.rows(*many(5))
    async with FaultyServer("ANY deprecated") as server:
        ran = await run(job, server)
    assert len(ran.witness.warnings) == 1
    assert "sunset" in ran.warnings


def test_mentions_stay_small() -> None:
    """At most a thousand models and identifiers are remembered, and five places of each model."""
    asked_about = Asked()
    for number in range(3000):
        spec = Spec("k", "d.csv", number, "n", f"m{number % 1500}", f"i{number}", b"{}", "", Row("d.csv", number, {}))
        asked_about.see(spec)
    assert (asked_about.rows, len(asked_about.models), len(asked_about.identifiers)) == (3000, 1000, 1000)
    assert str(asked_about.models["m0"]) == "2 rows: d.csv:0, 1500"


def whoamis(seen: list[RequestRecord]) -> int:
    """How often whoami was asked."""
    return sum(one.path.endswith("whoami") for one in seen)


async def test_no_preflight_asks_nothing(tmp_path: Path) -> None:
    """With --no-preflight the first request is a create."""
    job = Job(tmp_path)
    job.rows(*many(3))
    async with FaultyServer() as server:
        assert (await job.run(server.base_url)).code == 0
    assert (whoamis(server.seen), len(server.seen)) == (0, 3)


async def test_a_canary_asks_about_the_models_of_its_rows(tmp_path: Path) -> None:
    """Three of twelve rows, each of another model: whoami and these; the last one is unknown, and nothing is sent."""
    models = [f"{number:08d}-1111-4222-8333-444455556666" for number in range(12)]
    job = Job(tmp_path)
    job.rows(*(row(f"Sheet {number}", modelId=model) for number, model in enumerate(models)))
    async with FaultyServer(unknown_models=frozenset(models[2:])) as server:
        with pytest.raises(ExceptionGroup) as refused:
            await run(job, server, limit=3)
        assert refused.group_contains(InvalidInput, match="1 model isn't known there")
        assert asked(server) == ["/api/v1/whoami", "/api/v1/models", "/openapi.json", *["/api/v1/models"] * 2]
        assert server.posts == []


async def test_taken_identifiers_are_told_once(tmp_path: Path) -> None:
    """Five by name, the others counted."""
    job, other = Job(tmp_path), Job(tmp_path / "other")
    other.directory.mkdir()
    rows = [row(f"Own {number}", identifier=f"own-{number}") for number in range(12)]
    async with FaultyServer() as server:
        other.rows(*rows)
        await other.run(server.base_url)
        job.rows(*(dict(each, description="another") for each in rows), *many(700))
        ran = await job.run(server.base_url, preflight=True)
    told = [warning for warning in ran.witness.warnings if "already taken" in warning]
    assert len(told) == 6
    assert told[-1].endswith(" more rows have an identifier that is already taken")
