"""The pace that all runs of one user on one machine share: one SQLite file for each key, remembered across restarts.

A file in trouble never stops a run. A damaged one is replaced; where none can be had, the run keeps to its own rate.
"""

from __future__ import annotations

import math
import os
import secrets
import sqlite3
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar

from ..api_keys import ApiKey
from .rate import Rate
from .start_log import Granted, StartLog
from .store import Permit

T = TypeVar("T")
B = TypeVar("B")
A = TypeVar("A")

_LOOK_SECONDS = 0.25  # a run that waits looks again, and so shows that it is alive, this often
_CONTENDED_SECONDS = 0.002
_GIVE_UP_LOCK_SECONDS = 5.0
_CHECK_PATH_SECONDS = 1.0
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGE = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_MISMATCH}


def boot_clock() -> float:
    """Seconds since boot, those of sleep included: all runs share this clock, and nobody can set it.

    The wall clock may be stepped in the middle of a window, and other monotonic clocks stand still while a laptop
    sleeps. A boot begins it anew, and that is safe: what started before the boot looks younger than it is, or as if it
    lay in the future, and then it counts from the boot on (see `start_log`). At worst a run waits a little longer.
    """
    return time.clock_gettime(_BOOT_CLOCK)


# macOS has no CLOCK_BOOTTIME; its CLOCK_MONOTONIC goes on during sleep.
_BOOT_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class LocalPaceStore:
    """One file per key in `directory`. `warn` hears of trouble, which is never fatal; `clock` is the same for all runs."""

    def __init__(
        self, directory: Path, warn: Callable[[str], None], *, clock: Callable[[], float] = boot_clock
    ) -> None:
        self._directory = directory
        self._warn = warn
        self._clock = clock

    def share(self, key: ApiKey, rate: Rate) -> LocalShare:
        """Join the runs that use this key. The file's name is a hash of the key; nothing else of the key is kept."""
        name = blake2b(key.secret.encode(), digest_size=16, person=b"batcher pace").hexdigest()
        return LocalShare(self._directory / f"{name}.sqlite", rate.divided(), self._warn, self._clock)


class LocalPermit:
    """A start that the log knows about, unless there is no log."""

    __slots__ = ("_granted", "_share")

    def __init__(self, share: LocalShare, granted: Granted) -> None:
        self._share = share
        self._granted = granted

    def start(self) -> bool:
        """The request starts now. False if it is too late, or if the file is busy."""
        return self._share.attempt(lambda log: log.start(self._granted), busy=False, alone=True)

    def give_back(self) -> None:
        """No request will start. Unless the file can be told, the others count it as started."""
        self._share.attempt(lambda log: log.give_back(self._granted), busy=None, alone=None)


class LocalShare:
    """This run among those that use the key."""

    def __init__(self, path: Path, rate: Rate, warn: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._path = path
        self._rate = rate
        self._warn = warn
        self._clock = clock
        self._run = secrets.randbits(62)
        self._longest_wait = min(_LOOK_SECONDS, rate.guarded_seconds / 4)
        self._log: StartLog | None = None
        self._inode = 0
        self._checked = -math.inf
        self._busy_since: float | None = None
        self.is_alone = self._was_damaged = False
        self.note = ""

    async def take(self) -> Permit | float:
        """A permit, or the seconds after which to ask again. It never waits itself."""
        answer = self.attempt(self._ask, busy=None, alone=Granted(0, 0.0, math.inf))
        if isinstance(answer, Granted):
            return LocalPermit(self, answer)
        if answer is None:  # each try may hold up the event loop: the longer the file is busy, the rarer they get
            answer = _CONTENDED_SECONDS + self._clock() - (self._busy_since or 0.0)
        return min(answer, self._longest_wait)

    def _ask(self, log: StartLog) -> Granted | float:
        return log.take(self._run, self._rate.limit, self._rate.guarded_seconds)

    async def pause(self, seconds: float) -> None:
        """Each run of this machine meets the server's 429s itself."""

    async def aclose(self) -> None:
        """See `close`, which needs no waiting."""
        self.close()

    def close(self) -> None:
        """Close the file for good. What was started stays known."""
        self.is_alone = True
        self._disconnect()

    def _disconnect(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None

    def attempt(self, action: Callable[[StartLog], T], *, busy: B, alone: A) -> T | B | A:
        """Do this to the log. `busy` is the answer while another run holds its lock, `alone` if there is no log."""
        if self.is_alone:
            return alone
        try:
            answer = action(self._opened())
        except (sqlite3.Error, ArithmeticError, TypeError) as error:  # the latter: values that make no sense
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            if code in _BUSY and not self._is_stuck():
                return busy
            if self._log is not None and self._inode != self._inode_at_path():  # somebody deleted it, just now
                self._disconnect()
                return self.attempt(action, busy=busy, alone=alone)
            if code in _DAMAGE and not self._was_damaged:
                self._replace()
                return self.attempt(action, busy=busy, alone=alone)
            self._go_alone("another run holds its lock and doesn't release it" if code in _BUSY else str(error))
            return alone
        except OSError as error:
            self._go_alone(error.strerror or str(error))
            return alone
        self._busy_since = None
        return answer

    def _is_stuck(self) -> bool:
        """Usually a lock is held for microseconds, but a process that was stopped in that instant keeps it."""
        now = self._clock()
        if self._busy_since is None:
            self._busy_since = now
        return now - self._busy_since >= _GIVE_UP_LOCK_SECONDS

    def _opened(self) -> StartLog:
        """The log; opened again if somebody deleted or replaced the file, for new runs wouldn't meet us there."""
        now = self._clock()
        if self._log is not None and now - self._checked >= _CHECK_PATH_SECONDS:
            self._checked = now
            if self._inode != self._inode_at_path():
                self._disconnect()
        if self._log is None:
            _make_file(self._path)
            self._inode = self._inode_at_path()
            self._log = StartLog(self._path, self._clock)
        return self._log

    def _inode_at_path(self) -> int:
        try:
            return self._path.lstat().st_ino
        except FileNotFoundError:
            return 0

    def _replace(self) -> None:
        """Delete the damaged file, unless another run has done that already."""
        self._was_damaged = True
        self._warn(f"{self._path}: damaged, or not a batcher pace file; replaced: recent requests are forgotten")
        self._disconnect()
        with suppress(OSError):  # then the next try finds it damaged again
            if self._inode == self._inode_at_path():
                for path in (self._path, self._path.with_name(f"{self._path.name}-journal")):
                    path.unlink(missing_ok=True)

    def _go_alone(self, why: str) -> None:
        self._warn(
            f"{self._path}: {why}: this run keeps to its rate, but doesn't see other runs with the same key; "
            "set BATCHER_STATE_DIR to a writable directory"
        )
        self.is_alone = True
        self._disconnect()


def _make_file(path: Path) -> None:
    """An empty file for its owner alone, or the one that is there. Raises OSError if that isn't a regular file."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        # Looked at by its path: closing a descriptor of the file would drop the locks that SQLite holds on it.
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode):
            raise OSError("it isn't a regular file") from None
        if mode & 0o077:
            path.chmod(0o600)
