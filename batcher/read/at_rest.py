"""Is an input complete? A file that changes while it is read is refused, and one that seems half written is waited for."""

from __future__ import annotations

import os
import time
from time import sleep

from ..errors import UsageError
from .sources import Source, State, state_of

_SETTLED_SECONDS = 2.0  # a file that ends in the middle of a line and is older than this is complete
_COMPRESSED = (".gz", ".zst")


def require_at_rest(source: Source, *, is_lines: bool) -> None:
    """Raise UsageError if the file is no longer what it was when the input was opened.

    With `is_lines`, a file that changed a moment ago and ends in the middle of a line gets time to change.
    """
    opened = source.state
    if source.spool is not None or opened is None:
        return
    _require(source, opened)
    age = time.time() - opened.mtime_ns / 1e9
    if is_lines and abs(age) < _SETTLED_SECONDS and _is_cut(source):
        sleep(_SETTLED_SECONDS - max(age, 0.0))
        _require(source, opened)


def _require(source: Source, opened: State) -> None:
    if state_of(source.path.stat()) != opened:
        raise UsageError(
            f"{source.name} changed while it was read; is it still being written? Run again when it is complete."
        )


def _is_cut(source: Source) -> bool:
    """Does the text end without a line end?"""
    if source.path.suffix.lower() in _COMPRESSED:
        return False  # it would be damaged
    with source.path.open("rb") as file:
        file.seek(max(0, (source.size or 0) - 2), os.SEEK_SET)
        return not file.read(2).strip(b"\0").endswith((b"\n", b"\r"))
