"""What undo believes: the journal's intents, and a results file only where they bear it out (contract 6)."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from batcher.errors import UsageError

from ..support.earlier import into_csv
from ..support.faulty import FaultyServer
from ..support.runs import Job, row
from .test_undo import Told, deletions, undone

OURS = ("0012", "0013")


def as_number(text: Any) -> Any:
    """What a spreadsheet program makes of it."""
    return str(int(text)) if text in OURS else text


def save(job: Job, change: Callable[[dict[str, Any]], None]) -> None:
    """A program changes each line of the results file and saves it."""
    if job.form == "jsonl":
        changed = job.results
        for line in changed:
            change(line)
        job.files.results.write_text("".join(json.dumps(line) + "\n" for line in changed))
        return
    records = list(csv.DictReader(io.StringIO(job.files.results.read_text("utf-8-sig"))))
    text = io.StringIO()
    writer = csv.DictWriter(text, list(records[0]))
    writer.writeheader()
    for record in records:
        change(record)
        writer.writerow(record)
    job.files.results.write_text(text.getvalue())


def number_identifiers(line: dict[str, Any]) -> None:
    """0012 becomes 12."""
    line["identifier"] = as_number(line["identifier"])


async def create_both(directory: Path, form: str, server: FaultyServer, **settings: Any) -> Job:
    """Somebody else owns 12; ours are 0012 and 0013."""
    other = Job(directory / "other")
    other.directory.mkdir()
    other.rows(row("theirs", identifier="12"))
    await other.run(server.base_url)
    job = Job(directory, form=form)
    job.rows(*(row(f"ours {identifier}", identifier=identifier) for identifier in OURS))
    await job.run(server.base_url, concurrency=1, **settings)
    if form == "csv":
        into_csv(job.files.results)
    return job


async def refused(job: Job, server: FaultyServer, message: str) -> None:
    """Neither a dry run nor a real one believes this file, and no DELETE leaves."""
    for dry in (True, False):
        with pytest.raises(UsageError, match=message):
            await undone(job, server.base_url, dry=dry)
    assert not deletions(server)


@pytest.mark.parametrize(("form", "place"), [("jsonl", ":1"), ("csv", ", record 2")])
async def test_a_strangers_document_is_refused_before_any_delete(form: str, place: str, tmp_path: Path) -> None:
    """Regression: a spreadsheet program made 0012 into 12, and 12 of somebody else was deleted."""
    async with FaultyServer() as server:
        job = await create_both(tmp_path, form, server)
        before = job.files.results.read_bytes()
        save(job, number_identifiers)
        where = re.escape(f"{job.files.results}{place}: the identifier is 12, but {job.files.journal} says that it was")
        await refused(job, server, rf"{where} sent as 0012 \(and 1 more lines? like it\)\. .*nothing was deleted\. Put")
        job.files.results.write_bytes(before)
        assert (await undone(job, server.base_url)).deleted == 2
        assert list(server.documents) == ["12"]


async def test_one_line_is_enough_to_refuse_the_file(tmp_path: Path) -> None:
    """The other line is right; a file that somebody changed is not believed at all."""
    async with FaultyServer() as server:
        job = await create_both(tmp_path, "jsonl", server)
        text = job.files.results.read_text()
        job.files.results.write_text(text.replace('"identifier":"0013","name"', '"identifier":"13","name"'))
        await refused(job, server, r"results\.jsonl:2: the identifier is 13, but .* sent as 0013\. It may")


async def test_a_row_that_the_journal_does_not_know_is_refused(tmp_path: Path) -> None:
    """Its key was changed, or the journal is another file's."""
    async with FaultyServer() as server:
        job = await create_both(tmp_path, "jsonl", server)
        save(job, lambda line: line.update(key="id:12" if line["key"] == "id:0012" else line["key"], identifier="12"))
        await refused(job, server, r"results\.jsonl:1: the identifier is 12, but .* has no row with the key id:12")


