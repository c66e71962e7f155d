"""The disk: append, fsync, atomic replacement, copies, and locks that two processes respect."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from batcher.files.disk import Disk

HOLD = """
import sys, time
from pathlib import Path
from batcher.files.disk import Disk
with Disk().lock(Path(sys.argv[1]), b"process 4711"):
    print("held", flush=True)
    time.sleep(60)
"""


async def test_what_is_appended_is_there_at_once(tmp_path: Path) -> None:
    """Other readers see a line on return of write; size counts it; sync and truncate work."""
    path = tmp_path / "f"
    with Disk().append(path) as file:
        file.write(b"one\n")
        assert path.read_bytes() == b"one\n"
        file.write(b"two\n")
        assert file.size() == 8
        await file.sync()
        file.truncate(4)
        file.write(b"3\n")
        assert file.size() == 6
    assert path.read_bytes() == b"one\n3\n"


def test_size_and_truncate(tmp_path: Path) -> None:
    """A missing file has no size; a cut is a cut."""
    path = tmp_path / "f"
    assert Disk().size(path) is None
    path.write_bytes(b"abcdef")
    Disk().truncate(path, 2)
    assert (Disk().size(path), path.read_bytes()) == (2, b"ab")


async def test_a_file_that_was_removed_is_found_out(tmp_path: Path) -> None:
    """Writes to a file that somebody removed or replaced would be lost: the next sync says so."""
    path = tmp_path / "f"
    with Disk().append(path) as file:
        path.unlink()
        with pytest.raises(FileNotFoundError):
            await file.sync()
        path.write_bytes(b"another")
        with pytest.raises(FileNotFoundError):
            await file.sync()


def test_replace_is_all_or_nothing(tmp_path: Path) -> None:
    """An error while the new content is made leaves the old file and no litter."""
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def broken() -> Iterator[bytes]:
        yield b"new"
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        Disk().replace(path, broken())
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["f"]
    Disk().replace(path, [b"new", b"er"])
    assert path.read_bytes() == b"newer"
    assert [one.name for one in tmp_path.iterdir()] == ["f"]


def test_replace_keeps_the_permissions(tmp_path: Path) -> None:
    """A file that only its owner may read stays so."""
    path = tmp_path / "f"
    path.write_bytes(b"old")
    path.chmod(0o600)
    Disk().replace(path, [b"new"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_copy_never_overwrites(tmp_path: Path) -> None:
    """A copy goes to a new file only."""
    path = tmp_path / "f"
    path.write_bytes(b"content")
    Disk().copy(path, tmp_path / "g")
    assert (tmp_path / "g").read_bytes() == b"content"
    with pytest.raises(FileExistsError):
        Disk().copy(path, tmp_path / "g")


def test_a_lock_says_who_holds_it(tmp_path: Path) -> None:
    """A second holder is told the first one's name; afterwards the lock is free and its file is gone."""
    path = tmp_path / "j"
    with (
        Disk().lock(path, b"process 1, run a"),
        pytest.raises(BlockingIOError, match="process 1, run a"),
        Disk().lock(path, b"process 2"),
    ):
        raise AssertionError("both hold it")
    assert [one.name for one in tmp_path.iterdir()] == []
    with Disk().lock(path, b"process 3"):
        assert [one.name for one in tmp_path.iterdir()] == [".j.lock"]


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    """The lock ends with the process, whatever file it leaves behind."""
    path = tmp_path / "j"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError, match="process 4711"), Disk().lock(path, b"me"):
            raise AssertionError("both hold it")
        process.kill()
        process.wait()
    assert (tmp_path / ".j.lock").exists()
    with Disk().lock(path, b"me"):
        pass


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.EIO])
def test_a_directory_that_cannot_be_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Some file systems have no fsync of directories, and say so: it's passed over. A real failure is none of that."""
    fsync = os.fsync

    def refusing(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refusing)
    with contextlib.ExitStack() as stack:
        if code == errno.EIO:
            stack.enter_context(pytest.raises(OSError, match="Input/output error"))
        with Disk().append(tmp_path / "f") as file:
            file.write(b"1\n")
        Disk().replace(tmp_path / "f", [b"2\n"])
    assert (tmp_path / "f").read_bytes() == (b"" if code == errno.EIO else b"2\n")
