"""Folder and labels (contract 14): what follows a create is done exactly as asked, alone if need be, and never lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import aiohttp
import anyio
import orjson
import pytest

from batcher.commands.check_online import look
from batcher.commands.create import create
from batcher.commands.verify import verify
from batcher.config import Reading
from batcher.errors import InvalidInput, StopReason, UsageError
from batcher.files.step_lines import Making
from batcher.models import ApiVersion, stamp
from batcher.placement import StepKind
from batcher.reasons import DOCUMENT_GONE
from batcher.runtime import Runtime
from batcher.send.drain import Drain, End
from batcher.send.folder_creators import FolderCreators
from batcher.send.requester import Requester
from batcher.transport.client import Client
from batcher.validate.check import check
from tests.support.faulty import FaultyServer, on
from tests.support.runs import Hasty, Job, Ran, Witness, interrupt_after, row

INVALID = pytest.RaisesExc(InvalidInput, match="can't be used; no document was created")
MAKE = {"create_folders": True, "create_labels": True}
VERSIONS = pytest.mark.parametrize("api", ["v1", "v2"])


async def put(server: FaultyServer, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Somebody else makes a folder or a label."""
    async with (
        aiohttp.ClientSession(headers={"Authorization": "Bearer stranger"}) as session,
        session.post(f"{server.base_url}/api/v1/{path}", json=body) as answer,
    ):
        assert answer.status == 201, await answer.text()
        return dict(await answer.json())


def placed(server: FaultyServer) -> dict[str, tuple[str | None, set[str]]]:
    """For each living document its folder's path and its labels."""
    store = server.sandbox.store
    found = {}
    for document in store.documents():
        if document.deleted_at is None:
            folder = None if document.folder_id is None else store.folders.find(document.folder_id)
            labels = {label.name for label in store.labels.of(document.number)}
            found[document.name] = (None if folder is None else folder.path, labels)
    return found


def folders(server: FaultyServer) -> list[str]:
    """The paths of all folders."""
    return sorted(folder.path for folder in server.sandbox.store.folders.all())


def requests(server: FaultyServer) -> Counter[str]:
    """The requests by what they are about, but for look-ups of documents."""
    kinds = Counter[str]()
    for seen in server.seen:
        last = seen.path.rpartition("/")[2]
        kinds[f"{seen.method} {last if last in ('move', 'labels', 'folders', 'documents') else '…'}"] += 1
    return kinds


def done(job: Job) -> Sequence[tuple[str, str]]:
    """The journal's steps: key and kind."""
    return [(line["key"], line["step"]) for line in job.journal if line.get("type") == "step"]


@VERSIONS
async def test_each_row_goes_where_it_says(tmp_path: Path, api: str) -> None:
    """By name or slug, whatever the case; v2 needs no move."""
    job = Job(tmp_path)
    job.rows(
        row("a", folder="Sales Team/EMEA", labels=["q3", "Finance", "Q3"]),
        row("b", folder="/sales-team/emea", labels=["q3"]),
        row("c", labels=["finance"]),
        row("d"),
    )
    async with FaultyServer() as server:
        ran = await job.run(server.base_url, api=ApiVersion(api), more=MAKE)
        assert (ran.code, ran.counts, job.failures) == (0, {"created_now": 4}, [])
        inside = "sales-team/emea"
        assert placed(server) == {
            "a": (inside, {"q3", "Finance"}),
            "b": (inside, {"q3"}),
            "c": (None, {"Finance"}),
            "d": (None, set()),
        }
        assert folders(server) == ["sales-team", inside]
        assert requests(server)["PUT move"] == (2 if api == "v1" else 0)
        before = len(server.seen)
        again = await job.run(server.base_url, api=ApiVersion(api))
        assert (again.code, again.counts, len(server.seen)) == (0, {"created_before": 4}, before)


