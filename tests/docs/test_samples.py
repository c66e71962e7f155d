"""The samples are what their README says of them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import orjson
import pytest

from batcher.commands.verify import verify
from batcher.config import Reading
from batcher.errors import InvalidInput
from batcher.models import ApiVersion
from tests.support.command import start
from tests.support.faulty import FaultyServer
from tests.support.rows import Told, read_rows
from tests.support.runs import MODEL, Job, Witness

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.mark.parametrize(("name", "rows"), [("dashboards.csv", 20), ("dashboards.jsonl", 24), ("spreadsheet.csv", 8)])
def test_the_good_samples_have_no_problem(name: str, rows: int) -> None:
    """And some document of each has more than one queryPresentation."""
    told = Told(SAMPLES / name)
    assert told.said == told.warnings == []
    assert told.checked.valid == rows
    assert sum(spec.body.count(b'"query":') > 1 for spec in told.specs) >= 1


@pytest.mark.parametrize("name", ["dashboards.csv", "spreadsheet.csv", "v2.jsonl"])
async def test_the_samples_for_version_2_are_created_and_read_back(tmp_path: Path, name: str) -> None:
    """Under v1 its own shapes are problems that name the option."""
    job = Job(tmp_path)
    async with FaultyServer() as server:
        ran = await job.run(server.base_url, inputs=[SAMPLES / name], api=ApiVersion.V2)
        assert (ran.code, ran.counts) == (0, {"created_now": ran.summary.rows})
        settings = job.settings(server.base_url, inputs=[SAMPLES / name], api=ApiVersion.V2)
        assert (await verify(settings, observer=Witness())).exit_code == 0
    assert {seen.path for seen in server.posts} == {"/api/v2/documents"}
    told = Told(SAMPLES / name)
    assert all("--api v2" in line for line in told.said)
    assert bool(told.said) == (name == "v2.jsonl")


def test_the_csv_and_jsonl_samples_agree() -> None:
    """A row of both is the same document, so that either can be run after the other."""
    both = [
        {spec.name: spec.body for spec in Told(SAMPLES / name).specs} for name in ("dashboards.csv", "dashboards.jsonl")
    ]
    assert set(both[0]) < set(both[1])
    assert sum(both[0][name] == both[1][name] for name in both[0]) == 18  # two have an identifier in one file only


@pytest.mark.parametrize(("name", "rows", "valid"), [("broken.csv", 51, 3), ("broken.jsonl", 12, 1)])
def test_the_broken_samples_show_a_problem_of_every_row_but_a_few(name: str, rows: int, valid: int) -> None:
    """One pass names them all, and the invalid rows are the ones that say so in their name."""
    told = Told(SAMPLES / name)
    assert (told.checked.rows, told.checked.valid) == (rows, valid)
    assert {problem.line for problem in told.problems} == {row.line for row, _ in told.invalid}
    assert len({key for _, key in told.invalid} | set(told.keys)) == rows


def test_the_broken_csv_shows_every_kind_of_problem() -> None:
    """So that somebody who meets a message can find an example of it."""
    kinds = {re.sub(r'"[^"]*"|\d+', "…", line.split(": ", 1)[1])[:25] for line in Told(SAMPLES / "broken.csv").said}
    assert len(kinds) >= 20


def test_the_spreadsheet_sample_is_what_such_a_program_writes() -> None:
    """With a byte order mark, semicolons and CRLF."""
    content = (SAMPLES / "spreadsheet.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbfModel ID;Name;")
    assert content.count(b"\r\n") == content.count(b"\n") - 1  # one is within a cell
    assert {row.columns[0] for row in read_rows([SAMPLES / "spreadsheet.csv"], Reading())} == {"Model ID"}


async def test_every_broken_row_can_be_fixed_in_the_failures_file(tmp_path: Path) -> None:
    """Refused as a whole at first; with --skip-invalid all 48 are recorded; fixed and fed in, every row is created."""
    job, broken = Job(tmp_path), tmp_path / "broken.csv"
    shutil.copyfile(SAMPLES / "broken.csv", broken)
    async with FaultyServer() as server:
        with pytest.raises(InvalidInput):
            await job.run(server.base_url, inputs=[broken])
        assert server.seen == []
        assert _names_in(tmp_path) == ["broken.csv"]
        ran = await job.run(server.base_url, inputs=[broken], skip_invalid=True)
        assert (ran.code, ran.summary.created, ran.summary.invalid, len(job.failures)) == (1, 3, 48, 48)
        fixed = [
            {**line, "spec": {"modelId": MODEL, "name": f"fixed {number}"}} for number, line in enumerate(job.failures)
        ]
        job.files.failures.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in fixed))
        ran = await job.run(server.base_url, inputs=[job.files.failures])
        assert (ran.code, ran.summary.rows, ran.summary.created) == (0, 48, 48)
        assert job.failures == []
        assert len(server.documents) == 51


def _names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_the_output_is_what_comes_out(tmp_path: Path) -> None:
    """A rehearsal on the mixed file makes the three files that the samples show, but for ids, times and run."""
    shutil.copy(SAMPLES / "output" / "mixed.jsonl", tmp_path)
    shown = start(tmp_path, "run", "mixed.jsonl", "--sandbox", "--skip-invalid", "--rate", "none", "--concurrency", "1")
    assert shown.returncode == 1, shown.stderr
    for kind in ("results", "failures", "journal"):
        name = f"mixed.sandbox.{kind}.jsonl"
        made, kept = (_lines(directory / name) for directory in (tmp_path, SAMPLES / "output"))
        assert made == kept


VARYING = {"run", "at", "directory", "elapsedMs", "response", "dashboardId", "workbookId", "url", "requestId", "digest"}


def _lines(path: Path) -> list[dict[str, object]]:
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    return [{name: None if name in VARYING else value for name, value in line.items()} for line in lines]
