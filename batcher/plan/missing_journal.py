"""Uncertain rows whose journal is missing: nobody knows what may not be sent again, so nothing is (contract 7)."""

from __future__ import annotations

import re
from pathlib import Path

from ..config import Files
from ..files.disk import Storage
from ..files.past import Past

_UNCERTAIN = re.compile(rb'"outcome"\s*:\s*"uncertain"|[,;\t]uncertain[,;\t]')


def is_unknown(past: Past, key: str) -> bool:
    """Whether the journal knows of no attempt of this row, so that its failures line can't be right."""
    history = past.history_of(key)
    return not (history.unclear or history.failure is not None or history.undone)


def is_uncertain_beside(storage: Storage, path: Path) -> bool:
    """Whether a failures file has uncertain lines, whatever program has saved it since."""
    if not storage.size(path):
        return False
    with storage.read(path) as stream:
        return any(_UNCERTAIN.search(line.replace(b"\0", b"")) for line in stream)


def put_it_back(files: Files, place: str) -> str:
    """Why nothing is sent, and what to do. `place` is where the first uncertain line was met."""
    return (
        f"{place}: uncertain, but {files.journal} knows nothing of it. Put that journal and its results back, then run "
        "again; nothing was sent. If they are lost: look for the documents of the uncertain rows in Omni, keep only the "
        "rows that have none, in an input of their own, and move the failures file away."
    )