async def test_what_is_missing_is_a_problem_before_anything_is_sent(tmp_path: Path) -> None:
    """Each folder and label once, with its rows; --skip-invalid sends the rest."""
    job = Job(tmp_path)
    job.rows(row("a", folder="Nowhere"), row("b", folder="nowhere", labels=["zz"]), row("c", labels=["ok"]), row("d"))
    async with FaultyServer() as server:
        await put(server, "labels", {"name": "OK"})
        witness = Witness()
        with pytest.RaisesGroup(INVALID, flatten_subgroups=True):
            await job.run(server.base_url, witness=witness)
        assert [problem.field for problem in witness.problems] == ["folder", "labels"]
        assert "(2 rows: d.jsonl:1, 2)" in witness.problems[0].message.replace(f"{tmp_path}/", "")
        assert server.commits == []
        ran = await job.run(server.base_url, skip_invalid=True)
        assert (ran.code, ran.counts) == (1, {"created_now": 2, "failed": 2})
        assert job.reasons == {"a": "failed not_found", "b": "failed not_found"}
        made = await job.run(server.base_url, more=MAKE)
        assert (made.code, placed(server)["b"], job.failures) == (0, ("nowhere", {"zz"}), [])


async def test_two_folders_of_one_name_are_a_problem(tmp_path: Path) -> None:
    """Nobody knows which is meant; the slug or the UUID says it."""
    job = Job(tmp_path)
    async with FaultyServer() as server:
        await put(server, "folders", {"name": "Sales"})
        second = await put(server, "folders", {"name": "Sales"})
        witness = Witness()
        job.rows(row("a", folder="Sales"))
        with pytest.RaisesGroup(INVALID, flatten_subgroups=True):
            await job.run(server.base_url, witness=witness, more=MAKE)
        assert 'may mean "sales" or "' in witness.problems[0].message
        job.rows(row("a", folder=second["id"].upper()), row("b", folder=second["path"].strip("/")))
        assert (await job.run(server.base_url)).code == 0
        assert len({path for path, _ in placed(server).values()}) == 1
        assert len(folders(server)) == 2


@VERSIONS
@pytest.mark.parametrize(
    ("fault", "reason"),
    [("403", "forbidden"), ("400", "rejected"), ("500", "server_error"), ("hang-before", "timeout")],
)
async def test_a_step_that_fails_leaves_the_row_unfinished(tmp_path: Path, api: str, fault: str, reason: str) -> None:
    """Created all the same; the next run does the missing step alone, and the row is forgotten by the failures file."""
    job = Job(tmp_path)
    job.rows(row("a", folder="Sales", labels=["q3"]), row("b"))
    async with FaultyServer(on(f"PATCH {fault}@1-2")) as server:
        ran = await job.run(server.base_url, api=ApiVersion(api), more=MAKE, max_attempts=2, timeout_seconds=0.3)
        assert (ran.code, ran.counts, ran.summary.unfinished) == (1, {"created_now": 2}, 1)
        (failure,) = job.failures
        assert (failure["outcome"], failure["step"], failure["reason"]) == ("unfinished", "labels", reason)
        assert failure["identifier"] in server.documents
        assert failure["spec"]["labels"] == ["q3"]
        assert placed(server)["a"] == ("sales", set())
        posts = len(server.posts)
        later = [await job.run(server.base_url, api=ApiVersion(api)) for _ in range(2)][-1]
        assert (later.code, later.counts, later.summary.unfinished) == (0, {"created_before": 2}, 0)
        assert placed(server)["a"] == ("sales", {"q3"})
        assert (job.failures, len(server.posts)) == ([], posts)
        assert requests(server)["PUT move"] == (api == "v1")


async def test_a_refused_folder_does_not_keep_the_labels_back(tmp_path: Path) -> None:
    """The steps of a row do not depend on each other."""
    job = Job(tmp_path)
    job.rows(row("a", folder="Sales", labels=["q3"]))
    async with FaultyServer(on("PUT 403@1")) as server:
        ran = await job.run(server.base_url, more=MAKE)
        assert (ran.code, job.failures[0]["step"], placed(server)["a"]) == (1, "folder", (None, {"q3"}))
        assert (await job.run(server.base_url)).code == 0
        assert (placed(server)["a"], requests(server)["PATCH labels"]) == (("sales", {"q3"}), 1)


