"""Locks meet every second run: under another name of the same file, after a move, and over another user's leavings."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from batcher.config import Files
from batcher.errors import Locked, UsageError
from batcher.files.disk import Disk
from batcher.files.lock import lock

NOBODY = 65534


def files_in(directory: Path, stem: str = "d") -> Files:
    """The three files."""
    return Files(
        results=directory / f"{stem}.results.jsonl",
        failures=directory / f"{stem}.failures.jsonl",
        journal=directory / f"{stem}.journal.jsonl",
    )


@contextmanager
def as_nobody() -> Iterator[Path]:
    """A directory that all may write to, as another user than the one who made it."""
    if os.geteuid():
        pytest.skip("only root can be somebody else")
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # pytest's own directories are closed to others
        Path(name).chmod(0o777)
        yield Path(name)


@contextmanager
def other_user() -> Iterator[None]:
    """Be somebody else in the block."""
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("how", ["hard link", "moved"])
def test_the_file_itself_is_locked(tmp_path: Path, how: str) -> None:
    """Another name in another directory is the same journal, and so is the same journal under another name."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    mine, other = files_in(tmp_path / "a"), files_in(tmp_path / "b")
    mine.journal.write_bytes(b"")
    with ExitStack() as stack:
        stack.enter_context(lock(mine, Disk(), "first"))
        if how == "moved":
            mine.journal.rename(other.journal)
        else:
            os.link(mine.journal, other.journal)
        with pytest.raises(Locked, match="in use by a run that reaches it under another name"):
            stack.enter_context(lock(other, Disk(), "second"))
        assert not list(other.journal.parent.glob(".*"))
    with lock(other, Disk(), "second"):
        pass


def test_a_locked_journal_is_read_and_appended_to(tmp_path: Path) -> None:
    """The lock on the file keeps nobody from reading it, and outlives every other descriptor of it in this process."""
    journal = tmp_path / "d.journal.jsonl"
    os.link(_filled(journal), tmp_path / "e.journal.jsonl")
    with lock(files_in(tmp_path), Disk(), "first"):
        with Disk().append(journal) as file:
            file.write(b"{}\n")
        with Disk().read(journal) as stream:
            assert stream.read() == b"{}\n{}\n"
        with pytest.raises(Locked), lock(files_in(tmp_path, "e"), Disk(), "second"):
            raise AssertionError("both hold it")


def _filled(path: Path) -> Path:
    path.write_bytes(b"{}\n")
    return path


def test_a_lock_file_that_another_user_left_is_replaced() -> None:
    """Nobody holds it, and the directory can be written to: there is nothing to tell."""
    with as_nobody() as directory:
        beside = directory / ".d.journal.jsonl.lock"
        beside.touch(0o644)
        with other_user(), lock(files_in(directory), Disk(), "second"):
            assert beside.read_text() == "second"
            assert beside.stat().st_uid == NOBODY
        assert list(directory.iterdir()) == []


def test_a_lock_that_another_user_holds_says_so() -> None:
    """It's held, whoever may write to its file."""
    with as_nobody() as directory, ExitStack() as stack:
        stack.enter_context(lock(files_in(directory), Disk(), "first"))
        (directory / ".d.journal.jsonl.lock").chmod(0o644)
        with other_user(), pytest.raises(Locked, match="in use by first"):
            stack.enter_context(lock(files_in(directory), Disk(), "second"))


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_lock_file_that_stays_is_named(mode: int) -> None:
    """One that cannot be opened, or not removed (a sticky directory): its name and what to do; never begin elsewhere."""
    with as_nobody() as directory, ExitStack() as stack:
        beside = directory / ".d.journal.jsonl.lock"
        beside.touch(mode)
        beside.chmod(mode)
        directory.chmod(0o1777)
        with other_user(), pytest.raises(UsageError) as caught:
            stack.enter_context(lock(files_in(directory), Disk(), "second"))
        assert f"{beside}: left by another user's run" in str(caught.value)
        assert "remove it and run again; nothing was sent" in str(caught.value)
        assert "--results" not in str(caught.value)
        assert beside.exists()


def test_a_past_is_never_left_behind() -> None:
    """A directory or a journal that cannot be written to: begin elsewhere only where nothing is."""
    with as_nobody() as directory, ExitStack() as stack:
        directory.chmod(0o755)
        with other_user(), pytest.raises(UsageError, match="Name another place with --results"):
            stack.enter_context(lock(files_in(directory), Disk(), "second"))
        journal = _filled(files_in(directory).journal)
        for mode in (0o755, 0o777):
            directory.chmod(mode)
            with other_user(), pytest.raises(UsageError) as caught:
                stack.enter_context(lock(files_in(directory), Disk(), "second"))
            assert "--results" not in str(caught.value)
            assert str(journal if mode == 0o777 else directory) in str(caught.value)
        with other_user(), pytest.raises(UsageError, match=r"d\.journal\.jsonl: can't be written"):
            stack.enter_context(lock(files_in(directory), Disk(), "second"))
        assert [one.name for one in directory.iterdir()] == [journal.name]


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes with names")
@pytest.mark.parametrize("file", ["results", "failures", "journal"])
@pytest.mark.parametrize("through_link", [False, True])
def test_what_is_no_plain_file_is_refused(tmp_path: Path, file: str, through_link: bool) -> None:
    """A pipe or a device takes what is written and has none of it later; `root` would replace a device for everybody."""
    path: Path = getattr(files_in(tmp_path), file)
    pipe = tmp_path / "pipe" if through_link else path
    os.mkfifo(pipe)
    if through_link:
        path.symlink_to(pipe)
    with pytest.raises(UsageError, match="is a device or a pipe"), lock(files_in(tmp_path), Disk(), "first"):
        raise AssertionError("it was taken")
    assert pipe.is_fifo()
    assert len(list(tmp_path.iterdir())) == 1 + through_link
