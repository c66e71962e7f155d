"""How far a run has come, in words: counters become snapshots, snapshots become texts, now and then."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from ...report.observers import Gauge
from ...report.plan import Plan
from ..settings.durations import about_text, clock_text, duration_text
from .console import count

RATE_WINDOW_SECONDS = 60.0
FIRST_LINE_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 300.0
SURE_AFTER_SECONDS = 45.0  # of work: earlier the first answers are few
_SLOWER = 0.8  # of what is allowed


@dataclass(slots=True)
class Tally:
    """Outcomes so far; `documents` counts those that `undo` or `verify` is done with."""

    created: int = 0
    failed: int = 0
    uncertain: int = 0
    unfinished: int = 0
    documents: int = 0

    @property
    def done(self) -> int:
        """Rows that have their outcome, or documents."""
        return self.created + self.failed + self.uncertain + self.documents


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
    """Turns counters into snapshots; remembers the last minute to tell the rate now.

    With `is_asking` it's requests that are counted, not rows. `requests_each`: that a row takes, its steps included.
    """

    total: int
    tally: Tally
    gauge: Gauge
    is_asking: bool = False
    requests_each: float = 1.0
    history: deque[tuple[float, int, int, float]] = field(default_factory=deque)
    working_seconds: float = 0.0

    def snapshot(self, now: float) -> Snapshot:
        """The state at `now`, a monotonic time in seconds."""
        tally, gauge = self.tally, self.gauge
        requests, allowed, braked = gauge.requests, gauge.rate_now(), gauge.braked_for()
        done = requests if self.is_asking else tally.done
        left = max(0, self.total - done)
        if self.history and not braked and not gauge.note:
            self.working_seconds += now - self.history[-1][0]
        while len(self.history) > 1 and now - self.history[0][0] > RATE_WINDOW_SECONDS:
            self.history.popleft()
        beginning = (now, done, requests, self.working_seconds)
        then, done_then, requests_then, worked_then = self.history[0] if self.history else beginning
        self.history.append(beginning)
        passed = now - then
        # the first request leaves as the clock starts: ten seconds at 60/min hold eleven, which isn't 66/min
        speed = _speed(done - done_then, self.working_seconds - worked_then, allowed / self.requests_each)
        return Snapshot(
            created=tally.created,
            failed=tally.failed,
            uncertain=tally.uncertain,
            left=left,
            total=self.total,
            rate_now=max(0, requests - max(1, requests_then)) / passed if passed > 0 else 0.0,
            rate_allowed=allowed,
            seconds_left=0.0 if left == 0 else None if speed is None else braked + left / speed,
            in_flight=gauge.in_flight,
            requests=requests,
            note=f"paused by the server for {duration_text(braked)}" if braked > 0 else gauge.note,
        )


def _speed(rows: int, worked_seconds: float, allowed: float) -> float | None:
    """Rows a second from now on; None while nobody knows.

    What is allowed, so that the time left is steady. Once it's clear that less is done, because answers take long or
    rows take several requests, what was done of late; time in which the server let nobody in doesn't count as work.
    """
    measured = rows / worked_seconds if worked_seconds > 0 else 0.0
    if not 0 < allowed < math.inf:
        return measured or None
    is_slower = worked_seconds >= SURE_AFTER_SECONDS and 0 < measured < _SLOWER * allowed
    return measured if is_slower else allowed


def rate_text(per_second: float) -> str:
    """A rate in the unit that reads best: `58/min`, `12/s`."""
    if per_second == math.inf:
        return "no limit"
    if per_second >= 10:
        return f"{per_second:,.0f}/s"
    per_minute = per_second * 60
    return f"{per_minute:.0f}/min" if per_minute >= 1 or per_minute == 0 else f"{per_second * 3600:.0f}/h"


def left_text(snapshot: Snapshot, now: datetime) -> str:
    """`about 12 min left (done by 16:40)`, or an empty text."""
    if snapshot.seconds_left is None or snapshot.left == 0:
        return ""
    return f"{about_text(snapshot.seconds_left)} left (done by {clock_text(snapshot.seconds_left, now)})"


def plan_text(plan: Plan, now: datetime) -> str:
    """What the run is about to do, and when it will be done."""
    before = ((plan.created, _before(plan)), (plan.undone, "undone"), (plan.invalid, "invalid"))
    settling = ((plan.failed - plan.invalid, "failed before"), (plan.uncertain, "uncertain"))
    parts = [f"{number:,} {word}" for number, word in before if number]
    again = ", ".join(f"{number:,} {word}" for number, word in settling if number)
    creating = max(0, plan.sending - plan.unfinished)
    if creating or not plan.unfinished:
        parts.append(f"{creating:,} to create" + (f" ({again})" if again else ""))
    when = ""
    if plan.rate is not None and plan.seconds is not None and plan.sending:
        rate = f"{plan.rate} for each of {plan.keys} keys" if plan.keys > 1 else str(plan.rate)
        requests = f"{count(plan.requests, 'request')}, " if plan.steps else ""
        when = f"; {requests}{about_text(plan.seconds)} at {rate} (done by {clock_text(plan.seconds, now)})"
        if plan.moves and plan.seconds_with_v2 is not None:
            when += f"; with --api v2 {about_text(plan.seconds_with_v2)}"
    return f"{count(plan.rows, 'row')}: {', '.join(parts)}{when}"


def under_way_text(plan: Plan, in_flight: int) -> str:
    """How far a run has come that somebody else watches."""
    counts = (
        (plan.failed, "failed"),
        (plan.uncertain - in_flight, "uncertain"),
        (plan.undone, "undone"),
        (in_flight, "in flight"),
        (plan.to_do, "to do"),
    )
    others = "".join(f", {number:,} {word}" for number, word in counts if number)
    return f"{count(plan.rows, 'row')}: {plan.created:,} created so far{others}"


def _before(plan: Plan) -> str:
    return f"created before, of these {plan.unfinished:,} to finish" if plan.unfinished else "created before"


def line_text(snapshot: Snapshot, now: datetime, verb: str = "") -> str:
    """One line for logs; with `verb` ("deleted") about documents, else about rows."""
    others = ((snapshot.failed, "failed"), (snapshot.uncertain, "uncertain"))
    troubled = "".join(f", {number:,} {word}" for number, word in others if number)
    counts = f"{snapshot.created:,} created{troubled}, {snapshot.left:,} left"
    if verb:
        counts = f"{snapshot.total - snapshot.left:,} of {snapshot.total:,} {verb}"
    parts = [counts, rate_text(snapshot.rate_now), left_text(snapshot, now), snapshot.note]
    return "; ".join(part for part in parts if part)


@contextmanager
def now_and_then(watch: Watch, show: Callable[[Snapshot], None]) -> Iterator[None]:
    """While in the block, show progress from a thread: after 10 s, and then after pauses that grow to 5 minutes.

    Nothing is shown while nothing is sent, unless something slows the command.
    """
    over = threading.Event()

    def keep_writing() -> None:
        pause, last_requests = FIRST_LINE_SECONDS, -1
        while not over.wait(pause):
            snapshot = watch.snapshot(time.monotonic())
            if snapshot.requests != last_requests or snapshot.note:
                show(snapshot)
            last_requests = snapshot.requests
            pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)

    thread = threading.Thread(target=keep_writing, name="progress lines", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