@VERSIONS
async def test_an_edited_unfinished_row_gets_what_it_asks_for_now(tmp_path: Path, api: str) -> None:
    """Its missing steps are replaced; nothing is created, and it isn't changed afterwards."""
    job = Job(tmp_path)
    job.rows(row("a", folder="Sales", labels=["q3"]), row("b", labels=["q3"]))
    async with FaultyServer(on("PATCH 400@1-2")) as server:
        assert (await job.run(server.base_url, api=ApiVersion(api), more=MAKE, concurrency=1)).summary.unfinished == 2
        job.rows(row("a", folder="Ops", labels=["q4"]), row("b"))
        ran = await job.run(server.base_url, api=ApiVersion(api), more=MAKE)
        assert (ran.code, ran.counts, ran.summary.unfinished) == (0, {"created_before": 2}, 0)
        assert placed(server) == {"a": ("ops", {"q4"}), "b": (None, set())}
        again = await job.run(server.base_url, api=ApiVersion(api))
        assert (again.code, again.summary.changed, again.summary.requests) == (0, 0, 0)
        assert len(server.commits) == 2


async def test_a_failures_line_is_fixed_like_any_other(tmp_path: Path) -> None:
    """The unfinished row comes back in the failures file, with another label."""
    job = Job(tmp_path)
    job.rows(row("a", labels=["q3"]))
    async with FaultyServer(on("PATCH 400@1")) as server:
        await job.run(server.base_url, more=MAKE)
        job.edit_failures(lambda line: line["spec"].update(labels=["q4"]))
        ran = await job.run(server.base_url, inputs=[job.files.failures], more=MAKE)
        assert (ran.code, placed(server)["a"], job.failures) == (0, (None, {"q4"}), [])


async def test_changed_folders_are_applied_on_request(tmp_path: Path) -> None:
    """Else they are a change that is named, and nothing is moved."""
    job = Job(tmp_path)
    job.rows(row("a", folder="Sales"), row("b"), row("c", labels=["q3"]))
    async with FaultyServer() as server:
        await job.run(server.base_url, more=MAKE)
        job.rows(row("a", folder="Ops"), row("b", labels=["q3"]), row("c", labels=["q3"], description="new"))
        ran = await job.run(server.base_url, more=MAKE)
        assert (ran.summary.changed, ran.summary.requests, placed(server)["a"][0]) == (3, 0, "sales")
        applied = await job.run(server.base_url, more=MAKE | {"apply_steps": True})
        assert (applied.code, applied.summary.unfinished) == (0, 0)
        assert placed(server) == {"a": ("ops", set()), "b": (None, {"q3"}), "c": (None, {"q3"})}
        again = await job.run(server.base_url, more={"apply_steps": True})
        assert (again.summary.changed, again.summary.requests, len(server.commits)) == (1, 0, 3)


@pytest.mark.parametrize(
    ("fault", "asked"), [("PUT 500@1-5", {"folder": "Sales"}), ("PATCH 500@1-5", {"labels": ["q3"]})]
)
async def test_a_document_deleted_before_its_step_is_named(tmp_path: Path, fault: str, asked: dict[str, Any]) -> None:
    """No folder or label is to be made then: the hint speaks of the document, and its way out works."""
    job = Job(tmp_path)
    job.rows(row("a", **asked))
    async with FaultyServer(on(fault)) as server:
        await job.run(server.base_url, more=MAKE)
        where = f"{server.base_url}/api/v1/documents/{job.failures[0]['identifier']}"
        async with aiohttp.ClientSession(headers={"Authorization": "Bearer stranger"}) as session:
            assert (await session.delete(where)).status == 200
        assert (await job.run(server.base_url)).code == 1
        assert (job.failures[0]["reason"], job.failures[0]["hint"]) == ("not_found", DOCUMENT_GONE)
        job.rows(row("a", key="b", **asked))
        assert (await job.run(server.base_url, create_again=True)).code == 0
        assert list(placed(server)) == ["a"]


async def test_a_row_that_asks_for_no_folder_anymore_is_not_changed_forever(tmp_path: Path) -> None:
    """Its document stays where it is, and that is what the row says now; other content is still a change."""
    job = Job(tmp_path)
    job.rows(row("a", folder="Sales", labels=["q3"]), row("b", folder="Sales"))
    async with FaultyServer() as server:
        await job.run(server.base_url, more=MAKE)
        job.rows(row("a"), row("b", description="new"))
        assert (await job.run(server.base_url)).summary.changed == 2
        applied = await job.run(server.base_url, more={"apply_steps": True})
        assert (applied.code, applied.summary.changed, applied.summary.requests) == (0, 1, 0)
        again = await job.run(server.base_url)
        assert (again.summary.changed, placed(server)["a"]) == (1, ("sales", {"q3"}))


