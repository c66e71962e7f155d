"""The file in which runs that use one key remember what they started: layout, lock and repair.

A header, a table of runs, and a ring of slots in the order in which they were granted. Everything that depends on
anything else is changed under flock, held for some twenty microseconds and never waited for; a slot's own start is
eight bytes written by its owner alone. Read and written with pread and pwrite: a mapping would kill us (SIGBUS) if
somebody cut the file. Nothing is fsynced: the kernel keeps what a killed run wrote, and a power cut outlasts most windows.
"""

from __future__ import annotations

import fcntl
import math
import os
import stat
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_MAGIC = b"batcher pace 1\n\0"
_HEADER = struct.Struct("<16s40sdQd")  # magic, boot, wall clock minus our clock, and the two of `_COUNT`
_COUNT = struct.Struct("<Qd")  # slots granted so far, the time from which the next one keeps its distance
_RUN = struct.Struct("<QdddQd")  # the fields of `Run`
_SLOT = struct.Struct("<dd")  # granted, started (or one of the two below)
_TIME = struct.Struct("<d")
PENDING = 0.0
DEAD = -1.0

_RUNS_AT = 128
_RUNS = 32
_RING_AT = 2048
_RING = 16_384  # more slots than any window remembers (pace.py divides longer ones)

# Whoever was granted a slot must start it within this time, or it is void: so a run that died in between is known to
# have started nothing later. An intent's fsync takes milliseconds.
LEASE_SECONDS = 5.0


@dataclass(slots=True)
class Run:
    """One run in the table. Times are seconds of the file's clock; `since` is 0.0 while it does not wait for a slot."""

    token: int
    seen: float
    since: float
    turns: float
    limit: int
    window_seconds: float

    @property
    def per_second(self) -> float:
        """Its rate."""
        return self.limit / self.window_seconds


@dataclass(frozen=True, slots=True)
class Table:
    """Slots granted so far, from when the next one keeps its distance, and the runs by their place in the table."""

    granted: int
    spaced_from: float
    runs: dict[int, Run]

    def place_of(self, token: int) -> int:
        """A run's place; if it has none a free one, or the one of the run that was not seen for longest."""
        for place, run in self.runs.items():
            if run.token == token:
                return place
        free = next((place for place in range(_RUNS) if place not in self.runs), None)
        return min(self.runs, key=lambda place: self.runs[place].seen) if free is None else free


class BrokenPaceFile(OSError):  # noqa: N818 - named after the thing
    """The file is not one of ours, or no longer."""


def boot_clock() -> float:
    """Seconds since boot, those of sleep included: the one clock that all runs share and that nobody can set back.

    The wall clock may be stepped in the middle of a window; other monotonic clocks stand still while a laptop sleeps.
    """
    return time.clock_gettime(_BOOT_CLOCK)


