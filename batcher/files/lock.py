"""The lock of a run's files: a second run or undo on them says who holds them, and ends at once (contract 6)."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from ..config import Files
from ..errors import Locked, UsageError
from .disk import Storage
from .lost import drop_lost

TOO_LONG = (
    "this name is too long; give the input a shorter one, or name shorter files with --results. Nothing was sent."
)


@contextlib.contextmanager
def lock(
    files: Files, storage: Storage, holder: str, remedy: str = "Name another place with --results."
) -> Iterator[None]:
    """Hold the run's files; `holder` is what a second run is told, `remedy` what to do if there's no place for them.

    Raises Locked, saying who holds them, or UsageError if there is no place for them.
    """
    check_plain(files)
    path = files.journal
    taking = storage.lock(path, holder.encode())
    try:
        taking.__enter__()
    except BlockingIOError as error:
        raise Locked(f"{path.name} is in use by {error}. Wait for it to end, or stop it; nothing was sent.") from None
    except OSError as error:
        raise UsageError(_refused(files, error, remedy)) from error
    with contextlib.ExitStack() as stack:
        stack.push(taking.__exit__)
        drop_lost(storage, files)
        yield


def check_plain(files: Files) -> None:
    """Raise UsageError for a directory, a device or a pipe: a run reads its files again, and replaces its failures."""
    for path in (files.results, files.failures, files.journal):
        try:
            mode = path.stat().st_mode
        except OSError:
            continue  # whoever opens it will say what is wrong
        if not stat.S_ISREG(mode):
            what = "a directory" if stat.S_ISDIR(mode) else "a device or a pipe"
            raise UsageError(f"{path} is {what}, and a run must read it again; name a file. Nothing was sent.")


def has_past(files: Files) -> bool:
    """Whether any of the files is there: then a run elsewhere would forget what these say."""
    return any(os.path.lexists(path) for path in (files.found, files.results, files.failures, files.journal))


def _refused(files: Files, error: OSError, remedy: str) -> str:
    """Why the lock cannot be taken, and what to do: never to begin elsewhere where there is a past."""
    named = str(error.filename or files.journal.parent)
    if error.errno == errno.ENAMETOOLONG:
        return f"{named}: {TOO_LONG}"
    if named.endswith(".lock") and os.path.lexists(named):
        return (
            f"{named}: left by another user's run, and it can't be replaced ({error.strerror}). If no run is using these "
            "files, remove it and run again; nothing was sent."
        )
    if named == str(files.journal):
        return f"{named}: can't be written ({error.strerror}). Change its permissions and run again; nothing was sent."
    if has_past(files):
        remedy = "Free up space or change its permissions, and run again; nothing was sent."
    return f"{files.journal.parent}: cannot write here ({error.strerror}). {remedy}"
