"""Files that version 0.1.0 made, in both forms: each line is read, written again byte for byte, and the run goes on.

`before/` holds an input and the three files of it after three runs, an undo in between, and a run that died. Its rows are
named for what became of them; `documents.json` is what the server holds. The base URL was replaced by `NOBODY`.
"""

from __future__ import annotations

import codecs
import json
import shutil
from functools import partial
from pathlib import Path

import orjson
import pytest

from batcher.api_keys import ApiKey
from batcher.config import Reading
from batcher.files import csv_form
from batcher.files.disk import Disk
from batcher.files.earlier_results import in_lines
from batcher.files.failures_view import Form, digest_of
from batcher.files.history import read_journal
from batcher.files.journal_lines import FailureLine, Intent, Unknown, parse_journal_line
from batcher.files.past import RowState, read_past
from batcher.files.results import encode_line, read_results
from batcher.identity import fill_identifier
from batcher.models import Failure, encode_failure, parse_failure
from batcher.read.read import layout_of
from batcher.transport.client import Client
from tests.support.earlier import encode_record, results_header
from tests.support.rows import failures_from_csv

from ..support.faulty import FaultyServer
from ..support.runs import Job, row

BEFORE = Path(__file__).parent / "before"
NOBODY = "http://127.0.0.1:1"
STATES = {
    "created": RowState.CREATED,
    "odd": RowState.CREATED,
    "own": RowState.CREATED,
    "again": RowState.CREATED,
    "adopted": RowState.CREATED,
    "last": RowState.CREATED,
    "undone": RowState.UNDONE,
    "rejected": RowState.FAILED,
    "unclear": RowState.UNCERTAIN,
    "unnamed": RowState.UNCERTAIN,
    "died": RowState.UNCERTAIN,
    "settled": RowState.NEW,
    "fixed": RowState.NEW,
}


@pytest.fixture(params=["jsonl", "csv"])
def job(request: pytest.FixtureRequest, tmp_path: Path) -> Job:
    """A copy of those files."""
    shutil.copytree(BEFORE / request.param, tmp_path, dirs_exist_ok=True)
    return Job(tmp_path, form=request.param)


def test_each_journal_line_is_read_and_written_byte_for_byte(job: Job) -> None:
    """All types that 0.1.0 wrote are there, and each is known."""
    kinds = set()
    for text in job.files.journal.read_bytes().splitlines(keepends=True):
        line = parse_journal_line(text)
        assert not isinstance(line, Unknown), text
        assert line.encode() == text
        kinds.add(json.loads(text)["type"])
    outcomes = {"failed", "uncertain", "mended", "undone", "created", "rewriting"}
    assert kinds == {"journal", "run", "intent", "clear", "settled"} | outcomes


def test_results_and_failures_are_written_again_byte_for_byte(job: Job) -> None:
    """Each line, in both forms; and the failures file has the size and digest that its journal announced."""
    results, failures = job.files.results.read_bytes(), job.files.failures.read_bytes()
    created = list(read_results(Disk(), job.files.results))
    is_csv = csv_form.is_csv(job.files.results)
    head = results_header() if is_csv else b""
    assert head + b"".join(encode_record(line) if is_csv else encode_line(line) for line in created) == results
    with job.files.failures.open("rb") as stream:
        lines = list(failures_from_csv(stream)) if is_csv else [orjson.loads(line) for line in stream]
    form = Form(layout_of([job.input], Reading())) if is_csv else Form()
    spec_of = {line["key"]: line["spec"] for line in map(encode_failure, journaled(job))}
    outcomes = [parse_failure(line | {"spec": spec_of[line["key"]]}) for line in lines]
    head = form.head().removeprefix(codecs.BOM_UTF8)  # which it writes since
    assert head + b"".join(map(form.line, outcomes)) == failures
    last = read_journal(Disk(), job.files.journal, lambda _: False).rewritings[-1]
    assert digest_of([failures]) == (last.size, last.digest)


