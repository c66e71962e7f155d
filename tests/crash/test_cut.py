"""Files cut at any byte of their last line, and broken in the middle: repaired in the one case, named in the other.

The server is asked what happened: nothing may be created twice, nothing may be missing. With CUT_EVERY=1 there is a run
after a cut at each single byte; else the repair itself is tried at each byte, and a run at some of them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from batcher.errors import InvalidInput, UsageError
from batcher.files.disk import Disk
from batcher.files.lines import repair
from tests.support.faulty import FaultyServer, named, on
from tests.support.runs import Job, row

NAMES = ("alpha", "beta", "gamma")
"""The rows; the last of them is `gamma`."""
EVERY = int(
    os.environ.get("CUT_EVERY", "29")
)  # 1: a run after a cut at each byte; else at each so-many-th and at the ends
ENDS = 5


def again(job: Job, before: Path) -> None:
    """Put the files back as they were."""
    for path in before.iterdir():
        shutil.copy(path, job.directory / path.name)


def keep(job: Job, directory: Path) -> Path:
    """A copy of all files as they are."""
    shutil.copytree(job.directory, directory)
    return directory


def last_line(path: Path) -> list[int]:
    """The sizes of the file with its last line cut, from none of it to all but its newline."""
    text = path.read_bytes()
    return chosen(text.rfind(b"\n", 0, len(text) - 1) + 1, len(text))


def chosen(start: int, end: int) -> list[int]:
    """The sizes at which to cut."""
    return [size for size in range(start, end) if (size - start) % EVERY == 0 or min(size - start, end - size) <= ENDS]


def insert_line(path: Path, number: int, line: bytes) -> Path:
    """Put a line into a file."""
    text = path.read_bytes().splitlines(keepends=True)
    text[number - 1 : number - 1] = [line + b"\n"]
    path.write_bytes(b"".join(text))
    return path


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Three rows in a directory of their own."""
    (tmp_path / "work").mkdir()
    job = Job(tmp_path / "work")
    job.rows(*(row(name) for name in NAMES))
    return job


async def test_the_repair_at_every_byte(job: Job) -> None:
    """Of the last 600: what is left are whole lines and nothing else; a line that lacks only its newline counts."""
    async with FaultyServer("400@3", "bare") as server:
        await job.run(server.base_url, concurrency=1)
    disk = Disk()
    for path in (job.files.results, job.files.journal, job.files.failures):
        text = path.read_bytes()
        for size in range(max(0, len(text) - 600), len(text) + 1):
            path.write_bytes(text[:size])
            repair(disk, path)
            whole = text.rfind(b"\n", 0, size) + 1
            if size < len(text) and text[size : size + 1] == b"\n":
                whole = size + 1
            assert path.read_bytes() == text[:whole], (path.name, size)


async def test_results_cut_in_the_last_line(job: Job, tmp_path: Path) -> None:
    """The row whose line is torn is found again through its intent; nothing is sent."""
    async with FaultyServer("bare") as server:
        await job.run(server.base_url, concurrency=1)
        before = keep(job, tmp_path / "before")
        for size in last_line(job.files.results):
            again(job, before)
            with job.files.results.open("r+b") as file:
                file.truncate(size)
            ran = await job.run(server.base_url)
            assert (ran.code, set(job.how), job.failures) == (0, set(NAMES), []), size
            assert job.how["gamma"] in ("created", "reconciled")
        assert len(server.posts) == len(server.commits) == len(NAMES)


async def test_the_journal_cut_in_its_last_intent(job: Job, tmp_path: Path) -> None:
    """Cut as a crash leaves it: the outcome was never written. Whether or not the intent is whole, nothing is made twice."""
    async with FaultyServer("bare") as server:
        await job.run(server.base_url, concurrency=1)
        text = job.files.journal.read_bytes()
        start = text.rfind(b'{"key":')
        end = text.find(b"\n", start) + 1
        results = job.files.results.read_bytes()
        job.files.results.write_bytes(results[: results.rfind(b"\n", 0, -1) + 1])
        before = keep(job, tmp_path / "before")
        for size in chosen(start, end):
            again(job, before)
            job.files.journal.write_bytes(text[:size])
            ran = await job.run(server.base_url)
            assert (ran.code, set(job.how), job.failures) == (0, set(NAMES), []), size
            assert job.how["gamma"] == ("reconciled" if size >= end - 1 else "adopted")
        assert len(server.commits) == len(NAMES)


