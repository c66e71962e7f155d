"""Where batcher keeps what outlives a run and belongs to no input: the pace of each key, for command line and library."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def state_directory(environ: Mapping[str, str]) -> Path:
    """`BATCHER_STATE_DIR`, else the platform's place for the state of this user's programs."""
    if named := environ.get("BATCHER_STATE_DIR"):
        return Path(named).expanduser()
    import platformdirs  # noqa: PLC0415 - only if nobody named a directory

    return Path(platformdirs.user_state_dir("batcher", appauthor=False))