async def test_a_refused_attempt_bears_nothing_out(tmp_path: Path) -> None:
    """Key and identifier of a line, both changed, are those of another row's attempt that was refused: not ours, for all that.

    (Failed before, in life 624 of the people: the journal names 12 under the key 1, so the stranger's 12 was deleted.)
    """
    async with FaultyServer() as server:
        other = Job(tmp_path / "other")
        other.directory.mkdir()
        other.rows(row("theirs", identifier="12"))
        await other.run(server.base_url)
        job = Job(tmp_path)
        job.rows(row("ours", key="01", identifier="0012"))
        await job.run(server.base_url)
        job.rows(row("another", key="1", identifier="12"))
        assert (await job.run(server.base_url)).counts == {"failed": 1}
        save(job, lambda line: line.update(key="1", identifier="12"))
        await refused(job, server, r"the identifier is 12, but .* says that something else was sent under it\. It may")
        assert "12" in server.documents


def forget_url(line: dict[str, Any]) -> None:
    """The identifier and the URL are changed, the answer isn't."""
    line["identifier"], line["url"] = "12", "http://omni/dashboards/12"


@pytest.mark.parametrize("form", ["jsonl", "csv"])
@pytest.mark.parametrize("change", [lambda line: line.update(identifier="12"), forget_url], ids=["identifier", "url"])
async def test_what_the_server_named_is_borne_out_by_its_own_line(
    change: Callable[[dict[str, Any]], None], form: str, tmp_path: Path
) -> None:
    """Without an identifier in the intent the line's URL and answer must agree with it."""
    job = Job(tmp_path, form=form)
    job.rows(row("a"))
    async with FaultyServer() as server:
        await job.run(server.base_url, fill_identifiers=False)
        [named] = server.documents
        if form == "csv":
            into_csv(job.files.results)
        before = job.files.results.read_bytes()
        save(job, change)
        await refused(job, server, f"the identifier is 12, but the line's own url and response say {named}")
        job.files.results.write_bytes(before)
        assert (await undone(job, server.base_url)).deleted == 1


async def test_another_rows_line_under_a_key_without_identifier_is_refused(tmp_path: Path) -> None:
    """A spreadsheet program made 1 of 0001, and a row called 1 is still in doubt: undo would have settled that one.

    With --recreate-undone it was sent again, and had two documents (life 20045107 of the people).
    """
    job = Job(tmp_path)
    job.rows(row("first", key="0001"))
    async with FaultyServer("hang-after@2") as server:
        await job.run(server.base_url, fill_identifiers=False)
        job.rows(row("first", key="0001"), row("second", key="1"))
        await job.run(server.base_url, fill_identifiers=False, timeout_seconds=0.3, connect_timeout_seconds=0.3)

        def number_keys(line: dict[str, Any]) -> None:
            line["key"] = str(int(line["key"]))

        save(job, number_keys)
        with pytest.raises(UsageError, match="says that something else was sent under the key 1"):
            await undone(job, server.base_url, force=True)
        assert not deletions(server)
    assert len(server.documents) == 2


async def test_a_document_that_was_gone_already_is_counted_apart(tmp_path: Path) -> None:
    """Somebody deleted it: no deletion of ours, but the row is undone."""
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer() as server:
        await job.run(server.base_url, concurrency=1)
        kept = job.files.journal.read_bytes()
        assert (await undone(job, server.base_url, limit=1)).deleted == 1
        job.files.journal.write_bytes(kept)  # as if somebody else had done that
        told = Told()
        found = await undone(job, server.base_url, told)
        assert (found.deleted, found.gone, found.left, found.exit_code) == (1, 1, 0, 0)
        assert [line.rpartition(" ")[0].split(" ", 2)[2] for line in told.lines] == ["gone already", "deleted"]
        assert (await undone(job, server.base_url)).undone_before == 2
        assert (await job.run(server.base_url)).counts == {"undone": 2}
        assert not server.documents


@pytest.mark.parametrize("form", ["jsonl", "csv"])
async def test_files_of_version_0_1_0_are_undone(form: str, tmp_path: Path) -> None:
    """Their journals have no intents of undo; all that they created is named by the others, or by its own line."""
    before = Path(__file__).parents[1] / "files" / "before" / form
    for path in before.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    job = Job(tmp_path, form=form)
    found = await undone(job, "http://127.0.0.1:1", dry=True, force=True)
    assert {document.name for document in found.owned} == {"created", "odd", "own", "again", "last"}
    assert (found.adopted, found.undone_before) == (1, 2)
