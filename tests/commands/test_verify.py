"""Verify: every way in which a document can differ from its row is told in words; nothing else is."""

from __future__ import annotations

import dataclasses
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from batcher.commands.findings import findings
from batcher.commands.verified import Verified
from batcher.commands.verify import verify
from batcher.errors import UsageError
from batcher.files.disk import Disk
from batcher.files.results_index import open_documents
from batcher.send.drain import Drain, End

from ..support.command import start
from ..support.faulty import FaultyServer, on
from ..support.runs import Job, contents, row
from .test_undo import MODEL, Told, sheet, undone

OTHER = "0e9d8c7b-1111-4222-8333-444455556666"


def tile(name: str, table: str = "orders", *fields: str) -> dict[str, Any]:
    """One query presentation."""
    return {"name": name, "query": {"table": table, "fields": list(fields) or ["orders.total"], "limit": 10}}


class Details(Told):
    """Remembers details, too."""

    def __init__(self) -> None:
        super().__init__()
        self.details: list[str] = []

    def detail(self, problem: Any) -> None:
        """Keep it."""
        self.details.append(problem.field)


async def verified(
    job: Job, base_url: str, told: Told | None = None, drain: Drain | None = None, **given: Any
) -> Verified:
    """Verify it; the counts add up, and no file is touched."""
    before = contents(job.directory)
    settings = job.settings(base_url, **given)
    found = await verify(settings, observer=told or Told(), drain=drain, runtime=job.runtime)
    assert found.rows == found.invalid + found.undone + found.not_created + found.created
    assert found.left >= 0
    assert contents(job.directory) == before
    return found


def change(server: FaultyServer, name: str, edit: Callable[[dict[str, Any]], None]) -> None:
    """Somebody edits the document of this name in Omni."""
    [document] = [one for one in server.documents.values() if one.name == name]
    body = orjson.loads(document.body)
    edit(body)
    server.sandbox.store.db.execute(
        "UPDATE documents SET body = ?, name = ?, model_id = ? WHERE id = ?",
        (orjson.dumps(body), body["name"], body["modelId"], document.number),
    )


async def test_what_was_created_is_as_its_rows_say(tmp_path: Path) -> None:
    """One GET each, exit code 0, no problem."""
    job = Job(tmp_path)
    job.rows(
        row("plain"),
        row("own", identifier="own-1", description="said", facetFilters=True),
        row("tiles", queryPresentations=[tile("A"), tile("B", "users", "users.id", "users.name")]),
    )
    async with FaultyServer() as server:
        await job.run(server.base_url)
        server.seen.clear()
        told = Told()
        found = await verified(job, server.base_url, told)
    assert (found.created, found.same, found.exit_code, told.problems) == (3, 3, 0, [])
    assert [seen.method for seen in server.seen] == ["GET"] * 3


CHANGES: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda body: body.update(name="Umsatz"), r'renamed: \S+ is named "Umsatz", but "sheet" was sent'),
    (lambda body: body.update(modelId=OTHER), rf'another model: \S+ is on model "{OTHER}", but '),
    (lambda body: body.update(description="new"), r'description: \S+ has the description "new", but "old" was sent'),
    (
        lambda body: body["queryPresentations"].pop(0),
        r'tile missing: \S+ lacks the tile "A" \(1 of 2 tiles are there\)',
    ),
    (
        lambda body: body["queryPresentations"][1].update(name="C"),
        r'tile renamed: \S+ has a tile "C", but "B" was sent',
    ),
    (
        lambda body: body["queryPresentations"][0]["query"].update(table="users"),
        r'tile table: \S+ queries table "users" in the tile "A", but "orders" was sent',
    ),
    (
        lambda body: body["queryPresentations"][1]["query"]["fields"].append("x"),
        r'tile fields: \S+ queries fields \["orders.total","x"\] in the tile "B", but \["orders.total"\] was sent',
    ),
    (
        lambda body: body["queryPresentations"][0]["query"].update(limit=5),
        r'tile limit: \S+ queries limit 5 in the tile "A", but 10 was sent',
    ),
    (
        lambda body: body["queryPresentations"][0]["query"].update(filters={"o.id": {"values": [1]}}),
        r'tile filters: \S+ queries filters \{"o.id":\{"values":\[1\]\}\} in the tile "A", but none was sent',
    ),
    (
        lambda body: body["queryPresentations"][1].update(prefersChart=False),
        r'tile prefersChart: \S+ has prefersChart false in the tile "B", but true was sent',
    ),
]


