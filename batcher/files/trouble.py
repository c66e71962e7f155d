"""What is said of files that cannot be written, or that hold what nobody can rely on: one message for each kind."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ..errors import DiskTrouble, ForeignWriter, UsageError


@contextlib.contextmanager
def on_disk(path: Path, verb: str) -> Iterator[None]:
    """Turn what the disk refuses inside the block into DiskTrouble."""
    try:
        yield
    except OSError as error:
        raise disk_trouble(path, verb, error) from error


def disk_trouble(path: Path, verb: str, error: OSError) -> DiskTrouble:
    """One message for all failed writes."""
    return DiskTrouble(
        f"cannot {verb} {path}: {error.strerror or error}. Nothing new is sent. "
        "Free up space or fix the permissions, then run the same command again: what was in flight is looked up."
    )


def foreign(path: Path) -> ForeignWriter:
    """What a run says that finds somebody else's bytes in its file."""
    return ForeignWriter(
        f"another run writes to {path}, and the lock doesn't keep it out (a network share without locks?). Nothing new "
        "is sent. Wait for the other one to end, then run the same command again, one at a time: what was in flight is looked up."
    )


def corrupt(path: Path, place: str, what: str) -> UsageError:
    """The error for a line that says nothing that can be relied on."""
    return UsageError(
        f"{path}:{place}: this line cannot be read ({what}). batcher doesn't guess what it was. "
        "Restore the file from a copy, or fix the line, then run again; nothing was sent."
    )
