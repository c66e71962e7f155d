"""What a command brings along from this machine: the place where runs that use the same key share their pace."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..config import Sending
from ..pace.shared import SharedPace
from ..runtime import World
from ..state_directory import state_directory


def world_of(sending: Sending, environ: Mapping[str, str], warn: Callable[[str], None]) -> World:
    """The real world. Without a rate, or with `--no-shared-pace`, the pace is shared with nobody."""
    if not sending.shared_pace or sending.rate is None:
        return World()
    return World(shared_pace=SharedPace(state_directory(environ), warn))