@pytest.mark.parametrize(("edit", "message"), CHANGES)
async def test_each_difference_is_one_line(
    edit: Callable[[dict[str, Any]], None], message: str, tmp_path: Path
) -> None:
    """With file and line, what it is and what the row says; exit code 1; the other document is fine."""
    job = Job(tmp_path)
    job.rows(
        row("other"),
        row("sheet", description="old", queryPresentations=[tile("A"), tile("B") | {"prefersChart": True}]),
    )
    async with FaultyServer() as server:
        await job.run(server.base_url)
        change(server, "sheet", edit)
        told = Told()
        found = await verified(job, server.base_url, told)
    assert (found.same, found.different, found.exit_code) == (1, 1, 1)
    [problem] = told.problems
    assert re.match(rf"{re.escape(str(job.input))}:2: {message}", str(problem))


async def test_what_somebody_added_is_no_difference(tmp_path: Path) -> None:
    """A further tile, a description of a filter that was not sent."""
    job = Job(tmp_path)
    job.rows(row("sheet", queryPresentations=[tile("A")]), row("bare"))

    def add(body: dict[str, Any]) -> None:
        body.setdefault("queryPresentations", []).insert(0, tile("new"))
        body["filterConfig"] = {"f": 1}

    async with FaultyServer() as server:
        await job.run(server.base_url)
        change(server, "sheet", add)
        change(server, "bare", add)
        assert (await verified(job, server.base_url)).same == 2


