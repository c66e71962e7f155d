"""A results CSV of an earlier version: converted once, kept as it is, and nothing made twice (contract 4)."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from pathlib import Path

import pytest

from batcher.commands.status import status
from batcher.config import Files
from batcher.errors import UsageError
from batcher.files.disk import Disk
from batcher.files.earlier_results import in_lines, placed

from ..support.command import start
from ..support.earlier import into_csv, results_header
from ..support.faulty import FaultyServer
from ..support.runs import MODEL, Job, Witness, contents, row


def files(results: Path) -> Files:
    """Around these results."""
    return Files(
        results=results, failures=results.with_name("d.failures.jsonl"), journal=results.with_name("d.journal.jsonl")
    )


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("d.csv", None, r"use --results .*d\.jsonl\. For a spreadsheet"),
        ("d", None, r"use --results .*/d\.jsonl\."),
        ("d.v2", b"{}\n", r"use --results .*d\.v2\.jsonl, or rename d\.v2 to d\.v2\.jsonl if an earlier version"),
        ("d.json", b"{}\n", r"rename d\.json to d\.jsonl if"),
        ("d.csv", b"name,modelId\nA,b\n", r"d\.csv already exists and isn't a batcher results file; name .*d\.jsonl"),
    ],
)
def test_other_results_are_refused(tmp_path: Path, name: str, text: bytes | None, message: str) -> None:
    """With what to do instead."""
    if text is not None:
        (tmp_path / name).write_bytes(text)
    with pytest.raises(UsageError, match=message):
        placed(files(tmp_path / name))


async def test_a_run_goes_on_from_it(tmp_path: Path) -> None:
    """Said each time; the CSV stays as it is, and the JSON lines file holds all rows."""
    job = Job(tmp_path, form="csv")
    job.rows(row("a"), row("=b"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        before = into_csv(job.files.results).read_bytes()
        job.rows(row("a"), row("=b"), row("c"))
        first, second = [await job.run(server.base_url) for _ in range(2)]
    assert (first.counts, second.counts) == ({"created_now": 1, "created_before": 2}, {"created_before": 3})
    assert [line["name"] for line in job.results] == ["a", "=b", "c"]
    assert job.files.results.read_bytes() == before
    for ran in (first, second):
        assert "d.results.csv comes from an earlier version" in ran.warnings
        assert ran.summary.files is not None
        assert ran.summary.files.results.name == "d.results.jsonl"


async def test_commands_that_read_write_nothing(tmp_path: Path) -> None:
    """They read the CSV, and once it is there the JSON lines file."""
    job = Job(tmp_path, form="csv")
    job.rows(row("a"), row("b"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        into_csv(job.files.results)
        before, witness = contents(tmp_path), Witness()
        plan = status(job.settings(server.base_url), observer=witness, runtime=job.runtime)
        assert (plan.created, contents(tmp_path)) == (2, before)
        assert "comes from an earlier version" in witness.warnings[0]
        await job.run(server.base_url)
        job.files.results.write_bytes(results_header())
        assert status(job.settings(server.base_url), observer=witness, runtime=job.runtime).created == 2


class Dying(Disk):
    """A disk whose process dies while it replaces a file, after so many chunks; or just before the renaming."""

    def __init__(self, after: int) -> None:
        self.after = after

    def replace(self, path: Path, chunks: Iterable[bytes]) -> None:
        """As the real one, but killed."""

        def dying() -> Iterable[bytes]:
            for number, chunk in enumerate(chunks):
                if number == self.after:
                    os.kill(os.getpid(), signal.SIGKILL)
                yield chunk
            os.kill(os.getpid(), signal.SIGKILL)

        super().replace(path, dying())


def _killed(given: Files, after: int) -> bool:
    """Convert in a child, which dies of it."""
    if (child := os.fork()) == 0:
        with in_lines(Dying(after), given, keeps=True):
            os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL


@pytest.mark.parametrize("after", [0, 1, 3])
async def test_killed_in_the_middle_of_the_conversion(tmp_path: Path, after: int) -> None:
    """The CSV is whole, and there is no JSON lines file yet, so the next run converts it again."""
    job = Job(tmp_path, form="csv")
    job.rows(row("a"), row("b"), row("c"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        before = into_csv(job.files.results).read_bytes()
        assert _killed(job.files, after)
        assert job.files.results.read_bytes() == before
        assert not (tmp_path / "d.results.jsonl").exists()
        assert (await job.run(server.base_url)).counts == {"created_before": 3}
        assert len(server.posts) == 3
    assert sorted(line["name"] for line in job.results) == ["a", "b", "c"]


async def test_an_empty_file_beside_it_does_not_hide_it(tmp_path: Path) -> None:
    """A JSON lines file without a line says nothing about what is created."""
    job = Job(tmp_path, form="csv")
    job.rows(row("a"))
    async with FaultyServer() as server:
        await job.run(server.base_url)
        into_csv(job.files.results)
        (tmp_path / "d.results.jsonl").touch()
        assert (await job.run(server.base_url)).counts == {"created_before": 1}


def test_the_command_finds_it_by_default(tmp_path: Path) -> None:
    """A transcript: run, then the CSV of an earlier version in the place of the results, run again, undo."""
    (tmp_path / "d.csv").write_text(f"name,modelId\nA,{MODEL}\nB,{MODEL}\n")
    assert start(tmp_path, "run", "d.csv", "--sandbox", "--rate", "none").returncode == 0
    into_csv(tmp_path / "d.sandbox.results.jsonl")
    again = start(tmp_path, "run", "d.csv", "--sandbox", "--rate", "none")
    assert (again.returncode, "2 created (2 before)" in again.stderr) == (0, True), again.stderr
    assert (
        "d.sandbox.results.csv comes from an earlier version: results continue in d.sandbox.results.jsonl"
        in again.stderr
    )
    refused = start(tmp_path, "run", "d.csv", "--sandbox", "--results", "other.csv")
    assert (refused.returncode, "use --results other.jsonl" in refused.stderr) == (2, True), refused.stderr
    undone = start(tmp_path, "undo", "d.sandbox.results.csv", "--sandbox", "--yes", "--rate", "none")
    assert (undone.returncode, "2 deleted" in undone.stderr) == (0, True), undone.stderr
