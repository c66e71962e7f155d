"""What a run takes from outside itself: disk, inputs, transport, clock, chance and judgment. The simulation brings its own."""

from __future__ import annotations

import os
import platform
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING

from .config import Sending
from .errors import UsageError
from .files.disk import Disk, Storage
from .pace.store import PaceStore
from .read.sources import Source, open_inputs
from .transport.reply import Transport

if TYPE_CHECKING:
    from .send.settle_rules import Case, Decision


def _now() -> datetime:
    return datetime.now(UTC)


def _directory() -> str:
    try:
        return os.fsencode(Path.cwd()).decode("utf-8", "replace")
    except OSError:  # it is deleted
        return ""


def _open_inputs(inputs: Sequence[str], copies: Path | None) -> AbstractContextManager[tuple[Source, ...]]:
    return open_inputs(inputs, sys.stdin.buffer, copies)


@dataclass(frozen=True, slots=True)
class Runtime:
    """`now` is UTC; `timer` counts seconds; `transport` None means HTTP to the endpoint; `run_id` names this run.

    `state`: the directory in which this user's runs meet. `directory` is what relative names start from, empty if unknown.
    `open_inputs` takes names and the directory for copies of pipes (None: the one for temporary files).
    `decide` says what a look means for a row in doubt; None: `settle_rules.decide`.
    """

    storage: Storage = field(default_factory=Disk)
    open_inputs: Callable[[Sequence[str], Path | None], AbstractContextManager[tuple[Source, ...]]] = _open_inputs
    transport: Transport | None = None
    shared_pace: PaceStore | None = None
    state: Path | None = None
    now: Callable[[], datetime] = _now
    timer: Callable[[], float] = perf_counter
    random: Random = field(default_factory=Random)
    decide: Callable[[Case], Decision] | None = None
    run_id: str = field(default_factory=lambda: secrets.token_hex(4))
    directory: str = field(default_factory=_directory)

    @property
    def holder(self) -> str:
        """What a second run on the same files is told about this one."""
        return f"process {os.getpid()} on {platform.node()}, run {self.run_id}, since {self.now():%Y-%m-%d %H:%M} UTC"


def state_directory(environ: Mapping[str, str]) -> Path | None:
    """`BATCHER_STATE_DIR`, else the platform's place for the state of this user's programs.

    None where there is no home directory: containers run under a user id that no account has.
    """
    try:
        if named := environ.get("BATCHER_STATE_DIR"):
            return Path(named).expanduser()
        import platformdirs  # noqa: PLC0415 - only if nobody named a directory

        return Path(platformdirs.user_state_dir("batcher", appauthor=False)).expanduser()
    except RuntimeError:  # what pathlib raises for a `~` that is nowhere
        return None


def shared_pace_of(sending: Sending, environ: Mapping[str, str], warn: Callable[[str], None]) -> PaceStore | None:
    """Where the runs that use the same key meet. None without a rate, or with `--no-shared-pace`. Raises UsageError."""
    if not sending.shared_pace or sending.rate is None:
        return None
    if sending.pace_store is not None:
        return _store_at(sending.pace_store, sending.give_up_after_seconds)
    from .pace.local_store import LocalPaceStore  # noqa: PLC0415 - only a run that sends at a rate needs SQLite

    directory = state_directory(environ)
    if directory is None:
        warn(
            "there is no home directory, so this run keeps to its rate, but doesn't see other runs with the same key; "
            "set BATCHER_STATE_DIR to a writable directory"
        )
        return None
    return LocalPaceStore(directory, warn)


def _store_at(url: str, give_up_after_seconds: float) -> PaceStore:
    try:
        from .pace.redis_store import RedisPaceStore  # noqa: PLC0415 - an extra
    except ImportError:
        raise UsageError("--pace-store needs an extra: pip install 'omni-batcher[redis]'") from None
    try:
        return RedisPaceStore(url, give_up_after_seconds)
    except ValueError as error:
        raise UsageError(f"--pace-store isn't a store's address; {error}") from None


def runtime_of(sending: Sending, environ: Mapping[str, str], warn: Callable[[str], None]) -> Runtime:
    """The real world."""
    return Runtime(shared_pace=shared_pace_of(sending, environ, warn), state=state_directory(environ))