@VERSIONS
@pytest.mark.parametrize("fault", ["reset-after@1", "hang-after@1"])
async def test_a_reconciled_row_gets_its_steps(tmp_path: Path, api: str, fault: str) -> None:
    """Its create was unclear, its document is found, and it goes where it should."""
    job = Job(tmp_path)
    job.rows(row("a", folder="Sales", labels=["q3"]))
    async with FaultyServer(on(fault, lambda call: call.path.endswith("/documents"))) as server:
        ran = await job.run(server.base_url, api=ApiVersion(api), more=MAKE, timeout_seconds=0.3)
        assert (ran.code, job.how, placed(server)["a"]) == (0, {"a": "reconciled"}, ("sales", {"q3"}))


async def test_adopted_rows_get_their_steps(tmp_path: Path) -> None:
    """The files are lost, and the documents are found."""
    job, other = Job(tmp_path / "one"), Job(tmp_path / "two")
    for one in (job, other):
        one.directory.mkdir()
        one.rows(row("a", labels=["q3"]))
    async with FaultyServer(on("PATCH 400@1")) as server:
        await job.run(server.base_url, more=MAKE)
        ran = await other.run(server.base_url)
        assert (ran.code, other.how, placed(server)["a"]) == (0, {"a": "adopted"}, (None, {"q3"}))


@VERSIONS
async def test_an_interrupted_row_is_created_with_steps_due(tmp_path: Path, api: str) -> None:
    """Ctrl-C between create and steps: nothing more is sent, and the next run goes on there."""
    job, drain = Job(tmp_path), Drain()
    job.rows(*(row(name, folder="Sales", labels=["q3"]) for name in "abc"))
    async with FaultyServer() as server:
        witness = interrupt_after(drain, 1)
        ran = await job.run(
            server.base_url, api=ApiVersion(api), drain=drain, witness=witness, more=MAKE, concurrency=1
        )
        assert (ran.code, ran.summary.unfinished, ran.summary.to_do) == (130, 1, 2)
        assert (job.failures[0]["outcome"], job.failures[0]["reason"]) == ("unfinished", "interrupted")
        later = await job.run(server.base_url, api=ApiVersion(api))
        assert (later.code, set(map(str, placed(server).values()))) == (0, {"('sales', {'q3'})"})
        assert len(server.commits) == 3


async def test_a_limit_counts_rows_whose_requests_leave(tmp_path: Path) -> None:
    """Exit 6 while steps are not reached; with --limit 0 folders and labels are made, and nothing else is done."""
    job = Job(tmp_path)
    job.rows(*(row(name, labels=["q3"]) for name in "abc"))
    async with FaultyServer(on("PATCH 400@1-3")) as server:
        ran = await job.run(server.base_url, more=MAKE, limit=0)
        assert (ran.code, ran.counts, server.commits) == (6, {"to_do": 3}, [])
        assert [label.name for label, _ in server.sandbox.store.labels.all()] == ["q3"]
        assert (await job.run(server.base_url, concurrency=1)).summary.unfinished == 3
        limited = await job.run(server.base_url, limit=1)
        assert (limited.code, limited.summary.unfinished, limited.summary.unreached) == (1, 2, 0)
        assert (await job.run(server.base_url)).code == 0