async def test_what_does_not_come_back_is_a_detail(tmp_path: Path) -> None:
    """Metadata was sent, and Omni does not echo it: no difference, but -v tells."""
    job = Job(tmp_path)
    job.rows(row("sheet", metadata={"layouts": {}}, metadataVersion="2"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        told = Details()
        found = await verified(job, server.base_url, told)
    assert (found.same, found.exit_code, told.details) == (1, 0, ["metadata", "metadataVersion"])


async def test_missing_and_unreadable_documents(tmp_path: Path) -> None:
    """Deleted by somebody; not readable with this key; a server that fails."""
    job = Job(tmp_path)
    job.rows(*(row(f"n{number}", identifier=f"n-{number}") for number in range(4)))
    faults = (
        on("GET 403", lambda call: call.path.endswith("n-1"), body=b'{"detail": "No permission", "status": 403}'),
        on("GET 500", lambda call: call.path.endswith("n-2")),
    )
    async with FaultyServer(*faults) as server:
        await job.run(server.base_url)
        server.sandbox.store.trash("n-0", 1.0)
        told = Told()
        found = await verified(job, server.base_url, told)
    assert (found.same, found.missing, found.unreadable, found.exit_code) == (1, 1, 2, 1)
    said = {problem.line: f"{problem.field}: {problem.message}" for problem in told.problems}
    assert said[1] == "missing: there is no document n-0; it was deleted, or is in Trash"
    assert said[2] == "unreadable: n-1: exists, but cannot be read (403)"
    assert said[3].startswith("unreadable: n-2: 500")


async def test_rows_that_are_not_created_are_counted(tmp_path: Path) -> None:
    """New, failed, undone and invalid rows have none; an edited row's document is compared with what was sent."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"), row("gone"))
    async with FaultyServer() as server:
        await job.run(server.base_url, concurrency=1)
        await undone(job, server.base_url, limit=1)
        job.rows(row("a"), row("b", description="now"), row("gone"), row("new"), {"name": "bad"})
        told = Told()
        found = await verified(job, server.base_url, told)
    assert (found.rows, found.created, found.undone, found.not_created, found.invalid) == (5, 2, 1, 1, 1)
    assert (found.same, found.different, found.changed, found.exit_code) == (2, 0, 1, 1)
    assert told.problems == []


async def test_the_last_document_of_a_row_is_the_one_compared(tmp_path: Path) -> None:
    """Made anew after undo, it has another identifier."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        await undone(job, server.base_url)
        await job.run(server.base_url, recreate_undone=True)
        server.seen.clear()
        assert (await verified(job, server.base_url)).same == 2
        asked = {seen.path.rpartition("/")[2] for seen in server.seen}
        assert asked == {line["identifier"] for line in job.results[2:]}


@pytest.mark.parametrize("form", ["jsonl", "csv"])
async def test_both_forms_of_results(form: str, tmp_path: Path) -> None:
    """Also keys that need escapes in JSON."""
    job = Job(tmp_path, form=form)
    job.rows(row("a", key='k "1"'), row("b"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        assert (await verified(job, server.base_url)).same == 2
        assert (await job.run(server.base_url)).counts == {"created_before": 2}


async def test_brakes_and_lost_answers_are_waited_for(tmp_path: Path) -> None:
    """A 429, a reset and a 500 cost a second look, no wrong verdict."""
    job = Job(tmp_path)
    job.rows(*(row(f"n{number}") for number in range(5)))
    async with FaultyServer("GET 429=0@1", "GET reset-before@3", "GET 500@5") as server:
        await job.run(server.base_url)
        found = await verified(job, server.base_url)
    assert (found.same, found.exit_code, found.requests) == (5, 0, 8)


async def test_nothing_created_asks_nothing(tmp_path: Path) -> None:
    """No request, no key needed."""
    job = Job(tmp_path)
    job.rows(row("a"))
    found = await verified(job, "http://127.0.0.1:9", keys=())
    assert (found.not_created, found.requests, found.exit_code) == (1, 0, 1)


async def test_another_base_url_is_refused(tmp_path: Path) -> None:
    """The documents are elsewhere."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
    with pytest.raises(UsageError, match="was started with baseUrl"):
        await verified(job, "https://acme.omniapp.co")
    with pytest.raises(UsageError, match="no API key"):
        await verified(job, server.base_url, keys=())


async def test_interrupted_it_says_what_is_left(tmp_path: Path) -> None:
    """Exit code 130."""
    job = Job(tmp_path)
    job.rows(*(row(f"n{number}") for number in range(10)))
    drain = Drain()

    class Stopping(Told):
        def done(self, line: str) -> None:
            super().done(line)
            if len(self.lines) == 3:
                drain.start(End.INTERRUPTED)

    async with FaultyServer() as server:
        await job.run(server.base_url)
        found = await verified(job, server.base_url, Stopping(), drain, concurrency=1)
    assert (found.same, found.left, found.exit_code) == (3, 7, 130)


async def test_a_refused_key_stops_it(tmp_path: Path) -> None:
    """Exit code 3."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
    async with FaultyServer(keys=frozenset(["good"]), port=int(server.base_url.rpartition(":")[2])) as server:
        found = await verified(job, server.base_url)
    assert (found.left, found.exit_code) == (2, 3)


def test_places_in_a_large_file_are_flat_in_memory(tmp_path: Path) -> None:
    """Identifiers are read from the file when asked for; a torn last line is passed over."""
    path = tmp_path / "r.jsonl"
    line = '{{"key":"k{0}","source":"s","line":1,"specHash":"0","identifier":"i{0}","response":null}}\n'
    path.write_text("".join(line.format(number) for number in range(2000)) + '{"key":"torn')
    with open_documents(Disk(), path, {}) as document_of:
        assert [one and one.identifier for one in map(document_of, ("k0", "k1999", "k7"))] == ["i0", "i1999", "i7"]
        assert document_of("torn") is None
    with open_documents(Disk(), tmp_path / "none.jsonl", {}) as document_of:
        assert document_of("k") is None


def test_tiles_are_told_apart_by_name_when_one_is_missing() -> None:
    """The others are compared with their own namesakes, not with their neighbours."""
    sent = {"name": "d", "modelId": MODEL, "queryPresentations": [tile("A"), tile("B"), tile("B"), tile("C")]}
    found = {"name": "d", "modelId": MODEL, "queryPresentations": [tile("B"), tile("C", "users")]}
    assert [one.kind for one in findings(sent, found)] == ["tile missing", "tile missing", "tile table"]


# the command ----------------------------------------------------------------------------------------------------


def test_the_command(tmp_path: Path) -> None:
    """Lines for the differences, a summary that adds up, the documented object."""
    sheet(tmp_path, 4)
    assert start(tmp_path, "run", "d.csv", "--sandbox", "--rate", "none", "--limit", "3").returncode == 6
    canary = start(tmp_path, "verify", "d.csv", "--sandbox", "--rate", "none")
    assert (canary.returncode, canary.stderr.splitlines()[0]) == (1, "All 3 documents match; 1 row has none.")
    assert start(tmp_path, "run", "d.csv", "--sandbox", "--rate", "none").returncode == 0
    fine = start(tmp_path, "verify", "d.csv", "--sandbox", "--rate", "none")
    assert (fine.returncode, fine.stderr.splitlines()[0]) == (0, "All 4 documents match their rows.")
    with closing(sqlite3.connect(tmp_path / "d.sandbox.sqlite")) as db:
        db.execute("UPDATE documents SET name = 'Renamed' WHERE name = 'Sheet 0'")
        db.execute("UPDATE documents SET deleted_at = 1 WHERE name = 'Sheet 1'")
        db.commit()
    done = start(tmp_path, "verify", "d.csv", "--sandbox", "--rate", "none", "--json", "--concurrency", "1")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert re.fullmatch(r'd\.csv:2: renamed: \S+ is named "Renamed", but "Sheet 0" was sent', lines[0])
    assert re.fullmatch(r"d\.csv:3: missing: there is no document \S+; it was deleted, or is in Trash", lines[1])
    assert lines[2:7] == [
        "2 of 4 documents match.",
        "          4 rows read, 4 of them created",
        "          2 match what was sent",
        "          1 differs (listed above)",
        "          1 missing (listed above)",
    ]
    said = json.loads(done.stdout)
    assert (said["command"], said["exitCode"], said["rows"], said["created"]) == ("verify", 1, 4, 4)
    assert [(one["line"], one["part"]) for one in said["problems"]] == [(2, "renamed"), (3, "missing")]


async def test_a_changed_row_is_compared_with_what_was_sent(tmp_path: Path) -> None:
    """Its document, edited in Omni, differs from that; which edit of the row came later doesn't matter."""
    job = Job(tmp_path)
    job.rows(row("a", description="first"), row("b"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        job.rows(row("a", description="second"), row("b"))
        change(server, "a", lambda body: body.update(description="second"))
        told = Told()
        found = await verified(job, server.base_url, told)
    assert (found.same, found.different, found.changed, found.exit_code) == (1, 1, 1, 1)
    [problem] = told.problems
    assert re.search(r'has the description "second", but "first" was sent$', str(problem))


async def of_results(job: Job, base_url: str, told: Told | None = None, **given: Any) -> Verified:
    """Verify the results file; the counts add up."""
    settings = dataclasses.replace(job.settings(base_url), inputs=())
    found = await verify(settings, observer=told or Told(), runtime=job.runtime, **given)
    assert found.rows == found.invalid + found.undone + found.not_created + found.created
    return found


async def test_a_results_file_is_verified_without_its_input(tmp_path: Path) -> None:
    """Each of its rows that was not undone, once, with the document that it has now."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b", identifier="own-b"), row("gone"), row("again", key='k "1"'))
    async with FaultyServer() as server:
        await job.run(server.base_url, concurrency=1)
        await undone(job, server.base_url, limit=2)
        job.rows(row("again", key='k "1"'))
        await job.run(server.base_url, recreate_undone=True)
        job.input.unlink()
        change(server, "b", lambda body: body.update(name="c"))
        server.seen.clear()
        told = Told()
        found = await of_results(job, server.base_url, told)
    assert (found.rows, found.created, found.undone, found.same, found.different) == (4, 3, 1, 2, 1)
    assert (found.changed, found.exit_code) == (0, 1)
    assert [str(problem).partition(": ")[2] for problem in told.problems] == [
        'renamed: own-b is named "c", but "b" was sent'
    ]
    assert len({seen.path for seen in server.seen}) == len(server.seen) == 3


async def test_without_the_journal_nobody_knows_what_was_sent(tmp_path: Path) -> None:
    """Of a results file alone: the documents are there, and that's all."""
    job = Job(tmp_path)
    job.rows(row("a"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        job.files.journal.unlink()
        told = Told()
        found = await of_results(job, server.base_url, told)
    assert (found.unreadable, found.same, found.exit_code) == (1, 0, 1)
    assert "the journal doesn't say what was sent for it" in told.problems[0].message


@pytest.mark.parametrize("is_whole", [True, False])
async def test_a_sample_compares_so_many_and_says_so(tmp_path: Path, is_whole: bool) -> None:
    """By chance; it's good if all of it matches and every row has its document."""
    job = Job(tmp_path)
    job.rows(*(row(f"n{number}") for number in range(12)))
    async with FaultyServer() as server:
        await job.run(server.base_url, limit=None if is_whole else 11)
        asked = set()
        for _ in range(8):
            server.seen.clear()
            found = await verify(job.settings(server.base_url), observer=Told(), sample=5, runtime=job.runtime)
            assert (found.sample, found.same, found.left) == (5, 5, 7 if is_whole else 6)
            assert (found.requests, found.exit_code) == (5, 0 if is_whole else 1)
            asked |= {seen.path for seen in server.seen}
        assert len(asked) > 5
        found = await verify(job.settings(server.base_url), observer=Told(), sample=50, runtime=job.runtime)
        assert (found.sample, found.left) == ((12, 0) if is_whole else (11, 0))


def test_the_command_takes_a_results_file_and_tells_one_cause_once(tmp_path: Path) -> None:
    """Findings by kind with their first places; --all lists each; the sample is in words and in the object."""
    sheet(tmp_path, 12)
    assert start(tmp_path, "run", "d.csv", "--sandbox", "--rate", "none").returncode == 0
    command = ["verify", "d.sandbox.results.jsonl", "--sandbox", "--rate", "none"]
    good = start(tmp_path, *command)
    assert (good.returncode, good.stdout) == (0, "")
    assert "All 12 documents match their rows." in good.stderr
    some = start(tmp_path, *command, "--sample", "5", "--json")
    assert (some.returncode, json.loads(some.stdout)["sample"], json.loads(some.stdout)["left"]) == (0, 5, 7)
    assert "All 5 sampled documents match; 7 of 12 weren't compared." in some.stderr
    with closing(sqlite3.connect(tmp_path / "d.sandbox.sqlite")) as database:
        database.execute("UPDATE documents SET name = 'Renamed', body = json_set(body, '$.description', 'new')")
        database.commit()
    bad = start(tmp_path, *command)
    assert bad.returncode == 1
    [line] = [line for line in bad.stdout.splitlines() if ": description: " in line]
    assert re.search(r'has the description "new", but none was sent \(12 rows: lines \d+, .*, …\)$', line)
    listed = start(tmp_path, *command, "--all").stdout.splitlines()
    assert sum(": description: " in line for line in listed) == 12
    assert start(tmp_path, *command, "--results", "x.jsonl").returncode == 2