# macOS has no CLOCK_BOOTTIME; its CLOCK_MONOTONIC goes on during sleep.
_BOOT_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def _boot() -> bytes:
    """Which boot the clock counts from; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()[:40]
    except OSError:
        return b""


class PaceFile:
    """One key's file, open. Every method may raise `OSError`."""

    def __init__(self, path: Path, clock: Callable[[], float], warn: Callable[[str], None]) -> None:
        self.path = path
        self._clock = clock
        self._warn = warn
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # O_NONBLOCK: a pipe put there must not hang us.
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        self._file = os.open(path, flags, 0o600)
        try:
            self._check_kind()
        except OSError:
            self.close()
            raise

    def _check_kind(self) -> None:
        status = os.fstat(self._file)
        if not stat.S_ISREG(status.st_mode):
            raise BrokenPaceFile("it is not a regular file")
        if status.st_mode & 0o077:
            os.fchmod(self._file, 0o600)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def gone(self) -> bool:
        """Has somebody deleted the file, so that new runs would not meet us there?"""
        return os.fstat(self._file).st_nlink == 0

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Hold the file's lock if it is free now; gives whether we do."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def prepare(self) -> None:
        """Begin a new file, replace a broken one, carry the times of an earlier boot over. Needs the lock."""
        offset = time.time() - self._clock()
        try:
            _, boot, old_offset = self._header()
        except BrokenPaceFile:
            if os.fstat(self._file).st_size:
                self._warn(
                    f"{self.path}: not a pace file of batcher, or damaged: begun anew; what was sent just now is forgotten"
                )
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, _HEADER.pack(_MAGIC, _boot(), offset, 0, 0.0).ljust(_RING_AT, b"\0"), 0)
            return
        if boot.rstrip(b"\0") != _boot():
            self._carry_over(old_offset - offset)
        os.pwrite(self._file, _HEADER.pack(_MAGIC, _boot(), offset, self.load().granted, 0.0), 0)

    def _carry_over(self, shift: float) -> None:
        """The clock began anew: move all times by what the wall clock says. Runs are gone, their slots count."""
        now = self._clock()
        ring = os.pread(self._file, _RING * _SLOT.size, _RING_AT)
        slots = (_SLOT.unpack_from(ring, at) for at in range(0, len(ring) - _SLOT.size + 1, _SLOT.size))
        moved = (
            _SLOT.pack(DEAD, DEAD)
            if started == DEAD or not math.isfinite(started)
            else _SLOT.pack(*[min(now, (started or granted) + shift)] * 2)
            for granted, started in slots
        )
        os.pwrite(self._file, b"".join(moved), _RING_AT)
        os.pwrite(self._file, bytes(_RUNS * _RUN.size), _RUNS_AT)

    def _header(self) -> tuple[bytes, bytes, float]:
        data = os.pread(self._file, _RING_AT, 0)
        if len(data) < _RING_AT:
            raise BrokenPaceFile("it is too short")
        magic, boot, offset, granted, _ = _HEADER.unpack_from(data)
        if magic != _MAGIC or granted >= 1 << 62 or not math.isfinite(offset):
            raise BrokenPaceFile("it is not ours")
        return data, boot, offset

    def load(self) -> Table:
        """What all runs know. Needs the lock."""
        data, _, _ = self._header()
        granted, spaced_from = _COUNT.unpack_from(data, _HEADER.size - _COUNT.size)
        table = memoryview(data)[_RUNS_AT : _RUNS_AT + _RUNS * _RUN.size]
        rows = enumerate(_RUN.iter_unpack(table))
        return Table(granted, spaced_from, {place: Run(*fields) for place, fields in rows if fields[0]})

    def save_run(self, place: int, run: Run) -> None:
        """Write one row of the table. Needs the lock."""
        fields = _RUN.pack(run.token, run.seen, run.since, run.turns, run.limit, run.window_seconds)
        os.pwrite(self._file, fields, _RUNS_AT + place * _RUN.size)

    def slot(self, number: int) -> tuple[float, float]:
        """When a slot was granted and when it started, or `PENDING` or `DEAD`."""
        data = os.pread(self._file, _SLOT.size, self._slot_at(number))
        if len(data) < _SLOT.size:
            raise BrokenPaceFile("it is too short")
        granted, started = _SLOT.unpack(data)
        return granted, started

    def grant(self, number: int, now: float, spaced_from: float) -> None:
        """Grant the next slot: first the slot, then the count, so that a death in between grants nothing. Needs the lock."""
        os.pwrite(self._file, _SLOT.pack(now, PENDING), self._slot_at(number))
        os.pwrite(self._file, _COUNT.pack(number + 1, spaced_from), _HEADER.size - _COUNT.size)

    def settle(self, number: int, started: float) -> None:
        """Write a slot's start, or `DEAD`. Its owner's business alone, hence without the lock."""
        os.pwrite(self._file, _TIME.pack(started), self._slot_at(number) + _TIME.size)

    @staticmethod
    def _slot_at(number: int) -> int:
        return _RING_AT + number % _RING * _SLOT.size
