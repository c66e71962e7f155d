"""The sheet: what became of each row, for people; and nothing happens on its word when it comes back (contract 4)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from batcher.cli.settings.files import files_of
from batcher.commands.run import run
from batcher.commands.status import status
from batcher.errors import InvalidInput, UsageError
from batcher.files.disk import Disk
from batcher.report.summary import exit_code
from batcher.send.drain import Drain

from ..support.command import feed, start
from ..support.faulty import FaultyServer, named, on
from ..support.runs import MODEL, Job, Ran, Witness, contents, row

REFUSED = b'{"detail": "Bad Request: name: too plain", "status": 400}'
OURS = ["batcher_outcome", "batcher_url", "batcher_reason", "batcher_message", "batcher_hint", "batcher_key"]
TABLE = f"Name;Model ID;Description\r\nA;{MODEL};=1+1\r\nplain;{MODEL};\r\n{'Umsätze'};{MODEL};x\r\nD;{MODEL};\r\n"


def table(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    """The rows of a sheet, which begins with a byte order mark."""
    text = path.read_bytes().decode()
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:], newline=""), delimiter=delimiter))


def save(path: Path, rows: list[dict[str, str]], delimiter: str = ",") -> None:
    """As a spreadsheet program saves it."""
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


class Shown(Job):
    """A job whose runs write a sheet."""

    @property
    def sheet(self) -> Path:
        """It."""
        return self.directory / "s.csv"

    async def show(self, base_url: str, inputs: Iterable[Path], **settings: Any) -> Ran:
        """Run these inputs and write the sheet."""
        given = self.settings(base_url, inputs=list(inputs), **settings)
        witness = Witness()
        given = replace(given, files=replace(given.files, sheet=self.sheet))
        return Ran(await run(given, observer=witness, drain=Drain(), runtime=self.runtime), witness)


async def test_each_row_with_what_became_of_it(tmp_path: Path) -> None:
    """The input's columns and delimiter, then ours; formulas don't run; `status` shows the same."""
    job = Shown(tmp_path)
    given = tmp_path / "d.csv"
    given.write_text(TABLE, newline="")
    async with FaultyServer(on("400", named("plain"), body=REFUSED), on("reset-after", named("Umsätze"))) as server:
        ran = await job.show(server.base_url, [given], concurrency=1, limit=3, fill_identifiers=False, max_attempts=1)
        shown = table(job.sheet, ";")
        before = contents(tmp_path)
        looked = job.settings(server.base_url, inputs=[given])
        looked = replace(looked, files=replace(looked.files, sheet=job.sheet))
        status(looked, observer=Witness(), runtime=job.runtime)
        assert contents(tmp_path) == before
    assert ran.code == 5
    assert list(shown[0]) == ["Name", "Model ID", "Description", *OURS]
    assert [line["Name"] for line in shown] == ["A", "plain", "Umsätze", "D"]
    assert [line["batcher_outcome"] for line in shown] == ["created", "failed", "uncertain", "to do"]
    assert (shown[0]["Description"], shown[0]["batcher_url"]) == ("'=1+1", job.results[0]["url"])
    assert (shown[1]["batcher_reason"], shown[1]["batcher_message"]) == ("rejected", "Bad Request: name: too plain")
    assert "Look for it in Omni" in shown[2]["batcher_hint"]
    assert [bool(line["batcher_key"]) for line in shown] == [True, True, True, False]


async def test_every_end_writes_it(tmp_path: Path) -> None:
    """A run that stops, one with nothing to do, and one after undone and edited rows."""
    job = Shown(tmp_path)
    job.rows(row("a", key="001"), row("b"))
    async with FaultyServer(on("401")) as server:
        ran = await job.show(server.base_url, [job.input])
        assert (ran.code, [line["batcher_outcome"] for line in table(job.sheet)]) == (3, ["to do", "to do"])
    async with FaultyServer() as server:
        for path in (job.files.journal, job.files.results):
            path.unlink()
        await job.show(server.base_url, [job.input])
        job.sheet.unlink()
        job.rows(row("a", key="001", description="edited"), row("b"))
        ran = await job.show(server.base_url, [job.input])
        first, second = table(job.sheet)
        assert (ran.code, first["batcher_outcome"], second["batcher_outcome"]) == (0, "created", "created")
        assert "changed since" in first["batcher_message"]
        assert first["key"] == first["batcher_key"] == "001"


async def test_objects_and_several_inputs(tmp_path: Path) -> None:
    """Fields are columns, all inputs' together; what is nested is JSON; a row that can't be read is shown as it is."""
    job = Shown(tmp_path)
    tiles = [{"name": "t", "query": {"table": "o", "fields": ["o.id"]}}]
    job.rows(row("a", queryPresentations=tiles), row("b", filterConfig={"f": [1, True]}))
    with job.input.open("a") as file:
        file.write('{"name": broken}\n')
    other = tmp_path / "e.csv"
    other.write_text(f"Name,Model ID\nc,{MODEL}\n")
    async with FaultyServer() as server:
        ran = await job.show(server.base_url, [job.input, other], skip_invalid=True)
    assert ran.counts == {"created_now": 3, "failed": 1}
    a, b, broken, c = table(job.sheet)
    assert list(a) == ["Name", "Model ID", "queryPresentations", "filterConfig", *OURS]
    assert json.loads(a["queryPresentations"]) == tiles
    assert (b["filterConfig"], c["Name"], c["batcher_outcome"]) == ('{"f":[1,true]}', "c", "created")
    assert (broken["Name"], broken["batcher_reason"]) == ('{"name": broken}', "invalid")


async def test_fed_back_it_creates_what_was_left_and_nothing_twice(tmp_path: Path) -> None:
    """The failed row is fixed in it, the others are known; it is never written over, and its words settle nothing."""
    job = Shown(tmp_path)
    given = tmp_path / "d.csv"
    given.write_text(TABLE, newline="")
    async with FaultyServer(on("400", named("plain"), body=REFUSED)) as server:
        await job.show(server.base_url, [given], concurrency=1, limit=3)
        rows = table(job.sheet, ";")
        rows[1] |= {"Name": "better", "batcher_outcome": "created", "batcher_url": "https://elsewhere/"}
        rows[0]["batcher_outcome"] = "failed"
        save(job.sheet, rows, ";")
        saved = job.sheet.read_bytes()
        files = files_of([str(job.sheet)], results=job.files.results)
        assert files == job.files
        ran = await job.run(server.base_url, inputs=[job.sheet])
        assert (ran.code, ran.counts, ran.warnings) == (0, {"created_now": 2, "created_before": 2}, "")
        assert job.sheet.read_bytes() == saved
        save(job.sheet, rows[:1], ";")
        assert (await job.run(server.base_url, inputs=[job.sheet])).counts == {"created_before": 1}
    assert sorted(server.created_by_name) == ["A", "D", "Umsätze", "better"]
    assert all(len(times) == 1 for times in server.created_by_name.values())


@pytest.mark.parametrize("has_failed", [False, True])
async def test_a_key_that_a_spreadsheet_program_changed_is_refused(tmp_path: Path, *, has_failed: bool) -> None:
    """001 has become 1: nothing is sent, and the message says which key it was."""
    job = Shown(tmp_path)
    given = tmp_path / "d.csv"
    given.write_text(f"key,name,modelId\n001,plain,{MODEL}\n")
    faults = [on("400", named("plain"), body=REFUSED)] if has_failed else []
    async with FaultyServer(*faults) as server:
        await job.show(server.base_url, [given])
        rows = table(job.sheet)
        rows[0] |= {"batcher_key": "1", "key": "1", "name": "other"}
        save(job.sheet, rows)
        with pytest.raises(UsageError, match=r's\.csv:2: the journal has no row with the key "1".* probably "001"'):
            await job.run(server.base_url, inputs=[job.sheet])
        with pytest.raises(UsageError, match=r"s\.csv:2: a sheet shows rows from other inputs"):
            await job.run(server.base_url, inputs=[given, job.sheet])
        rows[0]["batcher_key"] = ""
        save(job.sheet, rows)
        witness = Witness()
        with pytest.raises(InvalidInput):
            await job.run(server.base_url, inputs=[job.sheet], witness=witness)
        assert "batcher_key is empty, but batcher_outcome says" in str(witness.problems[0])
    assert len(server.posts) == 1


async def test_an_old_sheet_with_changed_keys_makes_nothing_twice(tmp_path: Path) -> None:
    """001 was to do when it was shown, and has been created since; it comes back as 1, as a new row."""
    job = Shown(tmp_path)
    given = tmp_path / "d.csv"
    given.write_text(f"key,name,modelId\n000,a,{MODEL}\n001,b,{MODEL}\n")
    async with FaultyServer() as server:
        await job.show(server.base_url, [given], limit=1)
        rows = table(job.sheet)
        await job.run(server.base_url, inputs=[given])
        rows[1]["key"] = "1"
        save(job.sheet, rows)
        with pytest.raises(UsageError, match="--rekey"):
            await job.run(server.base_url, inputs=[job.sheet])
    assert len(server.posts) == 2


class Full(Disk):
    """A disk that doesn't take the sheet."""

    def replace(self, path: Path, chunks: Iterable[bytes]) -> None:
        """Refuse it."""
        if path.name == "s.csv":
            raise OSError(28, "No space left on device")
        super().replace(path, chunks)


