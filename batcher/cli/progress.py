"""What people see of a run on standard error: a live bar on a terminal, sparse lines elsewhere, or JSON lines.

`ConsoleReporter` only counts. A thread owned by its `with` paints what it counted: painting never holds up a request.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime

from ..models import Created, Failed, Outcome, Problem, Uncertain
from ..reporter import Gauge, Plan
from ..summary import Summary
from .console import Console
from .durations import about_text, clock_text, duration_text

RATE_WINDOW_SECONDS = 60.0
FIRST_LINE_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 300.0


@dataclass(slots=True)
class Tally:
    """Outcomes of this run so far."""

    created: int = 0
    failed: int = 0
    uncertain: int = 0

    @property
    def done(self) -> int:
        """Rows that have their outcome."""
        return self.created + self.failed + self.uncertain


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What there is to show at one moment. `seconds_left` is None while unknown; `note` says what slows the run."""

    created: int
    failed: int
    uncertain: int
    left: int
    total: int
    rate_now: float
    rate_allowed: float
    seconds_left: float | None
    in_flight: int
    requests: int
    note: str


@dataclass(slots=True)
class Watch:
    """Turns counters into snapshots; remembers the last minute to tell the rate now."""

    plan: Plan
    tally: Tally
    gauge: Gauge
    history: deque[tuple[float, int, int]] = field(default_factory=deque)

    def snapshot(self, now: float) -> Snapshot:
        """The state at `now`, a monotonic time in seconds."""
        tally, gauge = self.tally, self.gauge
        done, requests, allowed, braked = tally.done, gauge.requests, gauge.rate_now(), gauge.braked_for()
        left = max(0, self.plan.sending - done)
        while len(self.history) > 1 and now - self.history[0][0] > RATE_WINDOW_SECONDS:
            self.history.popleft()
        then, done_then, requests_then = self.history[0] if self.history else (now, done, requests)
        self.history.append((now, done, requests))
        passed = now - then
        rows_per_second = (done - done_then) / passed if passed > 0 else 0.0
        return Snapshot(
            created=tally.created,
            failed=tally.failed,
            uncertain=tally.uncertain,
            left=left,
            total=self.plan.sending,
            rate_now=(requests - requests_then) / passed if passed > 0 else 0.0,
            rate_allowed=allowed,
            seconds_left=_seconds_left(left, rows_per_second, allowed, braked),
            in_flight=gauge.in_flight,
            requests=requests,
            note=f"paused by the server for {duration_text(braked)}" if braked > 0 else gauge.note,
        )


def _seconds_left(left: int, rows_per_second: float, allowed: float, braked: float) -> float | None:
    if left == 0:
        return 0.0
    if rows_per_second > 0:
        return braked + left / rows_per_second
    return braked + left / allowed if 0 < allowed < math.inf else None


def rate_text(per_second: float) -> str:
    """A rate in the unit that reads best: `58/min`, `12/s`."""
    if per_second == math.inf:
        return "no limit"
    if per_second >= 10:
        return f"{per_second:,.0f}/s"
    per_minute = per_second * 60
    return f"{per_minute:.0f}/min" if per_minute >= 1 or per_minute == 0 else f"{per_second * 3600:.0f}/h"


def left_text(snapshot: Snapshot, now: datetime) -> str:
    """`about 12 min 5 s left, until 16:40`, or an empty text."""
    if snapshot.seconds_left is None or snapshot.left == 0:
        return ""
    return f"{about_text(snapshot.seconds_left)} left, until {clock_text(snapshot.seconds_left, now)}"


def plan_text(plan: Plan, now: datetime) -> str:
    """What the run is about to do, and when it will be done."""
    before = ((plan.created, "created before"), (plan.undone, "undone"), (plan.invalid, "invalid"))
    settling = ((plan.failed - plan.invalid, "failed before"), (plan.uncertain, "uncertain"))
    told = [f"{number:,} {word}" for number, word in before if number]
    of = ", ".join(f"{number:,} {word}" for number, word in settling if number)
    told.append(f"{plan.sending:,} to create" + (f" (of these {of})" if of else ""))
    when = ""
    if plan.rate is not None and plan.seconds is not None and plan.sending:
        keys = f" for each of {plan.keys} keys" if plan.keys > 1 else ""
        when = f"; at {plan.rate}{keys} {about_text(plan.seconds)}, until {clock_text(plan.seconds, now)}"
    return f"{plan.rows:,} rows: {', '.join(told)}{when}"


def line_text(snapshot: Snapshot, now: datetime) -> str:
    """One line for logs."""
    counts = f"{snapshot.created:,} created, {snapshot.failed:,} failed, {snapshot.uncertain:,} uncertain"
    parts = [f"{counts}, {snapshot.left:,} left", rate_text(snapshot.rate_now), left_text(snapshot, now), snapshot.note]
    return "; ".join(part for part in parts if part)


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
        from .progress_bar import painting  # noqa: PLC0415 - rich is worth its import only on a terminal

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


@contextmanager
def now_and_then(write: Callable[[], None]) -> Iterator[None]:
    """While in the block, call `write` in a thread: after 10 s, and then after pauses that grow to 5 minutes."""
    over = threading.Event()

    def keep_writing() -> None:
        pause = FIRST_LINE_SECONDS
        while not over.wait(pause):
            write()
            pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)

    thread = threading.Thread(target=keep_writing, name="progress lines", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
