"""Blows: at which instant of a run's life which signal falls. Drawn from a seeded Random."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

KILL, INTERRUPT, TERMINATE = signal.SIGKILL, signal.SIGINT, signal.SIGTERM


@dataclass(frozen=True, slots=True)
class Blow:
    """Signals, each with a pause in seconds before it, from the moment at which `is_now(seconds lived)` says so.

    With `next_instant` the first signal is followed by another blow, made then: a kill in the middle of a drain.
    """

    name: str
    is_now: Callable[[float], bool]
    signals: tuple[tuple[float, signal.Signals], ...]
    next_instant: Callable[[], Blow] | None = None
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Aim:
    """What blows aim at: the files, and by how much a life may grow them so that the kills last for the whole input."""

    journal: Path
    results: Path
    rows: float

    def draw(self, random: Random) -> Blow:
        """The next kill."""
        kinds = (self.early, self.sometime, self.at_the_journal, self.at_the_results, self.at_the_end, self.at_birth)
        return random.choices(kinds, (10, 15, 33, 22, 17, 3))[0](random)

    def draw_signal(self, random: Random) -> Blow:
        """The next ctrl-C: once, or twice; or SIGTERM."""
        first = random.choice((INTERRUPT, TERMINATE))
        once = (random.uniform(0, 0.02), first)
        again = (random.uniform(0, 0.1), random.choice((INTERRUPT, TERMINATE)))
        is_twice = random.random() < 0.5
        name = "twice" if is_twice else "once"
        return Blow(name, _grown(self.journal, self._bytes(random, 400)), (once, again) if is_twice else (once,))

    def early(self, random: Random) -> Blow:
        """Right after the start, in the check pass."""
        return Blow("start", _after(random.uniform(0, 0.04)), _kill(random, 0))

    def sometime(self, random: Random) -> Blow:
        """Any moment."""
        return Blow("any moment", _after(random.uniform(0, 0.2)), _kill(random, 0))

    def at_the_journal(self, random: Random) -> Blow:
        """Around an intent: before its fsync, before or after its request."""
        return Blow("journal", _grown(self.journal, self._bytes(random, 400)), _kill(random, 0.02))

    def at_the_results(self, random: Random) -> Blow:
        """Around an outcome."""
        return Blow("results", _grown(self.results, self._bytes(random, 1900)), _kill(random, 0.005))

    def at_the_end(self, random: Random) -> Blow:
        """A drain, and a kill where the failures file is about to be replaced."""

        def next_instant() -> Blow:
            return Blow("compaction", _rewriting(self.journal), _kill(random, 0.002))

        grown = _grown(self.journal, self._bytes(random, 400))
        return Blow("compaction", grown, ((0.0, INTERRUPT),), next_instant)

    def at_birth(self, random: Random) -> Blow:
        """A whole new interpreter, killed in its imports or some time after."""
        return Blow("new interpreter", _after(random.uniform(0, 0.8)), _kill(random, 0), fresh=True)

    def _bytes(self, random: Random, row_bytes: int) -> int:
        return 1 + int(random.uniform(0, 2 * self.rows) * row_bytes)


def _kill(random: Random, longest_pause_seconds: float) -> tuple[tuple[float, signal.Signals], ...]:
    return ((random.uniform(0, longest_pause_seconds), KILL),)


def _after(seconds: float) -> Callable[[float], bool]:
    return lambda lived: lived >= seconds


def _grown(path: Path, by_bytes: int) -> Callable[[float], bool]:
    target = _size(path) + by_bytes
    return lambda _: _size(path) >= target


def _rewriting(journal: Path) -> Callable[[float], bool]:
    """The rewriting of the failures file was announced."""
    start = _size(journal)

    def is_now(_: float) -> bool:
        if _size(journal) <= start:
            return False
        with journal.open("rb") as file:
            file.seek(start)
            return b'"type":"rewriting"' in file.read()

    return is_now


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
