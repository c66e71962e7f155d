"""The lock of a run's files: a second run or undo on them says who holds them, and ends at once (contract 6)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..config import Files
from ..errors import Locked, UsageError
from .disk import Storage


@contextlib.contextmanager
def lock(
    files: Files, storage: Storage, holder: str, remedy: str = "Name another place with --results."
) -> Iterator[None]:
    """Hold the run's files; `holder` is what a second run is told, `remedy` what to do if there's no place for them.

    Raises Locked, saying who holds them, or UsageError if there is no place for them.
    """
    path = files.journal
    taking = storage.lock(path, holder.encode())
    try:
        taking.__enter__()
    except BlockingIOError as error:
        raise Locked(f"{path.name} is in use by {error}. Wait for it to end, or stop it; nothing was sent.") from None
    except OSError as error:
        raise UsageError(f"{path.parent}: cannot write here ({error.strerror}). {remedy}") from error
    with contextlib.ExitStack() as stack:
        stack.push(taking.__exit__)
        yield
