"""Disks that are full, files that vanish, places that cannot be written: the run stops, says which file, and goes on later."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.crash.command import begin, end, run, write_rows
from tests.crash.truth import Verdict, judge
from tests.support.faulty import requests_in, server_thread
from tests.support.processes import bounded
from tests.support.runs import Job, row

ROWS = 40


def names(count: int = ROWS) -> set[str]:
    """The rows' names."""
    return {f"row {number}" for number in range(count)}


def proven(directory: Path, files: Path | None = None, *, start: int = 1) -> Verdict:
    """Every row created exactly once, and nothing in the failures file."""
    verdict = judge(Job(files or directory).files, directory / "server.sqlite", names(), set(), start=start)
    assert not verdict.problems, "\n".join(verdict.problems)
    assert (verdict.duplicates, verdict.losses, verdict.documents) == (0, 0, ROWS)
    return verdict


def sheet(directory: Path, **fields: Any) -> None:
    """The input."""
    write_rows(directory, [row(name, **fields) for name in sorted(names())])


def says(found: dict[str, Any], errors: str, file: str) -> None:
    """It was stopped, and the message names the file and what to do."""
    assert file in (found.get("stopped") or found.get("error") or ""), found
    assert file in errors
    assert "run the same command again" in " ".join(errors.split())
    if "rows" in found:
        assert found["rows"] == found["created"] + found["failed"] + found["uncertain"] + found["notAttempted"]


def test_results_that_may_not_grow(tmp_path: Path) -> None:
    """The system takes a part of a write and refuses the rest: exit 3; with room made, the same command completes."""
    sheet(tmp_path)
    with server_thread(tmp_path / "server.sqlite") as server:
        for kilobytes in (17, 25, 33):
            code, found, errors = run(tmp_path, server.base_url, limit_bytes=kilobytes * 1024 + 7)
            assert (code, found.get("toDo", 0) > 0) == (3, True), errors
            says(found, errors, "d.results.jsonl")
        code, found, errors = run(tmp_path, server.base_url)
        assert (code, found["created"]) == (0, ROWS), errors
    assert proven(tmp_path).reconciled > 0  # what was in flight when results were full is found again


def test_a_journal_that_may_not_grow(tmp_path: Path) -> None:
    """Nothing is sent without its intent: exit 3 with nothing to look up; with room made, the same command completes."""
    sheet(tmp_path)
    refused = f"400@1-{ROWS}"  # so that the journal is larger than the other files
    with server_thread(tmp_path / "server.sqlite", "--fault", refused, "--fault", "bare") as server:
        assert run(tmp_path, server.base_url, "--stop-after", "1000")[0] == 1
        for kilobytes in (2, 3, 4):
            limit = (tmp_path / "d.journal.jsonl").stat().st_size + kilobytes * 1024 + 7
            code, found, errors = run(tmp_path, server.base_url, limit_bytes=limit)
            assert (code, found.get("created", ROWS) < ROWS) == (3, True), errors
            says(found, errors, "d.journal.jsonl")
        code, found, errors = run(tmp_path, server.base_url)
        assert (code, found["created"]) == (0, ROWS), errors
    assert proven(tmp_path).reconciled == 0


def test_no_room_to_keep_the_checked_rows(tmp_path: Path) -> None:
    """Exit 2 before anything is sent, and nothing is left behind."""
    sheet(tmp_path)
    with server_thread(tmp_path / "server.sqlite") as server:
        code, found, errors = run(tmp_path, server.base_url, limit_bytes=8 * 1024 + 7)
        assert code == 2, errors
        assert "cannot keep the checked rows here (File too large)" in found["error"]
        assert "nothing was sent" in found["error"]
        assert not requests_in(server.state, 1)
        assert not list(tmp_path.glob("d.*.jsonl"))
        assert run(tmp_path, server.base_url)[0] == 0
    proven(tmp_path)


