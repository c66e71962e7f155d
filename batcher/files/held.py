"""Locks on a real disk: a file beside what is locked says who holds it, and what is locked is locked itself, too.

The file beside is there before the other, and without it. What is locked may have several names (hard links), or be
moved while it is held: then only the lock on the file itself meets a second run.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

# Of the file itself one byte is locked, far beyond its end: where locks keep others from reading what is locked (CIFS),
# nobody is kept from anything but this lock.
_BYTE = 1 << 62
_LOOKS_SECONDS = (0.01, 0.05)  # how long a look may take that is met on the way to a lock


@contextlib.contextmanager
def hold(path: Path, holder: bytes) -> Iterator[None]:
    """Hold the lock of `path` inside the block; the system drops it when the process dies.

    Raises BlockingIOError with the holder's text if it is taken, and PermissionError for a file that another user left
    beside and that cannot be replaced.
    """
    beside = path.with_name(f".{path.name}.lock")
    with contextlib.ExitStack() as stack:
        while True:
            descriptor, is_ours = _open(beside)
            stack.callback(os.close, descriptor)
            try:
                _lock_beside(descriptor)
            except BlockingIOError:
                raise BlockingIOError(os.pread(descriptor, 4096, 0).decode(errors="replace")) from None
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), beside.stat()):
                    if is_ours:
                        break
                    beside.unlink()  # nobody holds it, so another one may take its place
            # else its holder removed the file between our open and our lock: try the new one
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, holder, 0)
            _lock_itself(path, stack)
            yield
        finally:
            # removed while still held; a killed run leaves it behind, which is harmless: the lock is on the
            # open file, not on its being there
            beside.unlink(missing_ok=True)


def _lock_beside(descriptor: int) -> None:
    """Raises BlockingIOError if another process holds it; one that only looks (`held_by`) is soon done."""
    import fcntl  # noqa: PLC0415 - as above

    for wait_seconds in _LOOKS_SECONDS:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(wait_seconds)
        else:
            return
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def held_by(path: Path) -> str | None:
    """Who holds the lock of `path`, in the holder's words; None if nobody does, or nobody can tell."""
    try:
        import fcntl  # noqa: PLC0415 - as above

        with path.with_name(f".{path.name}.lock").open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read(4096).decode(errors="replace")
    except (ImportError, OSError):
        pass
    return None  # a killed run's, or none at all


def _open(beside: Path) -> tuple[int, bool]:
    """The open file, made if it is missing, and whether it can be written: one of another user perhaps only read."""
    try:
        return os.open(beside, os.O_RDWR | os.O_CREAT, 0o666), True
    except PermissionError:
        if not os.path.lexists(beside):  # it is the directory that cannot be written
            raise
    return os.open(beside, os.O_RDONLY), False


def _lock_itself(path: Path, stack: contextlib.ExitStack) -> None:
    """Lock the file, if it is there, until the stack is closed. Raises BlockingIOError if it is taken."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return
    stack.callback(os.close, descriptor)
    try:
        _lock_byte(descriptor)
    except (BlockingIOError, PermissionError):  # the system may say either
        raise BlockingIOError("a run that reaches it under another name") from None
    except OSError:
        pass  # a file system without such locks; the file beside is locked


def _lock_byte(descriptor: int) -> None:
    import fcntl  # noqa: PLC0415 - as above

    if sys.platform == "linux":
        import struct  # noqa: PLC0415 - only here

        # A lock of this descriptor, not of the process: that would be lost with any other descriptor of the file.
        lock = struct.pack("hhqqi0q", fcntl.F_WRLCK, os.SEEK_SET, _BYTE, 1, 0)
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, lock)
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