async def test_the_journal_cut_in_its_first_lines(job: Job) -> None:
    """Nothing was sent yet: header and beginning of the run are simply written anew."""
    async with FaultyServer() as server:
        job.rows(row("alpha"))
        await job.run(server.base_url)
        text = job.files.journal.read_bytes()
        start = text.index(b'{"key":')
        job.files.results.unlink()
        for size in chosen(0, start + 1):
            job.files.journal.write_bytes(text[:size])
            job.files.results.unlink(missing_ok=True)
            job.files.failures.unlink(missing_ok=True)
            ran = await job.run(server.base_url)
            assert (ran.code, job.how, job.failures) == (0, {"alpha": "adopted"}, []), size
            assert job.journal[0]["type"] == "journal"
        assert len(server.commits) == 1


@pytest.mark.parametrize("form", ["jsonl", "csv"])
async def test_failures_cut_in_the_last_line(tmp_path: Path, form: str) -> None:
    """A torn failures line is not mistaken for somebody's edit; the file is written anew from the journal."""
    job = Job(tmp_path / "work", form)
    job.directory.mkdir()
    job.rows(*(row(name) for name in NAMES))
    bad = on("400", named("gamma"), body=b'{"error":"no","status":400}')
    async with FaultyServer(bad, "bare") as server:
        ran = await job.run(server.base_url)
        assert ran.code == 1
        whole = job.files.failures.read_bytes()
        text = job.files.journal.read_bytes()
        job.files.journal.write_bytes(text[: text.rfind(b'{"type":"rewriting"')])  # it died before it closed its files
        before = keep(job, tmp_path / "before")
        for size in last_line(job.files.failures):
            again(job, before)
            job.files.failures.write_bytes(whole[:size])
            ran = await job.run(server.base_url)
            assert (ran.code, ran.summary.kept_failures) == (1, None), (size, ran.summary.stopped)
            assert job.files.failures.read_bytes().count(b"gamma") == whole.count(b"gamma")
        assert sorted(document.name for document in server.commits) == ["alpha", "beta"]


@pytest.mark.parametrize("form", ["jsonl", "csv"])
async def test_a_failures_file_cut_and_fed_in(tmp_path: Path, form: str) -> None:
    """Cut where a run tore its own last line, it is either the row or an error that says so, never another row."""
    job = Job(tmp_path / "work", form)
    job.directory.mkdir()
    job.rows(*(row(name) for name in NAMES))
    bad = on("400", named("gamma"), body=b'{"error":"no","status":400}')
    async with FaultyServer(bad, "bare") as server:
        await job.run(server.base_url)
        whole = job.files.failures.read_bytes()
        before = keep(job, tmp_path / "before")
        start = whole.rfind(b"\n", 0, -1) + 1
        for size in chosen(start, len(whole)):
            again(job, before)
            job.files.failures.write_bytes(whole[:size])
            with suppress(InvalidInput):  # a row that is not whole; its place was told
                ran = await job.run(server.base_url, inputs=[job.files.failures])
                assert ran.code in (0, 1), size
        assert sorted(document.name for document in server.commits) == ["alpha", "beta"]