@pytest.mark.parametrize("through_link", [False, True])
def test_a_device_is_never_replaced(tmp_path: Path, through_link: bool) -> None:
    """A pipe in the place of `/dev/null`, of which `root` would make a file for everybody: exit 2, and nothing is sent."""
    sheet(tmp_path)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "link.jsonl").symlink_to(pipe)
    with server_thread(tmp_path / "server.sqlite") as server:
        code, found, errors = run(tmp_path, server.base_url, "--failures", "link.jsonl" if through_link else str(pipe))
        assert (code, "is a device or a pipe" in found["error"]) == (2, True), errors
        assert pipe.is_fifo()
        assert not server.commits


def test_a_failures_file_that_cannot_be_replaced(tmp_path: Path) -> None:
    """The end of the run says so with exit 3; the next run brings the file up to date although nothing is to be sent."""
    sheet(tmp_path)
    in_the_way = tmp_path / ".d.failures.jsonl.new"
    in_the_way.mkdir()
    with server_thread(tmp_path / "server.sqlite") as server:
        code, found, errors = run(tmp_path, server.base_url)
        assert (code, found["created"]) == (3, ROWS), errors
        assert "cannot replace d.failures.jsonl" in found["stopped"]
        in_the_way.rmdir()
        code, found, errors = run(tmp_path, server.base_url)
        assert (code, found["requests"]) == (0, 0), errors
    proven(tmp_path)


def test_an_edited_failures_file_that_cannot_be_kept(tmp_path: Path) -> None:
    """No room for the copy: exit 3 before anything is sent, and the edits are still there."""
    sheet(tmp_path)
    edited = b'{"somebody":"wrote this"}\n' * 2000
    (tmp_path / "d.failures.jsonl").write_bytes(edited)
    with server_thread(tmp_path / "server.sqlite") as server:
        code, found, errors = run(tmp_path, server.base_url, limit_bytes=20_000)
        assert code == 3, errors
        says(found, errors, "d.failures.")
        assert (tmp_path / "d.failures.jsonl").read_bytes() == edited
        code, found, errors = run(tmp_path, server.base_url)
        assert (code, found["created"]) == (0, ROWS), errors
        assert Path(tmp_path / found["files"]["keptFailures"]).read_bytes() == edited
    proven(tmp_path)


@contextmanager
def small_disk(directory: Path, kilobytes: int) -> Iterator[None]:
    """A real file system of this size, in memory."""
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(directory)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let us mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", str(directory)], check=True)


