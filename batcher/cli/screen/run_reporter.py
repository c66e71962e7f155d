"""The command line's Reporter: a live bar on a terminal, sparse lines elsewhere, or JSON lines.

It only counts. A thread owned by its `with` paints what it counted: painting never holds up a request.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime

from ...models import Created, Failed, Outcome, Problem, Uncertain
from ...report.plan import Plan
from ...report.reporter import Gauge
from ...report.summary import Summary
from .console import Console
from .progress import Tally, Watch, line_text, now_and_then, plan_text


@dataclass(slots=True)
class ConsoleReporter:
    """The command line's Reporter. `bar` paints on the terminal; `verbose` names each outcome on a line of its own.

    `around` is entered while requests may leave.
    """

    console: Console
    bar: bool = False
    verbose: bool = False
    around: Callable[[], AbstractContextManager[None]] = nullcontext
    tally: Tally = field(default_factory=Tally)

    def problem(self, problem: Problem) -> None:
        """Show one problem; never left out, not even with -q."""
        self.console.problem(problem)

    def warning(self, message: str) -> None:
        """Show a warning."""
        self.console.warning(message)

    def note(self, message: str) -> None:
        """Show an explanation; not with -q."""
        self.console.note(message)

    @contextmanager
    def sending(self, plan: Plan, gauge: Gauge) -> Iterator[None]:
        """Show progress while in the block."""
        watch = Watch(plan, self.tally, gauge)
        watch.snapshot(time.monotonic())
        self.console.note(plan_text(plan, datetime.now().astimezone()))
        if plan.is_large_first:
            self.console.note(
                "A large first run: --limit 5 sends only five, to be looked at first; ctrl-C loses nothing"
            )
        with self.around(), self._shown(watch):
            yield

    def _shown(self, watch: Watch) -> AbstractContextManager[None]:
        if self.console.quiet:
            return nullcontext()
        if not self.bar:
            return _lines(watch, self.console)
        from .bar import painting  # noqa: PLC0415 - rich is worth its import only on a terminal

        return painting(watch, self.console)

    def outcome(self, outcome: Outcome) -> None:
        """Count; 0.2 µs without -v."""
        tally = self.tally
        match outcome:
            case Created():
                tally.created += 1
            case Failed():
                tally.failed += 1
            case Uncertain():
                tally.uncertain += 1
        if self.verbose:
            self.console.outcome(outcome)

    def finished(self, summary: Summary) -> None:
        """Nothing: the command prints the summary when all files are closed."""


@contextmanager
def _lines(watch: Watch, console: Console) -> Iterator[None]:
    """A line now and then; none while nothing is sent, unless there is a reason to tell."""
    said = -1

    def write() -> None:
        nonlocal said
        snapshot = watch.snapshot(time.monotonic())
        if snapshot.requests != said or snapshot.note:
            console.progress(snapshot, line_text(snapshot, datetime.now().astimezone()))
        said = snapshot.requests

    with now_and_then(write):
        yield
