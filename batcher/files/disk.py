"""The only door to the disk for files that must survive: append, fsync, atomic replacement, locks.

`Storage` is a protocol so that the simulation can put a disk under the real journal that forgets what was not
fsynced. `Disk` is the real one. Methods raise OSError; whoever calls them turns that into `DiskTrouble`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, BinaryIO, Protocol

import anyio.to_thread

from .held import hold

READ_BUFFER_BYTES = 1 << 20
LINE_BUFFER_BYTES = 1 << 13  # about a line
SPOOL_BUFFER_BYTES = 1 << 17
# fdatasync leaves out the modification time, which nobody needs; macOS has only fsync
_sync_to_disk = getattr(os, "fdatasync", os.fsync)
# what CIFS, WSL, some FUSE and 9p mounts say to the fsync of a directory: that there is no such thing, not that it failed
_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF, errno.EACCES, errno.EPERM)


class AppendFile(Protocol):
    """A file open for appending."""

    def write(self, data: bytes) -> None:
        """Append all of `data`; other processes see it on return. Raises OSError; the tail may then be torn."""

    async def sync(self) -> None:
        """Return once everything written before the call survives a power cut. Raises OSError."""

    def size(self) -> int:
        """Bytes in the file now, whoever wrote them. Raises OSError."""

    def truncate(self, size: int) -> None:
        """Cut a torn tail off after a failed write, so that later lines stay whole. Raises OSError."""


class Storage(Protocol):
    """What the journal and the output files need of a disk."""

    def size(self, path: Path) -> int | None:
        """Bytes in the file, or None if there is none."""

    def read(self, path: Path, buffer_bytes: int = READ_BUFFER_BYTES) -> AbstractContextManager[BinaryIO]:
        """Open for buffered reading; with a small buffer for lines here and there. Raises FileNotFoundError."""

    def append(self, path: Path) -> AbstractContextManager[AppendFile]:
        """Open for appending; made when missing, with its directory entry fsynced."""

    def truncate(self, path: Path, size: int) -> None:
        """Cut the file to `size` bytes and fsync it."""

    def replace(self, path: Path, chunks: Iterable[bytes]) -> None:
        """Put a file of these bytes in the place of `path`: wholly or, after a crash, not at all."""

    def copy(self, path: Path, to: Path) -> None:
        """Copy a file's bytes to a new file, fsynced."""

    def spool(self, beside: Path) -> AbstractContextManager[IO[bytes]]:
        """An empty file without a name, in the same directory, to write and read back; gone with the block."""

    def lock(self, path: Path, holder: bytes) -> AbstractContextManager[None]:
        """Hold the lock of `path` inside the block; `holder` says who. Raises BlockingIOError with that text if taken."""


class DiskFile:
    """`AppendFile` on a file descriptor: unbuffered, so that a line is in the kernel's hands when `write` returns."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor = descriptor
        self._path = path

    def write(self, data: bytes) -> None:
        """Append all of `data`, however many system calls that takes."""
        written = os.write(self._descriptor, data)
        while written < len(data):  # a full disk takes a part first and refuses the rest
            data = data[written:]
            written = os.write(self._descriptor, data)

    async def sync(self) -> None:
        """Fsync in a thread: the slowest one measured took 300 ms, which would stall every request."""
        await anyio.to_thread.run_sync(self._sync)

    def _sync(self) -> None:
        _sync_to_disk(self._descriptor)
        # a file that somebody removed or moved takes all writes, and nobody will ever read them there
        if not os.path.samestat(os.fstat(self._descriptor), self._path.stat()):
            raise FileNotFoundError(errno.ENOENT, "another file has taken its place", str(self._path))

    def size(self) -> int:
        """Bytes in the file now, whoever wrote them."""
        return os.fstat(self._descriptor).st_size

    def truncate(self, size: int) -> None:
        """Cut the file; works on a full disk."""
        os.ftruncate(self._descriptor, size)


class Disk:
    """The real disk."""

    def size(self, path: Path) -> int | None:
        """Bytes in the file, or None if there is none."""
        try:
            return path.stat().st_size
        except FileNotFoundError:
            return None

    @contextlib.contextmanager
    def read(self, path: Path, buffer_bytes: int = READ_BUFFER_BYTES) -> Iterator[BinaryIO]:
        """Open for buffered reading."""
        with path.open("rb", buffering=buffer_bytes) as stream:
            yield stream

    @contextlib.contextmanager
    def append(self, path: Path) -> Iterator[DiskFile]:
        """Open for appending."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            if not os.fstat(descriptor).st_size:  # new, or left by a run that died before it came to this
                _sync_directory(path.parent)
            yield DiskFile(descriptor, path)
        finally:
            os.close(descriptor)

    def truncate(self, path: Path, size: int) -> None:
        """Cut the file and fsync it."""
        with path.open("r+b") as stream:
            stream.truncate(size)
            os.fsync(stream.fileno())

    def replace(self, path: Path, chunks: Iterable[bytes]) -> None:
        """Write beside, fsync, rename over, fsync the directory; the old file's permissions are kept.

        Whoever replaces a file holds its lock, so one name will do, and what a killed run left there is written over.
        """
        beside = path.with_name(f".{path.name}.new")
        try:
            with beside.open("wb") as stream:
                stream.writelines(chunks)
                stream.flush()
                with contextlib.suppress(FileNotFoundError):
                    shutil.copymode(path, beside)
                os.fsync(stream.fileno())
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        _sync_directory(path.parent)

    def copy(self, path: Path, to: Path) -> None:
        """Copy to a new file, fsynced."""
        with path.open("rb") as source, to.open("xb") as target:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
        _sync_directory(to.parent)

    @contextlib.contextmanager
    def spool(self, beside: Path) -> Iterator[IO[bytes]]:
        """Only its owner may read it, though it has no name."""
        stream = tempfile.TemporaryFile(dir=beside.parent, buffering=SPOOL_BUFFER_BYTES)  # noqa: SIM115 - closed below
        try:
            yield stream
        finally:
            with contextlib.suppress(OSError):  # what a full disk did not take
                stream.close()

    def lock(self, path: Path, holder: bytes) -> AbstractContextManager[None]:
        """Held by this process, on the file and beside it."""
        return hold(path, holder)


def where_it_lies(path: Path) -> Path:
    """A link's file: two links to one file are one file to lock, and it is that file that is replaced, not the link."""
    return path.resolve() if path.is_symlink() else path


def _sync_directory(path: Path) -> None:
    """A new name survives a power cut from here on, if the file system can do that at all."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:
        return  # a directory that may be written to, but not listed
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise
    finally:
        os.close(descriptor)
