"""The starts that all runs of one key have made, and who waits for the next one: two small tables in SQLite.

The law: starts are numbered in the order of their grants. Number i + N is granted only when number i has started at
least a window ago, or was granted that long ago and is void since. Of N + 1 starts within one window two would have
numbers that differ by N or more, and the later one's grant contradicts. N is that of the fastest run of late.

The order: a run that has to wait draws a ticket. Nobody takes a slot unless there is one more for each run with a
lower ticket, so runs take turns however many workers each of them has. A run that shows no sign of life for a second
(it was killed, or stopped) is no longer waited for.

Slots also keep their distance over all runs, or two that begin together would use up a window in half its time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path

from .rate import CATCH_UP, MARGIN

_SCHEMA = """
CREATE TABLE IF NOT EXISTS starts (number INTEGER PRIMARY KEY, due REAL NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS runs (run INTEGER PRIMARY KEY, ticket INTEGER NOT NULL, seen REAL NOT NULL,
                                 allowed INTEGER NOT NULL, seconds REAL NOT NULL);
"""
# A run that may have started something in its last window counts; one from before the last boot was seen in the future.
_FORGET = "DELETE FROM runs WHERE seen > :now OR seen < :now - max(seconds, :absent)"
# It keeps the ticket that it waits with, or draws the next one; ticket 0 doesn't wait.
_SHOW = """
INSERT INTO runs VALUES (:run, (SELECT 1 + coalesce(max(ticket), 0) FROM runs), :now, :allowed, :seconds)
ON CONFLICT (run) DO UPDATE SET seen = :now, ticket = CASE ticket WHEN 0 THEN excluded.ticket ELSE ticket END
"""
# The fastest run's law, and how many runs are waiting with a lower ticket than ours.
_LAW = """
SELECT allowed, seconds, (SELECT count(*) FROM runs WHERE seen >= :now - :absent AND ticket > 0
                          AND ticket < (SELECT ticket FROM runs WHERE run = :run))
FROM runs ORDER BY allowed / seconds DESC, allowed DESC LIMIT 1
"""
_LATEST = "SELECT max(CASE WHEN at <= ? THEN at ELSE 0.0 END) FROM starts WHERE number BETWEEN ? AND ?"

# A start this soon after its grant, in parts of the window, needs no note: windows are counted as that much longer.
# It is what the fsync of an intent takes, so that starting a request hardly ever waits for the file.
_GRACE = 0.003
_REMEMBERED = 10_000  # starts; no window holds more (see `Rate.divided`)
_BUSY_SECONDS = 0.01  # another run needs about 0.1 ms; the event loop stands still meanwhile
_ABSENT_SECONDS = 1.0
_SLACK_SECONDS = 0.02  # slots that keep their distance may make up for timers that were late by this much


@dataclass(frozen=True, slots=True)
class Granted:
    """A start that was granted, by its number and the time of its grant."""

    number: int
    at: float
    window_seconds: float


class StartLog:
    """One key's log, open. Every method is one transaction and raises `sqlite3.Error`; busy ones may be tried again.

    Nothing is synced: what a killed process has written is safe with the kernel, and a power cut lasts longer than
    most windows. The rollback journal undoes what a process was killed in the middle of; WAL would be faster, but maps
    a file into memory, and is not for home directories on a network.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._db = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_SECONDS)
        try:
            self._db.executescript(f"PRAGMA journal_mode=PERSIST; PRAGMA synchronous=OFF; {_SCHEMA}")
        except sqlite3.Error:
            self._db.close()
            raise

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[float]:
        """The lock, and the time: read under the lock, so that no earlier time is written after a later one."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._clock()
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def take(self, run: int, allowed: int, window_seconds: float) -> Granted | float:
        """The next start, if it is this run's turn and the window is open; else the seconds to wait in the queue."""
        with self._transaction() as now:
            me = {"run": run, "now": now, "absent": _ABSENT_SECONDS, "allowed": allowed, "seconds": window_seconds}
            self._db.execute(_FORGET, me)
            self._db.execute(_SHOW, me)
            law, seconds, ahead = self._db.execute(_LAW, me).fetchone()
            number, due = self._next(now)
            apart = seconds / (MARGIN * CATCH_UP * law)
            frees = self._frees_at(number - law, ahead, seconds, now) if ahead < law else inf
            opens: float = max(due + (1 + ahead) * apart, frees)
            if opens > now:
                return opens - now
            self._db.execute("UPDATE runs SET ticket = 0 WHERE run = ?", (run,))
            spaced = max(due + apart, now - _SLACK_SECONDS)
            self._db.execute("INSERT INTO starts VALUES (?, ?, ?)", (number, spaced, now))
            self._db.execute("DELETE FROM starts WHERE number <= ?", (number - _REMEMBERED,))
            return Granted(number, now, seconds)

    def _next(self, now: float) -> tuple[int, float]:
        """The next start's number, and the time from which it keeps its distance."""
        row = self._db.execute("SELECT number, due FROM starts ORDER BY number DESC LIMIT 1").fetchone()
        number, due = row or (0, 0.0)
        return number + 1, due if due <= now else 0.0

    def _frees_at(self, oldest: int, ahead: int, seconds: float, now: float) -> float:
        """When the window has room for the next start, of which `oldest` is a limit away, and for those of the runs ahead.

        A time later than now is from before the last boot, at which the clock began at 0: count it from there.
        """
        (latest,) = self._db.execute(_LATEST, (now, oldest, oldest + ahead)).fetchone()
        return now if latest is None else latest + seconds * (1 + _GRACE)

    def start(self, granted: Granted) -> bool:
        """The request starts now. False if it comes so late that the others no longer count it."""
        if self._clock() - granted.at <= _GRACE * granted.window_seconds:
            return True
        with self._transaction() as now:
            if now - granted.at >= granted.window_seconds:
                return False
            self._db.execute("UPDATE starts SET at = ? WHERE number = ? AND at = ?", (now, granted.number, granted.at))
            return True

    def give_back(self, granted: Granted) -> None:
        """The request never starts."""
        with self._transaction():
            self._db.execute("DELETE FROM starts WHERE number = ? AND at = ?", (granted.number, granted.at))
