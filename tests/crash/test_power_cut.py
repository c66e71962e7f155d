"""Stretches of NULs in what was never fsynced, as file systems leave them after a power cut: nothing twice, nothing lost.

The server is asked what happened. With CUT_EVERY=1 there is a run after a stretch at each single byte.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.commands.status import status
from batcher.config import Files
from batcher.errors import UsageError
from batcher.files.disk import Disk
from batcher.files.lines import read_lines, repair
from batcher.files.lost import drop_lost
from batcher.report.observers import Observer
from tests.crash.test_cut import NAMES, again, chosen, keep
from tests.support.faulty import FaultyServer
from tests.support.runs import Job, row

TEXTS = st.lists(st.text(max_size=30), max_size=8)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Three rows in a directory of their own."""
    (tmp_path / "work").mkdir()
    job = Job(tmp_path / "work")
    job.rows(*(row(name) for name in NAMES))
    return job


def take(path: Path, start: int, end: int) -> None:
    """The file system never wrote these bytes."""
    text = bytearray(path.read_bytes())
    end = min(end, len(text))
    text[start:end] = bytes(end - start)
    path.write_bytes(text)


@given(TEXTS, TEXTS, st.data())
def test_the_lines_that_a_stretch_touches_are_dropped(synced: list[str], late: list[str], data: st.DataObject) -> None:
    """Any stretches in the part that was never fsynced, cut at any byte: all other whole lines stay, in their order.

    A reader that may not repair sees the same lines.
    """
    whole = [orjson.dumps({"n": number, "t": text}) + b"\n" for number, text in enumerate([*synced, *late])]
    first = sum(map(len, whole[: len(synced)]))
    text = bytearray(b"".join(whole))
    del text[data.draw(st.integers(first, len(text))) :]
    for start, length in data.draw(st.lists(st.tuples(st.integers(first, len(text)), st.integers(0, 60)), max_size=3)):
        end = min(len(text), start + length)
        text[start:end] = bytes(end - start)
    untouched = [line for line in bytes(text).split(b"\n") if b"\0" not in line and line.endswith(b"}")]
    with tempfile.TemporaryDirectory() as directory:
        files = Files(
            results=Path(directory, "d.results.jsonl"),
            failures=Path(directory, "d.failures.jsonl"),
            journal=Path(directory, "d.journal.jsonl"),
        )
        for path in (files.results, files.journal):
            path.write_bytes(text)
        read = [line.rstrip(b"\n") for _, line in read_lines(Disk(), files.results)]
        drop_lost(Disk(), files)
        for path in (files.results, files.journal):
            repair(Disk(), path)
            assert path.read_bytes() == b"".join(line + b"\n" for line in untouched)
        assert read == untouched
    assert untouched[: len(synced)] == [line.rstrip(b"\n") for line in whole[: len(synced)]]


@pytest.mark.parametrize("length", [1, 40, 700, 4096])
async def test_results_with_a_stretch_of_nuls(job: Job, tmp_path: Path, length: int) -> None:
    """The rows whose lines it touches are found again through their intents; nothing is sent, and status reads it."""
    async with FaultyServer("bare") as server:
        await job.run(server.base_url, concurrency=1)
        before = keep(job, tmp_path / "before")
        for start in chosen(0, job.files.results.stat().st_size)[:: 1 if length == 40 else 5]:
            again(job, before)
            take(job.files.results, start, start + length)
            left = job.files.results.read_bytes().split(b"\n")
            lost = len(NAMES) - sum(b"\0" not in line and line.endswith(b"}") for line in left)
            settings = job.settings(server.base_url)
            assert status(settings, observer=Observer()).created == len(NAMES) - lost, start
            ran = await job.run(server.base_url)
            assert (ran.code, set(job.how), job.failures) == (0, set(NAMES), []), start
            assert ran.summary.reconciled == lost, start
        assert len(server.posts) == len(server.commits) == len(NAMES)


async def test_a_journal_with_a_stretch_of_nuls(job: Job, tmp_path: Path) -> None:
    """What came after the last fsynced intent: outcomes that are gone are asked for again, and none is made twice."""
    async with FaultyServer("400@3") as server:
        assert (await job.run(server.base_url, concurrency=1)).code == 1
        text = job.files.journal.read_bytes()
        start = text.index(b"\n", text.rfind(b'"type":"intent"')) + 1
        before = keep(job, tmp_path / "before")
        chance = Random(start)
        for at in chosen(start, len(text)):
            again(job, before)
            take(job.files.journal, at, at + chance.choice((1, 30, 200, 4096)))
            ran = await job.run(server.base_url)
            assert (ran.code, set(job.how), job.failures) == (0, set(NAMES), []), at
            assert b"\0" not in job.files.journal.read_bytes()
        assert sorted(document.name for document in server.commits) == sorted(NAMES)


async def test_a_row_without_an_identifier_is_uncertain(job: Job) -> None:
    """Its results line is gone, and so is what the server called it: a person is asked, and nothing is sent."""
    async with FaultyServer("bare") as server:
        await job.run(server.base_url, concurrency=1, fill_identifiers=False)
        take(job.files.results, job.files.results.read_bytes().index(b"\n") - 9, 1 << 20)
        ran = await job.run(server.base_url, fill_identifiers=False)
        assert (ran.code, ran.counts) == (5, {"uncertain": 3}), ran.summary
        assert len(server.commits) == len(NAMES)


async def test_nuls_before_a_run_began_are_refused(job: Job, tmp_path: Path) -> None:
    """All of that was fsynced, so no power cut did it: file and line, nothing sent, nothing written."""
    async with FaultyServer("400@3") as server:
        await job.run(server.base_url, concurrency=1)
        await job.run(server.base_url, concurrency=1)
        text = job.files.journal.read_bytes()
        take(job.files.journal, text.index(b'"type":"intent"'), text.index(b'"type":"intent"') + 3)
        before = keep(job, tmp_path / "before")
        posts = len(server.posts)
        job.rows(*(row(name) for name in (*NAMES, "delta")))
        with pytest.raises(UsageError, match=r"d\.journal\.jsonl:3: .*Restore the file from a copy"):
            await job.run(server.base_url)
        assert len(server.posts) == posts
        for kept in before.iterdir():
            if kept.name != "d.jsonl":
                assert (job.directory / kept.name).read_bytes() == kept.read_bytes(), kept.name