async def test_a_run_that_died_before_it_rewrote_the_failures_file(job: Job, tmp_path: Path) -> None:
    """Regression: with every row created the next run found nothing to do and left lines of created rows in the file."""
    async with FaultyServer("400@2") as server:
        assert (await job.run(server.base_url, concurrency=1)).code == 1
        stale = job.files.failures.read_bytes()
        assert (await job.run(server.base_url)).code == 0
        text = job.files.journal.read_bytes()
        job.files.journal.write_bytes(text[: text.rfind(b'{"type":"rewriting"')])
        job.files.failures.write_bytes(stale)
        keep(job, tmp_path / "unannounced")
        for announced in (False, True):  # killed before, or after it was announced in the journal
            again(job, tmp_path / "unannounced")
            if announced:
                job.files.journal.write_bytes(text)
            ran = await job.run(server.base_url)
            assert (ran.code, ran.summary.requests, job.failures) == (0, 0, [])
            assert ran.summary.kept_failures is None
            size = job.files.journal.stat().st_size
            await job.run(server.base_url)
            assert job.files.journal.stat().st_size == size, "a run with nothing to do writes nothing"


async def test_an_edited_failures_file_is_kept_beside_when_nothing_is_to_be_done(job: Job) -> None:
    """Every row is created, so the file is empty again; what a person has written into it is kept, and that is said."""
    async with FaultyServer() as server:
        await job.run(server.base_url)
        job.files.failures.write_text('{"note":"mine"}\n')
        ran = await job.run(server.base_url)
        assert (ran.code, ran.summary.requests, job.failures) == (0, 0, [])
        assert ran.summary.kept_failures is not None
        assert ran.summary.kept_failures.read_text() == '{"note":"mine"}\n'


@pytest.mark.parametrize("broken", [b'{"key":"name:00', b"[1,2]", b'"text"', b"\xff\xfe{}"])
@pytest.mark.parametrize("file", ["journal", "results"])
async def test_a_corrupt_line_in_the_middle_is_named(job: Job, tmp_path: Path, file: str, broken: bytes) -> None:
    """File and line, exit 2, nothing sent, nothing written; never a guess."""
    async with FaultyServer("400@3") as server:
        await job.run(server.base_url, concurrency=1)
        path = insert_line(getattr(job.files, file), 2, broken)
        before = keep(job, tmp_path / "before")
        posts = len(server.posts)
        with pytest.raises(UsageError) as caught:
            await job.run(server.base_url)
        assert caught.value.exit_code == 2
        assert f"{path}:2: " in str(caught.value)
        assert "Restore the file from a copy" in str(caught.value)
        assert len(server.posts) == posts
        for kept in before.iterdir():
            assert (job.directory / kept.name).read_bytes() == kept.read_bytes(), kept.name


async def test_a_corrupt_line_in_a_failures_file_that_is_fed_in(job: Job) -> None:
    """It is an invalid row with its line; nothing is sent."""
    async with FaultyServer("400@2,3") as server:
        await job.run(server.base_url, concurrency=1)
        path = job.files.failures
        first, second = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(first + first[:90] + b"\n" + second)
        posts = len(server.posts)
        with pytest.raises(UsageError, match="1 of 3 rows"):
            await job.run(server.base_url, inputs=[path])
        assert len(server.posts) == posts


def with_future(line: bytes) -> bytes:
    """The line with a field that a later version might write."""
    return line.rstrip(b"\n")[:-1] + b',"future":{"deep":[1]}}\n'


def with_future_type(line: bytes) -> bytes:
    """The line, and after it one of a type that a later version might write."""
    return line + b'{"type":"future","what":1}\n{"key":"name:zz","type":"future"}\n'


@pytest.mark.parametrize("change", [with_future, with_future_type])
async def test_what_a_later_version_writes_is_passed_over(job: Job, change: Callable[[bytes], bytes]) -> None:
    """Unknown fields in each file, unknown types in the journal."""
    async with FaultyServer("400@3") as server:
        await job.run(server.base_url, concurrency=1)
        for path in (job.files.journal, job.files.results):
            if path == job.files.results and change is with_future_type:
                continue
            path.write_bytes(b"".join(change(line) for line in path.read_bytes().splitlines(keepends=True)))
        ran = await job.run(server.base_url)
        assert (ran.code, ran.counts) == (0, {"created_now": 1, "created_before": 2})
        assert len(server.commits) == len(NAMES)
