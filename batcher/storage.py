"""The only door to the disk for files that must survive: append, fsync, atomic replacement, locks.

`Storage` is a protocol so that the simulation can put a disk under the real journal that forgets what was not
fsynced. `Disk` is the real one. Paths are `pathlib.Path`; every OSError is turned into `DiskTrouble` by the caller.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol



class AppendFile(Protocol):
    """A file open for appending."""

    def write(self, data: bytes) -> None:
        """Append all of `data`; other processes see it on return. Raises OSError; the tail may then be torn."""

    async def sync(self) -> None:
        """Return once everything written so far survives a power cut. Raises OSError."""

    def size(self) -> int:
        """Bytes in the file now."""


class Storage(Protocol):
    """What the journal and the output files need of a disk."""

    def size(self, path: Path) -> int | None:
        """Bytes in the file, or None if there is none."""

    def read(self, path: Path) -> AbstractContextManager[BinaryIO]:
        """Open for buffered reading. Raises FileNotFoundError."""

    def append(self, path: Path) -> AbstractContextManager[AppendFile]:
        """Open for appending; made (0666 less umask) when missing, its directory entry synced."""

    def truncate(self, path: Path, size: int) -> None:
        """Cut the file to `size` bytes and fsync it."""

    def replace(self, path: Path, chunks: Iterable[bytes]) -> None:
        """Put a file of these bytes in the place of `path`: wholly or, after a crash, not at all."""

    def copy(self, path: Path, to: Path) -> None:
        """Copy a file's bytes to a new file, fsynced."""

    def lock(self, path: Path, holder: bytes) -> AbstractContextManager[None]:
        """Hold the lock of `path` while in the block. Raises BlockingIOError whose text tells the `holder` at once if somebody has it."""
