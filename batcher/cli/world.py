"""What a command brings along from this machine: the place where runs that use the same key share their pace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ..config import Sending
from ..shared_pace import SharedPace
from ..world import World


def world_of(sending: Sending, environ: Mapping[str, str], warn: Callable[[str], None]) -> World:
    """The real world. Without a rate, or with `--no-shared-pace`, the pace is shared with nobody."""
    if not sending.shared_pace or sending.rate is None:
        return World()
    return World(shared_pace=SharedPace(state_directory(environ), warn))


def state_directory(environ: Mapping[str, str]) -> Path:
    """`BATCHER_STATE_DIR`, else the platform's place for the state of this user's programs."""
    if named := environ.get("BATCHER_STATE_DIR"):
        return Path(named).expanduser()
    import platformdirs  # noqa: PLC0415 - only if nobody named a directory

    return Path(platformdirs.user_state_dir("batcher", appauthor=False))
