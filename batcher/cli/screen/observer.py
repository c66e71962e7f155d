"""What the command line shows while it works: a live bar on a terminal, a line now and then elsewhere, or JSON lines.

The observer only counts. A thread owned by its `with` paints what was counted: painting never holds up a request.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime

from ...models import UNKNOWN, Created, Failed, Failure, Outcome, Problem, Uncertain, Unfinished
from ...omni.fields import API_FIELDS, OURS
from ...omni.tables import ONLY_V2
from ...report.observers import Gauge, Observer
from ...report.plan import Plan
from .console import Console
from .problems import Kinds
from .progress import Snapshot, Tally, Watch, line_text, now_and_then, plan_text

KEPT_PROBLEMS = 1000  # that the final object lists
MOST_LOGGED = 100  # rows that failed or are uncertain
_CANARY = "Large first run. Try a few first with --limit 5; Ctrl-C is always safe."


@dataclass(slots=True)
class ConsoleObserver(Observer):
    """The Observer of every command. It paints a bar on a terminal; with `verbose` each outcome gets a line.

    `verb` is what `undo` and `verify` do to a document ("deleted"). `around` is entered while requests may be sent.
    """

    console: Console
    verbose: bool = False
    verb: str = ""
    around: Callable[[Gauge], AbstractContextManager[object]] = nullcontext
    tally: Tally = field(default_factory=Tally)
    problems: list[Problem] = field(default_factory=list)
    kinds: Kinds | None = None
    details: int = 0
    requests_each: float = 1.0
    failures: int = 0

    def problem(self, problem: Problem) -> None:
        """Show it, even with -q, and keep the first for the final object."""
        if self.kinds is None:
            self.console.problem(problem)
        else:
            self.kinds.add(problem)
        if len(self.problems) < KEPT_PROBLEMS:
            self.problems.append(problem)

    @contextmanager
    def telling_kinds(self, *, each: bool) -> Iterator[None]:
        """In the block problems are told by kind, at its end at the latest; with `each` one by one."""
        self.kinds = None if each else Kinds()
        try:
            yield
        finally:
            self._tell_kinds()

    def _tell_kinds(self) -> None:
        if self.kinds is None:
            return
        is_unknown = False
        for kind in self.kinds.take():
            self.console.problem(kind.first, str(kind), kind.count)
            is_unknown |= kind.first.cause == UNKNOWN
        if is_unknown:
            with_v2 = f"with --api v2 {', '.join(ONLY_V2)}"
            self.console.note(f"known fields: {', '.join((*API_FIELDS, *OURS))}; {with_v2}")
        if others := self.kinds.take_others():
            self.console.warning(f"{others:,} more problems, of other kinds; --all lists every one")

    def detail(self, problem: Problem) -> None:
        """Count it; with -v show it."""
        self.details += 1
        if self.verbose:
            self.console.note(f"{problem} (note)")

    def warning(self, message: str) -> None:
        self.console.warning(message)

    def planned(self, plan: Plan) -> None:
        """Show the plan; not with -q."""
        self._tell_kinds()
        self.requests_each = max(1.0, plan.requests / max(1, plan.sending))
        self.console.note(plan_text(plan, datetime.now().astimezone()))
        if plan.is_large_first:
            self.console.note(_CANARY)

    @contextmanager
    def working(self, total: int, gauge: Gauge) -> Iterator[None]:
        """Show progress while in the block; not with -q."""
        watch = Watch(total, self.tally, gauge, requests_each=self.requests_each)
        watch.snapshot(time.monotonic())
        with self.around(gauge), self._progress(watch):
            yield

    @contextmanager
    def asking(self, most: int, gauge: Gauge) -> Iterator[None]:
        """Show progress while in the block; not with -q."""
        with self._progress(Watch(most, self.tally, gauge, is_asking=True)):
            yield

    def outcome(self, outcome: Outcome) -> None:
        """Count it (0.2 µs); with -v show it."""
        tally = self.tally
        match outcome:
            case Created():
                tally.created += 1
                if self.verbose:
                    self.console.outcome(outcome)
            case Failed():
                tally.failed += 1
                self.unsent(outcome)
            case Uncertain():
                tally.uncertain += 1
                self.unsent(outcome)
            case Unfinished():
                tally.unfinished += 1
                self.unsent(outcome)

    def unsent(self, outcome: Failure) -> None:
        """Name it with -v, and in a log as one of the first."""
        self.failures += 1
        if self.verbose or (self.console.json and self.failures <= MOST_LOGGED):
            self.console.outcome(outcome)

    def tell_more_failures(self) -> None:
        """At the end: how many rows the log doesn't name."""
        if self.console.json and not self.verbose and self.failures > MOST_LOGGED:
            self.console.more_failures(self.failures - MOST_LOGGED)

    def done(self, line: str) -> None:
        """Count it; with -v show it."""
        self.tally.documents += 1
        if self.verbose:
            self.console.note(line)

    def problem_objects(self, part: str) -> list[dict[str, object]]:
        """The first problems for the final object; `part` is what that calls a problem's field."""
        return [{"source": p.source, "line": p.line, part: p.field, "message": p.message} for p in self.problems]

    def _show(self, snapshot: Snapshot) -> None:
        self.console.progress(snapshot, line_text(snapshot, datetime.now().astimezone(), self.verb))

    def _progress(self, watch: Watch) -> AbstractContextManager[None]:
        if self.console.quiet:
            return nullcontext()
        if not self.console.takes_bar:
            return now_and_then(watch, self._show)
        from .bar import painting  # noqa: PLC0415 - rich is worth its import only on a terminal

        return painting(watch, self.console, self.verb)
