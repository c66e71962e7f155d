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
from pathlib import Path

from .rate import CATCH_UP, MARGIN

_SCHEMA = """
CREATE TABLE IF NOT EXISTS starts (number INTEGER PRIMARY KEY, due REAL NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS runs (run INTEGER PRIMARY KEY, ticket INTEGER NOT NULL, seen REAL NOT NULL,
                                 "limit" INTEGER NOT NULL, seconds REAL NOT NULL);
"""
_REMEMBERED = 10_000  # starts; no window holds more (see `Rate.divided`)
_BUSY_SECONDS = 0.01  # another run needs about 0.1 ms; the event loop stands still meanwhile
_ABSENT_SECONDS = 1.0
_SLACK_SECONDS = 0.02  # slots that keep their distance may make up for timers that were late by this much


@dataclass(frozen=True, slots=True)
class Run:
    """A run that was here lately. `ticket` is 0 while it doesn't wait; `seen` is in seconds of the shared clock."""

    number: int
    ticket: int
    seen: float
    limit: int
    window_seconds: float

    @property
    def per_second(self) -> float:
        """Its rate."""
        return self.limit / self.window_seconds

    def is_present(self, now: float) -> bool:
        """Is it alive, so that it takes its turn?"""
        return now - _ABSENT_SECONDS <= self.seen <= now

    def is_recent(self, now: float) -> bool:
        """May it have started something within its last window?"""
        return now - max(self.window_seconds, _ABSENT_SECONDS) <= self.seen <= now


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
        """Close the file."""
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

    def grant_or_queue(self, run: int, ticket: int, limit: int, window_seconds: float) -> Granted | tuple[int, float]:
        """The next start, if it is this run's turn and the window is open; else its ticket and the seconds to wait."""
        with self._transaction() as now:
            me = Run(run, ticket, now, limit, window_seconds)
            rows = self._db.execute('SELECT run, ticket, seen, "limit", seconds FROM runs WHERE run != ?', (run,))
            others = [Run(*row) for row in rows]
            law = max(
                [me, *(other for other in others if other.is_recent(now))], key=lambda it: (it.per_second, it.limit)
            )
            waiting = [other.ticket for other in others if other.ticket and other.is_present(now)]
            ahead = sum(not ticket or other < ticket for other in waiting)
            newest, due = self._newest(now)
            apart = law.window_seconds / (MARGIN * CATCH_UP * law.limit)
            opens = max(due + (1 + ahead) * apart, self._opens_at(newest + 1, ahead, law, now))
            if opens <= now:
                self._save(me, 0)
                self._forget([other for other in others if not other.is_recent(now)])
                self._add(newest + 1, max(due + apart, now - _SLACK_SECONDS), now)
                return Granted(newest + 1, now, law.window_seconds)
            ticket = ticket or 1 + max((other.ticket for other in others), default=0)
            self._save(me, ticket)
            return ticket, opens - now

    def _newest(self, now: float) -> tuple[int, float]:
        """The newest start's number, and the time from which the next one keeps its distance."""
        row = self._db.execute("SELECT number, due FROM starts ORDER BY number DESC LIMIT 1").fetchone()
        number, due = row or (0, 0.0)
        return number, due if due <= now else 0.0

    def _opens_at(self, number: int, ahead: int, law: Run, now: float) -> float:
        """When the window has room for this start and for those of the runs ahead; `inf` if that depends on them.

        A time later than now is from before the last boot, at which the clock began at 0: count it from there.
        """
        first = number - law.limit
        if first + ahead >= number:
            return float("inf")
        query = "SELECT max(CASE WHEN at <= ? THEN at ELSE 0.0 END) FROM starts WHERE number BETWEEN ? AND ?"
        (latest,) = self._db.execute(query, (now, first, first + ahead)).fetchone()
        return now if latest is None else latest + law.window_seconds

    def _add(self, number: int, due: float, at: float) -> None:
        self._db.execute("INSERT INTO starts VALUES (?, ?, ?)", (number, due, at))
        self._db.execute("DELETE FROM starts WHERE number <= ?", (number - _REMEMBERED,))

    def _save(self, run: Run, ticket: int) -> None:
        fields = (run.number, ticket, run.seen, run.limit, run.window_seconds)
        self._db.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?)", fields)

    def _forget(self, runs: list[Run]) -> None:
        if runs:
            self._db.executemany("DELETE FROM runs WHERE run = ?", [(run.number,) for run in runs])

    def start(self, granted: Granted) -> bool:
        """The request starts now. False if it comes so late that the others no longer count it."""
        with self._transaction() as now:
            if now - granted.at >= granted.window_seconds:
                return False
            self._db.execute("UPDATE starts SET at = ? WHERE number = ? AND at = ?", (now, granted.number, granted.at))
            return True

    def give_back(self, granted: Granted) -> None:
        """The request never starts."""
        with self._transaction():
            self._db.execute("DELETE FROM starts WHERE number = ? AND at = ?", (granted.number, granted.at))

    def leave(self, run: int) -> None:
        """The run waits no longer."""
        with self._transaction():
            self._db.execute("UPDATE runs SET ticket = 0 WHERE run = ?", (run,))