@pytest.mark.parametrize("created", [0, 1])
async def test_a_limit_of_none_with_nothing_to_make_leaves_the_rows_to_do(tmp_path: Path, created: int) -> None:
    """Nothing is asked, and the counts add up."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer() as server:
        await job.run(server.base_url, limit=created)
        ran = await job.run(server.base_url, limit=0)
        assert (ran.code, ran.summary.to_do, ran.summary.requests) == (6, 2 - created, 0)
        assert ran.summary.stopped_reason is StopReason.LIMIT


async def test_a_step_refused_again_and_again_stops_the_run(tmp_path: Path) -> None:
    """The rows are probably not to blame, although each of them is created."""
    job = Job(tmp_path)
    job.rows(*(row(f"r{number}", labels=["q3"]) for number in range(9)))
    async with FaultyServer(on("PATCH 403")) as server:
        ran = await job.run(server.base_url, more=MAKE, concurrency=1, stop_after=3)
        assert (ran.code, ran.summary.unfinished, len(server.commits)) == (3, 3, 3)


async def test_a_refused_key_leaves_steps_due(tmp_path: Path) -> None:
    """With the last key gone nothing more starts, steps included."""
    job = Job(tmp_path)
    job.rows(row("a", labels=["q3"]), row("b", labels=["q3"]))
    async with FaultyServer(on("PATCH 401@1")) as server:
        ran = await job.run(server.base_url, more=MAKE, concurrency=1)
        assert (ran.code, ran.summary.unfinished, ran.summary.to_do) == (3, 1, 1)
        assert (await job.run(server.base_url)).code == 0


async def test_a_firewall_that_objects_to_a_step_is_tried_again_last(tmp_path: Path) -> None:
    """As with creates: other rows first; then the row is unfinished."""
    job = Job(tmp_path)
    job.rows(*(row(name, labels=["q3"]) for name in "abcd"))
    blocked = on("PATCH 403", lambda call: "/a-" in call.path, body=b"<html>blocked</html>")
    async with FaultyServer(blocked) as server:
        ran = await job.run(server.base_url, more=MAKE, concurrency=1)
        assert (ran.code, ran.summary.unfinished, job.reasons) == (1, 1, {"a": "unfinished forbidden"})
        assert [seen.path.rpartition("/")[2] for seen in server.seen if seen.status == 403] == ["labels"] * 3
        assert len(server.commits) == 4


@pytest.mark.parametrize("fault", ["reset-after@1", "500-after@1", "garbage@1", "hang-after@1"])
async def test_an_unclear_folder_is_looked_for_and_never_made_twice(tmp_path: Path, fault: str) -> None:
    """Its parent is listed, and there it is."""
    job = Job(tmp_path)
    job.rows(row("a", folder="Sales/EMEA"))
    async with FaultyServer(on(fault, lambda call: call.path.endswith("/folders"))) as server:
        ran = await job.run(server.base_url, more=MAKE, timeout_seconds=0.3)
        assert (ran.code, folders(server), placed(server)["a"][0]) == (0, ["sales", "sales/emea"], "sales/emea")


async def test_a_folder_that_cannot_be_made_is_a_problem_of_its_rows(tmp_path: Path) -> None:
    """In the server's words."""
    job = Job(tmp_path)
    job.rows(row("a", folder="Sales/EMEA"), row("b"))
    refused = on("403@1", lambda call: call.path.endswith("/folders"))
    async with FaultyServer(refused) as server:
        witness = Witness()
        with pytest.RaisesGroup(INVALID, flatten_subgroups=True):
            await job.run(server.base_url, witness=witness, more=MAKE)
        assert "it couldn't be created: 403" in witness.problems[0].message
        assert (folders(server), server.commits) == ([], [])


async def test_undo_deletes_an_unfinished_rows_document_too(tmp_path: Path) -> None:
    """And a run with --recreate-undone makes it anew, with all of its steps."""
    from batcher.commands.undo import UndoSettings, undo  # noqa: PLC0415 - only here

    job = Job(tmp_path)
    job.rows(row("a", labels=["q3"]))
    async with FaultyServer(on("PATCH 400@1")) as server:
        await job.run(server.base_url, more=MAKE)
        settings = job.settings(server.base_url)
        undoing = await undo(
            UndoSettings(endpoint=settings.endpoint, files=job.files, sending=settings.sending, is_dry=False),
            observer=Witness(),
        )
        assert undoing.deleted == 1
        ran = await job.run(server.base_url)
        assert (ran.code, ran.counts, ran.summary.unfinished, job.failures) == (0, {"undone": 1}, 0, [])
        again = await job.run(server.base_url, recreate_undone=True)
        assert (again.code, placed(server)) == (0, {"a": (None, {"q3"})})


async def test_a_switch_of_version_leaves_a_step_the_same(tmp_path: Path) -> None:
    """Made by v1 and not moved yet; v2 moves it."""
    job = Job(tmp_path)
    job.rows(row("a", folder="Sales"))
    async with FaultyServer(on("PUT 500@1-2")) as server:
        assert (await job.run(server.base_url, more=MAKE, max_attempts=2)).summary.unfinished == 1
        ran = await job.run(server.base_url, api=ApiVersion.V2)
        assert (ran.code, placed(server)["a"][0], requests(server)["PUT move"]) == (0, "sales", 3)


