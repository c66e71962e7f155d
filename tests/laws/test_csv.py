"""Failures in the CSV form: written, torn anywhere, fed back in (contract 6)."""

from __future__ import annotations

import codecs
import csv
import json
from pathlib import Path

import pytest

from batcher.errors import InvalidInput
from batcher.sandbox import Fault

from ..support.faulty import FaultyServer, named, on
from ..support.runs import MODEL, Job, Witness, row

REFUSED = b'{"detail": "Bad Request: name: too plain", "status": 400}'


def sheet(path: Path, *rows: dict[str, str], delimiter: str = ",") -> None:
    """A spreadsheet of these rows."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def table(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    """The records of a CSV file."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def refuse(name: str) -> Fault:
    """Creates of this name are refused."""
    return on("400", named(name), body=REFUSED)


@pytest.mark.parametrize("delimiter", [",", ";"])
async def test_failures_in_csv_have_the_rows_own_columns_and_are_fed_back(tmp_path: Path, delimiter: str) -> None:
    """The row's columns under their names and order, then batcher_'s; fixed in a spreadsheet and fed in: created."""
    job = Job(tmp_path, form="csv")
    given = tmp_path / "d.csv"
    rows = [{"Name": name, "Model ID": MODEL, "note": "n"} for name in ("a", "=b", "c")]
    sheet(given, *rows, delimiter=delimiter)
    async with FaultyServer(refuse("a"), refuse("=b")) as server:
        with pytest.raises(InvalidInput, match="rows are not valid"):
            await job.run(server.base_url, inputs=[given])
        sheet(given, *[{"Name": one["Name"], "Model ID": MODEL} for one in rows], delimiter=delimiter)
        ran = await job.run(server.base_url, inputs=[given])
        assert (ran.code, ran.counts) == (1, {"created_now": 1, "failed": 2})
        first, second = table(job.files.failures, delimiter)
        assert list(first)[:4] == ["Name", "Model ID", "batcher_key", "batcher_source"]
        assert (first["Name"], second["Name"]) == ("a", "'=b")
        assert (first["batcher_reason"], first["batcher_message"]) == ("rejected", "Bad Request: name: too plain")
        for one in (first, second):
            one["Name"] += "!"
        sheet(job.files.failures, first, second, delimiter=delimiter)
        ran = await job.run(server.base_url, inputs=[job.files.failures])
    assert (ran.code, ran.counts, table(job.files.failures, delimiter)) == (0, {"created_now": 2}, [])
    assert sorted(server.created_by_name) == ["=b!", "a!", "c"]


async def test_failures_in_csv_of_rows_with_other_columns_keep_everything(tmp_path: Path) -> None:
    """What of a row has no column of its own survives in batcher_rest, so that nothing is lost on the way back in."""
    job = Job(tmp_path, form="csv")
    tiles = [{"name": "t", "query": {"table": "o", "fields": ["o.id"]}}]
    job.rows(row("a", queryPresentations=tiles, filterConfig={"f": 1}), row("b"))
    async with FaultyServer("400@1") as server:
        assert (await job.run(server.base_url, concurrency=1)).code == 1
        ran = await job.run(server.base_url, inputs=[job.files.failures])
    assert (ran.code, ran.counts) == (0, {"created_now": 1})
    body = json.loads(server.commits[-1].body)
    assert (body["queryPresentations"], body["filterConfig"]) == (tiles, {"f": 1})


async def test_a_fed_back_csv_run_that_died_is_simply_run_again(tmp_path: Path) -> None:
    """Appended lines and a torn one behind the old ones: each key is one row, wherever the tail was cut.

    (Failed before: repeated keys and torn records of a CSV failures file were not understood.)
    """
    job = Job(tmp_path, form="csv")
    job.rows(row("a"), row("b"))
    async with FaultyServer(refuse("a"), refuse("b")) as server:
        await job.run(server.base_url)
        before = job.files.failures.read_bytes()
        await job.run(server.base_url, inputs=[job.files.failures])
        journal = job.files.journal.read_bytes()
        after = job.files.failures.read_bytes()
        appended = after[after.index(b"\r\n") + 2 :]
        for cut in [*range(0, len(appended), 41), len(appended) - 2, len(appended) - 1]:
            job.files.failures.write_bytes(before + appended[:cut])
            job.files.journal.write_bytes(journal)
            ran = await job.run(server.base_url, inputs=[job.files.failures])
            assert (ran.code, ran.summary.rows, ran.counts) == (1, 2, {"failed": 2}), cut
            assert {record["name"] for record in table(job.files.failures)} == {"a", "b"}


async def test_a_persons_last_record_without_newline_is_a_row(tmp_path: Path) -> None:
    """Saved by an editor without a last newline: the record counts, in both forms."""
    for form in ("csv", "jsonl"):
        (tmp_path / form).mkdir()
        job = Job(tmp_path / form, form=form)
        job.rows(row("a"), row("b"))
        async with FaultyServer("400@1-2") as server:
            await job.run(server.base_url)
            job.files.failures.write_bytes(job.files.failures.read_bytes().rstrip(b"\r\n"))
            ran = await job.run(server.base_url, inputs=[job.files.failures])
        assert (ran.code, ran.counts, ran.summary.rows) == (0, {"created_now": 2}, 2)


async def test_a_persons_broken_last_line_is_no_torn_tail(tmp_path: Path) -> None:
    """A person breaks the last line of the failures file and saves it without a newline: told as a problem, not lost.

    (Failed before: the line was taken for the torn tail of a dead run and cut off.)
    """
    job = Job(tmp_path)
    job.rows(row("a"), row("b"))
    async with FaultyServer("400@1-2") as server:
        await job.run(server.base_url)
        broken = job.files.failures.read_bytes().rstrip()[:-1] + b"]"
        job.files.failures.write_bytes(broken)
        with pytest.raises(InvalidInput, match="1 of 2 rows are not valid"):
            await job.run(server.base_url, inputs=[job.files.failures])
    assert broken in job.files.failures.read_bytes()


async def test_a_csv_of_other_columns_is_put_right_before_lines_are_appended(tmp_path: Path) -> None:
    """Another input with other columns: a run that dies leaves no cells under the wrong ones."""
    job = Job(tmp_path, form="csv")
    job.rows(row("a"))
    given = tmp_path / "other.csv"
    sheet(given, {"description": "d", "name": "b", "modelId": MODEL})
    seen: list[bytes] = []
    async with FaultyServer("400") as server:
        await job.run(server.base_url)
        witness = Witness()
        witness.on_outcome = lambda _: seen.append(job.files.failures.read_bytes())
        ran = await job.run(server.base_url, inputs=[given], witness=witness)
    assert [text.removeprefix(codecs.BOM_UTF8).split(b",")[:3] for text in seen] == [
        [b"description", b"name", b"modelId"]
    ]
    assert b",a," in seen[0]
    assert (ran.code, ran.summary.other_failures) == (1, 1)
    assert [record["name"] for record in table(job.files.failures)] == ["a", "b"]