async def test_a_sheet_that_cannot_be_written_is_no_success(tmp_path: Path) -> None:
    """Exit code 3, and everything else is recorded."""
    job = Shown(tmp_path)
    job.runtime = replace(job.runtime, storage=Full())
    job.rows(row("a"))
    async with FaultyServer() as server:
        ran = await job.show(server.base_url, [job.input])
        assert (exit_code(ran.summary), ran.counts) == (3, {"created_now": 1})
        assert "s.csv: the sheet can't be written (No space left on device); everything else is recorded" in (
            ran.summary.stopped or ""
        )


@pytest.mark.parametrize(
    ("sheet", "message"),
    [
        ("s.xlsx", "a sheet is CSV, and its name ends with .csv: use --sheet-out .*s.csv"),
        ("d.csv", "is an input, or a file of the run itself"),
        ("hard.csv", "is an input, or a file of the run itself"),
        ("link.csv", "is an input, or a file of the run itself"),
        ("d.failures.csv", "is an input, or a file of the run itself"),
        ("mine.csv", "isn't a batcher sheet; it would be overwritten"),
        ("none/s.csv", "can't be written; name a file in a directory that exists"),
        ("folder.csv", "isn't a regular file"),
    ],
)
def test_what_a_sheet_must_not_be_written_over(tmp_path: Path, sheet: str, message: str) -> None:
    """Neither inputs, nor the run's own files, nor anybody else's."""
    given = tmp_path / "d.csv"
    given.write_text(TABLE)
    (tmp_path / "hard.csv").hardlink_to(given)
    (tmp_path / "link.csv").symlink_to(given)
    (tmp_path / "mine.csv").write_text("name,modelId\nA,b\n")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError, match=message):
        files_of([str(given)], failures=tmp_path / "d.failures.csv", sheet=tmp_path / sheet)
    assert files_of([str(given)], sheet=tmp_path / "s.csv").sheet == tmp_path / "s.csv"