async def ran_with_labels(job: Job, server: FaultyServer, count: int, **settings: Any) -> Ran:
    """A run of so many rows with a label."""
    job.rows(*(row(f"r{number}", labels=["q3"]) for number in range(count)))
    return await job.run(server.base_url, more=MAKE, **settings)


async def test_rows_without_placement_ask_for_nothing(tmp_path: Path) -> None:
    """No list, no step, and the bytes of an intent are those of an earlier version."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer() as server:
        assert (await job.run(server.base_url)).code == 0
        assert requests(server) == {"POST documents": 2}
    assert set(orjson.loads(orjson.dumps(job.intents("a")[0]))).isdisjoint({"folder", "labels", "api"})


async def test_the_same_content_elsewhere_is_another_document(tmp_path: Path) -> None:
    """Folder and labels count in what was created before, unless it had none (contract 5)."""
    job = Job(tmp_path)
    async with FaultyServer() as server:
        job.rows(row("a", key="1", folder="Sales"), row("a", key="2"))
        await job.run(server.base_url, more=MAKE)
        job.rows(row("a", key="3", folder="Ops"), row("b", key="4"))
        with pytest.raises(UsageError, match="1 new row holds"):  # what asked for nothing may be any of them
            await job.run(server.base_url, more=MAKE)
        job.rows(row("a", key="2"), row("a", key="3", folder="Ops"), row("b", key="4"))
        assert (await job.run(server.base_url, more=MAKE)).code == 0
        job.rows(
            row("a", key="2"), row("a", key="5", folder="sales/"), row("b", key="4"), row("a", key="3", folder="Ops")
        )
        with pytest.raises(UsageError, match="1 new row holds"):
            await job.run(server.base_url)
        assert len(server.commits) == 4


async def test_check_online_names_what_is_missing(tmp_path: Path) -> None:
    """Before any run, and without making anything."""
    job = Job(tmp_path)
    job.rows(row("a", folder="Sales"), row("b", labels=["q3"]))
    async with FaultyServer() as server:
        witness = Witness()
        online = await look(job.settings(server.base_url), observer=witness, drain=Drain())
        assert (online.is_refused, [problem.field for problem in witness.problems]) == (True, ["folder", "labels"])
        assert {seen.method for seen in server.seen} == {"GET"}


async def test_the_library_finishes_rows_too(tmp_path: Path) -> None:
    """`Created`, then `Unfinished`; later the missing step alone, and never a second document."""
    specs = [row("a", labels=["q3"]), row("b", folder="Nowhere")]

    async def created(server: FaultyServer) -> list[str]:
        async with (
            Client(server.base_url, "k1") as client,
            create(specs, client, rate=None, journal=tmp_path / "x.journal.jsonl", shared_pace=False) as outcomes,
        ):
            return [type(outcome).__name__ async for outcome in outcomes]

    async with FaultyServer(on("PATCH 400@1")) as server:
        await put(server, "labels", {"name": "q3"})
        assert sorted(await created(server)) == ["Created", "Failed", "Unfinished"]
        assert await created(server) == ["Failed"]
        assert placed(server) == {"a": (None, {"q3"})}
        specs[0]["labels"] = []
        assert (await created(server), len(server.commits)) == (["Failed"], 1)


async def test_verify_compares_folders_and_labels_with_the_list(tmp_path: Path) -> None:
    """A request for a hundred documents, and only if a row asks for anything; what people add is no finding."""
    job = Job(tmp_path)
    job.rows(row("a", folder="Sales Team", labels=["q3"]), row("b", labels=["q3", "q4"]), row("c"))
    async with FaultyServer() as server:
        await job.run(server.base_url, more=MAKE)
        settings, witness = job.settings(server.base_url), Witness()
        assert (await verify(settings, observer=witness)).exit_code == 0
        store = server.sandbox.store
        a, b, c = sorted(store.documents(), key=lambda document: document.name)
        q3, q4 = (label for label, _ in store.labels.all())
        store.move(a, None, "restricted")
        store.labels.change(b.number, [], [q4])
        store.labels.change(c.number, [q3], [])
        verified = await verify(settings, observer=witness)
        assert (verified.exit_code, verified.same, verified.different, verified.requests) == (1, 1, 2, 5)
        assert [problem.message.partition(" ")[2] for problem in witness.problems] == [
            'is in no shared folder, the row says "Sales Team"',
            'lacks the label "q4"',
        ]
        assert [problem.field for problem in witness.problems] == ["folder", "labels"]


async def test_verify_of_an_unfinished_row_says_what_it_lacks(tmp_path: Path) -> None:
    """It has its document, which is compared like any other; so is that of a results file's row."""
    job = Job(tmp_path)
    job.rows(row("a", labels=["q3"]))
    async with FaultyServer(on("PATCH 400@1")) as server:
        await job.run(server.base_url, more=MAKE)
        for inputs in ((job.input,), ()):
            witness = Witness()
            settings = replace(job.settings(server.base_url), inputs=tuple(map(str, inputs)))
            verified = await verify(settings, observer=witness)
            assert (verified.created, verified.not_created, verified.different) == (1, 0, 1)
            assert [problem.field for problem in witness.problems] == ["labels"]


