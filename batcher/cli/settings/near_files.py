"""What somebody may have meant who named a file that isn't there."""

from __future__ import annotations

import difflib
from pathlib import Path

_MOST_NAMES = 1000  # of a directory that are looked at


def meant_instead_of(path: Path) -> str:
    """`; did you mean dashboards.csv?` if the directory has a file of nearly that name, else an empty text."""
    try:
        names = [entry.name for entry, _ in zip(path.parent.iterdir(), range(_MOST_NAMES), strict=False)]
    except OSError:
        return ""
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.75)
    return f"; did you mean {path.with_name(near[0])}?" if near else ""
