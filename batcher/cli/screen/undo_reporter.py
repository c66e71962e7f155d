"""What people see of `undo` and `verify` on standard error: sparse lines of progress, and what is not as it should be."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime

from ...models import Problem
from ...report.reporter import Gauge
from ..settings.durations import clock_text, duration_text
from .console import Console
from .progress import now_and_then, rate_text

KEPT_PROBLEMS = 1000  # that the final object lists


@dataclass(slots=True)
class Working:
    """The command line's Onlooker. `word`: what is done to a document (`deleted`). `around` as in ConsoleReporter."""

    console: Console
    word: str
    verbose: bool = False
    around: Callable[[], AbstractContextManager[None]] = nullcontext
    problems: list[Problem] = field(default_factory=list)
    details: int = 0
    _done: int = 0

    def warning(self, message: str) -> None:
        """Show a warning."""
        self.console.warning(message)

    @contextmanager
    def working(self, total: int, gauge: Gauge) -> Iterator[None]:
        """A line of progress now and then, while in the block."""
        with self.around():
            if self.console.quiet:
                yield
                return
            begun = time.monotonic()
            with now_and_then(lambda: self._tell(time.monotonic() - begun, total, gauge)):
                yield

    def done(self, line: str) -> None:
        """Count, and with -v say it."""
        self._done += 1
        if self.verbose:
            self.console.note(line)

    def problem(self, problem: Problem) -> None:
        """Show it; never left out."""
        if len(self.problems) < KEPT_PROBLEMS:
            self.problems.append(problem)
        self.console.problem(problem)

    def detail(self, problem: Problem) -> None:
        """Count, and with -v say it."""
        self.details += 1
        if self.verbose:
            self.console.note(f"{problem} (note)")

    def _tell(self, passed: float, total: int, gauge: Gauge) -> None:
        """One line of progress, so many seconds after the begin."""
        left = total - self._done
        parts = [f"{self._done:,} of {total:,} {self.word}", rate_text(gauge.requests / passed)]
        if self._done and left:
            seconds = left * passed / self._done
            until = clock_text(seconds, datetime.now().astimezone())
            parts.append(f"about {duration_text(seconds)} left, until {until}")
        braked = gauge.braked_for()
        parts.append(f"paused by the server for {duration_text(braked)}" if braked > 0 else gauge.note)
        self.console.note("; ".join(part for part in parts if part))


def problem_object(problem: Problem) -> dict[str, object]:
    """One problem in the final object."""
    return {"source": problem.source, "line": problem.line, "part": problem.field, "message": problem.message}