def test_check_counts_the_requests_that_rows_take(tmp_path: Path) -> None:
    """Without a past, too: folder and labels are a request each, and a folder none under v2."""
    path = tmp_path / "d.jsonl"
    path.write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in (row("a", folder="S", labels=["q3"]), row("b"))))
    for reading, steps, moves in ((Reading(), 2, 1), (Reading(folder="T", labels=("q4",)), 4, 2)):
        checked = check([path], reading, on_problem=lambda _: None)
        assert (checked.valid, checked.steps, checked.moves) == (2, steps, moves)


async def test_two_runs_at_once_make_each_folder_once(tmp_path: Path) -> None:
    """One creator at a time on an instance: the other waits, lists anew, and finds what it needs."""
    jobs = [Job(tmp_path / name, runtime=Runtime(random=Hasty(1), state=tmp_path)) for name in "ab"]
    ran: list[Ran] = []

    async def run_one(job: Job, server: FaultyServer) -> None:
        job.directory.mkdir()
        job.rows(row(f"of {job.directory.name}", folder="Sales/EMEA"), row("b", folder="Sales/APAC"))
        ran.append(await job.run(server.base_url, more=MAKE, namespace=job.directory.name))

    async with FaultyServer(latency_seconds=0.05) as server, anyio.create_task_group() as group:
        for job in jobs:
            group.start_soon(run_one, job, server)
    assert [one.code for one in ran] == [0, 0]
    assert sum(seen.method == "POST" and seen.path.endswith("/folders") for seen in server.seen) == 3


async def test_an_absent_rows_document_waits_for_its_steps(tmp_path: Path) -> None:
    """Found while its row is away, made by v1 and asked for by v2 since: with its row it gets folder and labels."""
    job = Job(tmp_path)
    a, b = row("a", folder="Sales", labels=["q3"]), row("b")
    job.rows(a)
    lost = on("reset-after@1", lambda call: call.path == "/api/v1/documents")
    guard = on("GET 500@1-6", lambda call: "/documents/" in call.path)
    async with FaultyServer(lost, guard, on("500", lambda call: call.path == "/api/v2/documents")) as server:
        first = await job.run(server.base_url, more=MAKE, max_attempts=1)
        assert (first.code, len(server.commits)) == (5, 1)
        job.rows(b)
        while not job.how.get("a"):
            await job.run(server.base_url, api=ApiVersion.V1)
        assert placed(server)["a"] == (None, set())
        job.rows(a, b)
        last = await job.run(server.base_url, api=ApiVersion.V2)
        assert (last.summary.unfinished, placed(server)["a"]) == (0, ("sales", {"q3"}))