async def test_its_journal_keeps_its_way_with_identifiers(job: Job) -> None:
    """Rows attempted before the upgrade keep theirs, edited or not; rows of after it get theirs without their content."""
    documents = json.loads((job.directory / "documents.json").read_text())
    async with FaultyServer() as server:
        async with Client(server.base_url, "k1") as client:
            for document in documents:
                await client.transport.request("POST", "/api/v1/documents", ApiKey("k1"), orjson.dumps(document))
        for path in (job.files.journal, job.files.results):
            path.write_bytes(path.read_bytes().replace(NOBODY.encode(), server.base_url.encode()))
        rows = [json.loads(line) for line in job.input.read_bytes().splitlines()]
        edited = {"rejected", "unclear", "died", "settled"}
        rows = [one | {"description": "edited since"} if one["name"] in edited else one for one in rows]
        attempted = {name: job.intents(name)[-1]["identifier"] for name in edited}
        job.rows(*rows, row("new", key="n", description="of after the upgrade"))
        await job.run(server.base_url, skip_invalid=True)
        await job.run(server.base_url, skip_invalid=True, recreate_undone=True)
    sent = {name: line["identifier"] for name in (*edited, "fixed", "new", "undone") for line in job.intents(name)}
    new = {name: fill_identifier(name, key, "", 0, None) for name, key in (("fixed", "fixed"), ("new", "n"))}
    again = {"undone": fill_identifier("undone", job.intents("undone")[-1]["key"], "", 1, None)}
    assert sent == attempted | new | again
    assert "identifiers" not in job.journal[0]


def journaled(job: Job) -> list[Failure]:
    """The failures in the journal."""
    lines = map(parse_journal_line, job.files.journal.read_bytes().splitlines(keepends=True))
    return [line.outcome for line in lines if isinstance(line, FailureLine)]


def test_where_each_row_stands_is_known(job: Job) -> None:
    """By key, from the results and the journal."""
    created = {line.name: line for line in read_results(Disk(), job.files.results)}
    lines = map(parse_journal_line, job.files.journal.read_bytes().splitlines(keepends=True))
    keys = {orjson.loads(line.body)["name"]: line.key for line in lines if isinstance(line, Intent)}
    keys |= {name: line.key for name, line in created.items()} | {"fixed": "fixed"}
    with in_lines(Disk(), job.files, keeps=False) as files:
        past = read_past(Disk(), files, NOBODY, "")
    hashes = {name: created[name].spec_hash if name in created else "" for name in STATES}
    states = {name: past.state(keys[name], partial(hashes.__getitem__, name)) for name in STATES}
    assert states == STATES


async def test_the_run_goes_on(job: Job) -> None:
    """Nothing is created twice, what was unclear is looked up, and what nobody knows stays uncertain."""
    documents = json.loads((job.directory / "documents.json").read_text())
    async with FaultyServer() as server:
        async with Client(server.base_url, "k1") as client:
            for document in documents:
                await client.transport.request("POST", "/api/v1/documents", ApiKey("k1"), orjson.dumps(document))
        for path in (job.files.journal, job.files.results):
            path.write_bytes(path.read_bytes().replace(NOBODY.encode(), server.base_url.encode()))
        ran = await job.run(server.base_url, skip_invalid=True)
        again = await job.run(server.base_url, skip_invalid=True)
    made = {"rejected", "died", "settled", "fixed"}
    assert {name: len(times) for name, times in server.created_by_name.items()} == dict.fromkeys(
        [*(document["name"] for document in documents), *made], 1
    )
    assert ran.counts == {
        "created_now": 4,
        "created_before": 6,
        "reconciled": 1,
        "failed": 1,
        "uncertain": 1,
        "undone": 1,
    }
    assert again.counts == {"created_before": 11, "failed": 1, "uncertain": 1, "undone": 1}
