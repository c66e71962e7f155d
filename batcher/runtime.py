"""What a run takes from outside itself: disk, wire, clock and chance. The simulation brings its own."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from time import perf_counter

from .files.disk import Disk, Storage
from .pace.shared import SharedPace
from .transport.reply import Transport


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class World:
    """`now` is UTC; `timer` counts seconds; `transport` None means HTTP to the endpoint; `run_id` names this run."""

    storage: Storage = field(default_factory=Disk)
    transport: Transport | None = None
    shared_pace: SharedPace | None = None
    now: Callable[[], datetime] = _now
    timer: Callable[[], float] = perf_counter
    random: Random = field(default_factory=Random)
    run_id: str = field(default_factory=lambda: secrets.token_hex(4))