async def test_a_folder_that_a_killed_creator_left_open_is_not_made_by_another_input(tmp_path: Path) -> None:
    """Its POST may still come to something: the next creator lists it, and stops while it isn't there."""
    job = Job(tmp_path, runtime=Runtime(random=Hasty(1), state=tmp_path))
    job.rows(row("a", folder="Sales"))
    async with FaultyServer() as server:
        creators = FolderCreators(cast("Requester", None), job.runtime, server.base_url)
        left = Making(StepKind.FOLDER, "sales", stamp(datetime.now(UTC)), "killed")
        async with creators.alone():
            creators.begin(left)
        ran = await job.run(server.base_url, more=MAKE)
        assert (ran.code, ran.summary.stop_reason, server.commits) == (3, StopReason.PLACES, [])
        assert 'it isn\'t known whether the folder "Sales" was created' in (ran.summary.stopped or "")
        await put(server, "folders", {"name": "Sales"})
        assert (await job.run(server.base_url, more=MAKE)).code == 0
        async with creators.alone():
            creators.begin(left._replace(name="Ops", at=stamp(datetime.now(UTC) - timedelta(minutes=11))))
        job.rows(row("b", folder="Ops"))
        assert (await job.run(server.base_url, more=MAKE)).code == 0
        assert folders(server) == ["ops", "sales"]


async def test_a_failures_csv_keeps_labels_whatever_is_in_them(tmp_path: Path) -> None:
    """`;` between them in a cell, or JSON where a label has one itself; read back as they were."""
    job = Job(tmp_path, form="csv")
    labels = {"a": ["q3", "Q4 old"], "b": ["a;b", "q3"], "c": ["[x]", "q3"]}
    job.rows(*(row(name, labels=each) for name, each in labels.items()))
    async with FaultyServer(on("PATCH 400@1-3")) as server:
        assert (await job.run(server.base_url, more=MAKE)).summary.unfinished == 3
        ran = await job.run(server.base_url, inputs=[job.files.failures], more=MAKE)
        assert (ran.code, ran.summary.changed) == (0, 0)
        assert {name: labels for name, (_, labels) in placed(server).items()} == {n: set(v) for n, v in labels.items()}


async def test_a_deadline_between_create_and_steps_is_exit_6(tmp_path: Path) -> None:
    """Every row has its document, and yet work remains."""
    job, drain = Job(tmp_path), Drain()
    job.rows(row("a", labels=["q3"]))
    async with FaultyServer() as server:
        await put(server, "labels", {"name": "q3"})
        ran = await job.run(server.base_url, drain=drain, witness=interrupt_after(drain, 1, End.DEADLINE))
        assert (ran.code, ran.summary.created, ran.summary.unreached, job.failures[0]["step"]) == (6, 1, 1, "labels")
        assert (await job.run(server.base_url)).code == 0


@pytest.mark.parametrize("fault", ["PATCH 429=1@1-2", "PATCH 503=1@1", "PATCH 502@1-3", "PATCH reset-before@1-4"])
async def test_brakes_and_outages_hold_for_steps(tmp_path: Path, fault: str) -> None:
    """They are waited for, and cost no row its step."""
    job = Job(tmp_path)
    job.rows(*(row(name, labels=["q3"]) for name in "abcd"))
    async with FaultyServer(on(fault)) as server:
        ran = await job.run(server.base_url, more=MAKE)
        assert (ran.code, ran.summary.unfinished, job.failures) == (0, 0, [])
        assert {str(one) for one in placed(server).values()} == {"(None, {'q3'})"}


async def test_a_row_that_is_gone_with_steps_due_is_reported(tmp_path: Path) -> None:
    """Its run was killed between create and step: the failures file has it, and its line alone finishes it."""
    job = Job(tmp_path)
    job.rows(row("a", folder="Sales", labels=["q3"]), row("b"))
    async with FaultyServer(on("PUT 400@1"), on("PATCH 400@1")) as server:
        await job.run(server.base_url, more=MAKE)
        kept = [
            line for line in job.files.journal.read_bytes().splitlines(keepends=True) if b'"unfinished"' not in line
        ]
        job.files.journal.write_bytes(b"".join(kept))  # as a kill leaves it
        job.files.failures.write_bytes(b"")
        job.rows(row("b"))
        ran = await job.run(server.base_url)
        assert (ran.code, ran.summary.unfinished, ran.summary.other_failures) == (0, 0, 1)
        assert job.reasons == {"a": "unfinished interrupted"}
        assert (job.failures[0]["spec"]["folder"], job.failures[0]["spec"]["labels"]) == ("Sales", ["q3"])
        assert (await job.run(server.base_url, inputs=[job.files.failures])).code == 0
        assert (placed(server)["a"], job.failures) == (("sales", {"q3"}), [])
