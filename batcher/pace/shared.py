"""The pace that several runs share: all runs of one user on one machine that use the same key, and their restarts.

The law: slots are numbered in the order of their grants, and slot i + N is granted only when slot i has started at
least a window ago. Were there N + 1 starts in less than a window, then among their numbers two would differ by N or
more, and the later one's grant contradicts. N is that of the fastest run of the last window.

The order: each run counts its turns, as in fair queueing. A run leaves as many open slots alone as runs with fewer
turns, or with as many and waiting longer, may take; a run that comes to the queue begins at the turns of the foremost.
Slots keep their distance over all runs, or two that begin together would use up a window in half its time, for ever.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from ..keys import ApiKey
from .rate import CATCH_UP, MARGIN, Rate
from .shared_file import DEAD, LEASE_SECONDS, PENDING, BrokenPaceFile, PaceFile, Run, Table, boot_clock

_HEARTBEAT_SECONDS = 0.25  # a run that waits shows itself this often …
_ABSENT_SECONDS = 1.0  # … and is no longer waited for after this
_CONTENDED_SECONDS = 0.001
_GIVE_UP_LOCK_SECONDS = 5.0
_LUMP_SECONDS = 0.01  # what the gate's limiter may hand out at once
_SLACK_SECONDS = 0.02  # slots that keep their distance may make up for timers that were late by this much
_PENDING_SECONDS = 0.01  # when to look again whether another run's slot has started
_FUTURE_SECONDS = 1.0  # a time later than this from now is damage


class SharedPace:
    """Where runs that use the same key meet: one file per key in `directory`. `warn` is told of trouble, never fatal.

    `clock` gives seconds that all runs share.
    """

    def __init__(
        self, directory: Path, warn: Callable[[str], None], *, clock: Callable[[], float] = boot_clock
    ) -> None:
        self._directory = directory
        self._warn = warn
        self._clock = clock

    def share(self, key: ApiKey, rate: Rate) -> RunShare:
        """Join the runs that use this key. The file is named by a hash of the key; nothing else of it is kept."""
        name = blake2b(key.secret.encode(), digest_size=16, person=b"batcher pace").hexdigest()
        return RunShare(self._directory / f"{name}.pace", rate.divided(), self._warn, self._clock)


class RunPermit:
    """Leave from all runs to start one request, within `LEASE_SECONDS`."""

    __slots__ = ("_granted", "_number", "_share")

    def __init__(self, share: RunShare, number: int, granted: float) -> None:
        self._share = share
        self._number = number
        self._granted = granted

    def start(self) -> bool:
        """The request starts now; False if it is too late."""
        return self._share.settle(self._number, self._granted, dead=False)

    def give_back(self) -> None:
        """No request will start."""
        self._share.settle(self._number, self._granted, dead=True)


class Alone:
    """Leave to start one request when the other runs cannot be seen."""

    __slots__ = ()

    def start(self) -> bool:
        """Always."""
        return True

    def give_back(self) -> None:
        """Nobody wants it."""


Permit = RunPermit | Alone


class RunShare:
    """This run among those that use the key."""

    def __init__(self, path: Path, rate: Rate, warn: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._path = path
        self._warn = warn
        self._clock = clock
        self._me = Run(secrets.randbits(63) | 1, 0.0, 0.0, 0.0, rate.limit, rate.guarded_seconds)
        self._heartbeat = min(_HEARTBEAT_SECONDS, rate.guarded_seconds / 4)
        self._file: PaceFile | None = None
        self._alone = False
        self._prepared = False
        self._checked = -math.inf
        self._locked_out_since: float | None = None

    def take(self) -> Permit | float:
        """Leave to start one request, or the seconds after which to ask again. Asking joins the queue of runs."""
        if self._alone:
            return Alone()
        try:
            return self._take()
        except OSError as error:
            return self._go_alone(error.strerror or str(error))

    def leave(self) -> None:
        """Leave the queue: nobody here waits any more."""
        if self._file is None or not self._me.since:
            return
        self._me.since = 0.0
        try:
            # Should the lock be taken, the others stop waiting for us a second later.
            with self._file.locked() as mine:
                if mine:
                    self._file.save_run(self._file.load().place_of(self._me.token), self._me)
        except OSError:
            self._prepared = False

    def close(self) -> None:
        """Leave the queue and close the file. What was started stays known."""
        self.leave()
        if self._file is not None:
            self._file.close()
            self._file = None

    def settle(self, number: int, granted: float, *, dead: bool) -> bool:
        """A slot's request starts now, or never will. False if its time is over."""
        now = self._clock()
        if now - granted >= LEASE_SECONDS:
            return False
        if self._file is not None:
            try:
                self._file.settle(number, DEAD if dead else now)
            except OSError as error:
                self._go_alone(error.strerror or str(error))
        return True

    def _take(self) -> Permit | float:
        now = self._clock()
        file = self._opened(now)
        with file.locked() as mine:
            if not mine:
                return self._locked_out(now)
            self._locked_out_since = None
            if not self._prepared:
                file.prepare()
                self._prepared = True
            try:
                table = file.load()
            except BrokenPaceFile:
                file.prepare()
                table = file.load()
            # Read again: whoever was stopped before it got the lock must not decide by an old time.
            return self._queue(file, table, self._clock())

    def _opened(self, now: float) -> PaceFile:
        """The file; opened anew if somebody deleted it, for new runs would not meet us there."""
        if self._file is not None and now - self._checked >= 1.0:
            self._checked = now
            if self._file.gone():
                self._file.close()
                self._file = None
                self._prepared = False
        if self._file is None:
            self._file = PaceFile(self._path, self._clock, self._warn)
        return self._file

    def _queue(self, file: PaceFile, table: Table, now: float) -> RunPermit | float:
        """Under the lock: take the next slot if it is our turn and the window is open, else wait in the queue."""
        me, place = self._me, table.place_of(self._me.token)
        others = [run for run in table.runs.values() if run.token != me.token and run.limit > 0 < run.window_seconds]
        me.seen = now
        if not me.since:
            me.since = now
            me.turns = max([me.turns, *(run.turns for run in others if _recent(run, now))])
        law, left = _law(me, others, now), _left_to_others(me, others, now)
        spaced_from = table.spaced_from if table.spaced_from <= now else 0.0  # later can only be damage
        apart = law.window_seconds / (MARGIN * CATCH_UP * law.limit)
        due = spaced_from + apart
        opens = max(due + left * apart, self._opens_at(file, table.granted, law, left, now))
        if opens <= now:
            file.grant(table.granted, now, max(due, now - _SLACK_SECONDS))
            me.since, me.turns = 0.0, me.turns + 1
        file.save_run(place, me)
        if opens <= now:
            return RunPermit(self, table.granted, now)
        return min(opens - now, self._heartbeat)

    def _opens_at(self, file: PaceFile, number: int, law: Run, left: int, now: float) -> float:
        """When the window has room for us and those before us; `inf` if that depends on what another run does."""
        first = number - law.limit
        if first + left >= number:
            return math.inf
        # Each of them, not only the last: that one may be dead, or have started before those ahead of it.
        return max(self._frees_at(file, oldest, law, now) for oldest in range(first, first + left + 1))

    def _frees_at(self, file: PaceFile, oldest: int, law: Run, now: float) -> float:
        """When this slot has left the window."""
        if oldest < 0:
            return now
        granted, started = file.slot(oldest)
        if started == DEAD or not max(granted, started) <= now + _FUTURE_SECONDS:
            return now
        if started != PENDING:
            return started + law.window_seconds
        # Granted and not started: void, but perhaps started unseen by a run that died, when its lease is over.
        lapsed = granted + LEASE_SECONDS
        return lapsed + law.window_seconds if lapsed <= now else now + _PENDING_SECONDS

    def _locked_out(self, now: float) -> Alone | float:
        """Somebody else holds the lock: usually for microseconds, but a run stopped in that instant keeps it."""
        if self._locked_out_since is None:
            self._locked_out_since = now
        if now - self._locked_out_since < _GIVE_UP_LOCK_SECONDS:
            return _CONTENDED_SECONDS
        return self._go_alone("another run holds its lock and does not let go")

    def _go_alone(self, why: str) -> Alone:
        self._warn(
            f"{self._path}: {why}: this run keeps to its rate, but does not see other runs with the same key; "
            "set BATCHER_STATE_DIR to a directory that can be written"
        )
        self._alone = True
        if self._file is not None:
            self._file.close()
            self._file = None
        return Alone()


def _present(run: Run, now: float) -> bool:
    """Does it run, so that it takes its turn when it waits?"""
    return now - _ABSENT_SECONDS <= run.seen <= now + _FUTURE_SECONDS


def _recent(run: Run, now: float) -> bool:
    """May it have started something in its last window?"""
    return now - max(run.window_seconds, _ABSENT_SECONDS) <= run.seen <= now + _FUTURE_SECONDS


def _law(me: Run, others: list[Run], now: float) -> Run:
    """The fastest run of those that may have started something in their last window."""
    return max([me, *(run for run in others if _recent(run, now))], key=lambda run: (run.per_second, run.limit))


def _left_to_others(me: Run, others: list[Run], now: float) -> int:
    """How many open slots we leave to the runs before us in the queue."""
    before = (
        run for run in others if run.since and _present(run, now) and (run.turns, run.since) < (me.turns, me.since)
    )
    return sum(min(1 + int(run.per_second * _LUMP_SECONDS), 1 + int(me.turns - run.turns)) for run in before)