def fill(path: Path) -> None:
    """Take all the room that there is."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)


def test_a_real_full_disk(tmp_path: Path) -> None:
    """All files on a disk of 64 KB: exit 2 before the first request, then exit 3; with room made, it completes."""
    small = tmp_path / "small"
    with small_disk(small, 64), server_thread(tmp_path / "server.sqlite", "--fault", "400/10") as server:
        sheet(small)
        ballast = small / "ballast"
        ballast.write_bytes(b"x" * 52 * 1024)
        code, found, errors = run(small, server.base_url)
        assert (code, "checked rows here (No space left on device)" in found["error"]) == (2, True), errors
        ballast.write_bytes(b"x" * 24 * 1024)
        code, found, errors = run(small, server.base_url)
        assert (code, "No space left on device" in found["stopped"]) == (3, True), errors
        subprocess.run(["mount", "-o", "remount,size=1024k", str(small)], check=True)
        for _ in range(5):  # one row in ten is refused, and sent again by the next run
            code, found, errors = run(small, server.base_url)
            if code == 0:
                break
        assert (code, found["created"]) == (0, ROWS), errors
        proven(tmp_path, small)


def test_a_disk_that_is_full_at_the_start(tmp_path: Path) -> None:
    """Nothing can be written, so nothing is sent, and the way out is named."""
    small = tmp_path / "small"
    with small_disk(small, 16), server_thread(tmp_path / "server.sqlite") as server:
        write_rows(small, [row("row 0")])
        fill(small / "ballast")
        code, _, errors = run(small, server.base_url)
        assert code == 2, errors
        assert "cannot write here (No space left on device). Name another place with --results." in errors
        assert not server.commits


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    """Exit 2 before anything is read or sent, and the way out."""
    small = tmp_path / "small"
    with small_disk(small, 64), server_thread(tmp_path / "server.sqlite") as server:
        sheet(small)
        subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
        with bounded(begin(small, server.base_url)) as process:
            _, errors = process.communicate(timeout=30)
        assert process.returncode == 2
        assert "can't be written to; change its permissions, or name a file elsewhere with --results FILE" in errors
        assert not server.commits


@pytest.mark.parametrize(
    ("file", "how"),
    [
        ("d.results.jsonl", "removed"),
        ("d.results.jsonl", "moved"),
        ("d.journal.jsonl", "moved"),
    ],
)
def test_a_file_that_vanishes_while_the_run_writes_to_it(tmp_path: Path, file: str, how: str) -> None:
    """The run notices within a moment and stops with exit 3, naming the file; a moved file put back, all is well."""
    sheet(tmp_path)
    flags = ("--fault", "400/7", "--latency", "0.1")
    with server_thread(tmp_path / "server.sqlite", *flags) as server:
        with bounded(begin(tmp_path, server.base_url, "--concurrency", "2")) as process:
            path = tmp_path / file
            while (not path.exists() or path.stat().st_size < 300) and process.poll() is None:
                time.sleep(0.01)
            path.rename(tmp_path / "elsewhere")
            if how == "removed":
                (tmp_path / "elsewhere").unlink()
            code, found, errors = end(process)
        assert (code, found["toDo"] > 0) == (3, True), errors
        says(found, errors, file)
        if how == "moved":
            (tmp_path / "elsewhere").rename(path)
        elif file == "d.results.jsonl":
            code, found, errors = run(tmp_path, server.base_url)
            assert code == 2
            assert "Put that file back. Or, to start over, move" in found["error"]
            (tmp_path / "d.journal.jsonl").unlink()
            (tmp_path / "d.failures.jsonl").unlink(missing_ok=True)
        for _ in range(6):
            code, found, errors = run(tmp_path, server.base_url, "--concurrency", "16")
            if code == 0:
                break
        assert code == 0, errors
    documents = [document.name for document in server.commits]
    assert sorted(documents) == sorted(names())
    assert sorted(line["name"] for line in Job(tmp_path).results) == sorted(names())


def test_a_failures_file_that_vanishes_while_the_run_appends_to_it(tmp_path: Path) -> None:
    """The run ends with the whole file in its place, as the journal has it."""
    sheet(tmp_path)
    with server_thread(tmp_path / "server.sqlite", "--fault", "400/7", "--latency", "0.05") as server:
        with bounded(begin(tmp_path, server.base_url, "--concurrency", "2")) as process:
            path = tmp_path / "d.failures.jsonl"
            while (not path.exists() or path.stat().st_size < 300) and process.poll() is None:
                time.sleep(0.01)
            path.unlink()
            code, found, errors = end(process)
        assert (code, len(Job(tmp_path).failures)) == (1, found["failed"]), errors


def test_results_deleted_between_runs(tmp_path: Path) -> None:
    """Exit 2, nothing sent; with journal and failures out of the way each row is looked up and adopted, none made twice."""
    sheet(tmp_path)
    with server_thread(tmp_path / "server.sqlite") as server:
        assert run(tmp_path, server.base_url)[0] == 0
        (tmp_path / "d.results.jsonl").unlink()
        code, found, _ = run(tmp_path, server.base_url)
        assert (code, "Put that file back" in found["error"], "move d.journal.jsonl" in found["error"]) == (
            2,
            True,
            True,
        )
        for file in ("d.journal.jsonl", "d.failures.jsonl"):
            (tmp_path / file).rename(tmp_path / f"old {file}")
        code, found, errors = run(tmp_path, server.base_url)
        assert (code, found["adopted"]) == (0, ROWS), errors
    assert sorted(document.name for document in server.commits) == sorted(names())


def test_the_journal_deleted_between_runs(tmp_path: Path) -> None:
    """What is created the results say: nothing is sent again."""
    sheet(tmp_path)
    with server_thread(tmp_path / "server.sqlite") as server:
        assert run(tmp_path, server.base_url)[0] == 0
        (tmp_path / "d.journal.jsonl").unlink()
        code, found, errors = run(tmp_path, server.base_url)
        assert (code, found["createdBefore"], found["requests"]) == (0, ROWS, 0), errors
    proven_documents = [document.name for document in server.commits]
    assert sorted(proven_documents) == sorted(names())