def test_the_command_shows_what_a_pipe_held(tmp_path: Path) -> None:
    """Standard input is read once, and shown all the same; the sheet by itself says which run it needs."""
    text = f"name,modelId\nA,{MODEL}\nB,{MODEL}\n"
    words = ["--sandbox", "--rate", "none", "--results", "r.jsonl", "--sheet-out", "s.csv"]
    ran = feed(tmp_path, text, "run", "-", *words, "--limit", "1")
    assert (ran.returncode, "Sheet:     s.csv" in ran.stderr) == (6, True), ran.stderr
    assert [line["batcher_outcome"] for line in table(tmp_path / "s.csv")] == ["created", "to do"]
    alone = start(tmp_path, "run", "s.csv", "--sandbox")
    assert (alone.returncode, "s.csv is a sheet, which only shows" in alone.stderr) == (2, True), alone.stderr
    again = start(tmp_path, "run", "s.csv", "--sandbox", "--rate", "none", "--results", "r.jsonl")
    assert (again.returncode, "2 created (1 now, 1 before)" in again.stderr) == (0, True), again.stderr
    both = feed(tmp_path, text, "run", "-", *words[:-1], "t.csv", "--summary", "./t.csv")
    assert (both.returncode, "is an input, or a file of the run" in both.stderr) == (2, True), both.stderr
    (tmp_path / "s16.csv").write_bytes((tmp_path / "s.csv").read_text("utf-8-sig").encode("utf-16"))
    unseen = start(tmp_path, "run", "s16.csv", "--sandbox")
    assert (unseen.returncode, "s16.csv:2: the journal has no row" in unseen.stderr) == (2, True), unseen.stderr
    looked = feed(tmp_path, text, "status", "-", *words)
    assert (looked.returncode, [line["batcher_outcome"] for line in table(tmp_path / "s.csv")]) == (0, ["created"] * 2)
