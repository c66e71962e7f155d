"""What a run tells those who watch it. The pipeline calls a Reporter; bars, lines and log files hang on to it.

Nothing here prints. A program that uses the library passes `Silent()`, or a Reporter of its own.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from ..models import Outcome, Problem
from ..pace.rate import Rate
from .summary import Summary

LARGE_RUN = 100  # rows; from here on a first run is told of `--limit 5`


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run finds before it sends. `rows` = created + failed + uncertain + undone + to_do.

    `failed` are those of earlier runs, sent again after all others, and the `invalid` ones, which are not sent.
    `uncertain` are settled first. `changed` (part of created) differ from what was sent. `keys` multiply the rate.
    """

    rows: int
    created: int = 0
    failed: int = 0
    invalid: int = 0
    uncertain: int = 0
    undone: int = 0
    to_do: int = 0
    changed: int = 0
    other_failures: int = 0
    rate: Rate | None = None
    keys: int = 1
    limit: int | None = None

    @property
    def sending(self) -> int:
        """Rows that this run will attempt or settle."""
        rows = self.to_do + self.failed - self.invalid + self.uncertain
        return rows if self.limit is None else min(rows, self.limit)

    @property
    def is_large_first(self) -> bool:
        """Whether a canary would be wise: many rows, none of them created yet, and no limit given."""
        return self.limit is None and self.created == 0 and self.sending >= LARGE_RUN

    @property
    def seconds(self) -> float | None:
        """How long that takes at the rate, one request for each row; None without a rate."""
        if self.rate is None:
            return None
        return max(0, self.sending - 1) * self.rate.period_seconds / (self.rate.limit * max(1, self.keys))


class Gauge(Protocol):
    """What changes by itself while a run sends: read by the bar, from another thread, a few times a second."""

    @property
    def requests(self) -> int:
        """Requests started so far."""

    @property
    def in_flight(self) -> int:
        """Requests without an answer yet."""

    @property
    def note(self) -> str:
        """Why it is slower than allowed (`server not reachable, trying again in 8 s`), or an empty text."""

    def rate_now(self) -> float:
        """Requests a second allowed now; `math.inf` without a limit."""

    def braked_for(self) -> float:
        """Seconds until the brake lets go; 0.0 if it is off."""


class Reporter(Protocol):
    """Told of everything that happens, in order, by one thread. None of these raises or waits."""

    def problem(self, problem: Problem) -> None:
        """A row is invalid."""

    def warning(self, message: str) -> None:
        """Something that the user should know, although the run goes on."""

    def note(self, message: str) -> None:
        """Something that explains what the run does."""

    def sending(self, plan: Plan, gauge: Gauge) -> AbstractContextManager[None]:
        """Entered when requests begin to leave, left when the last has been accounted for."""

    def outcome(self, outcome: Outcome) -> None:
        """A row has its outcome on disk. Called thousands of times a second: only counts."""

    def finished(self, summary: Summary) -> None:
        """The run is over."""


class Silent:
    """A Reporter that says nothing; a base for those that care about a part only."""

    def problem(self, problem: Problem) -> None:
        """Say nothing."""

    def warning(self, message: str) -> None:
        """Say nothing."""

    def note(self, message: str) -> None:
        """Say nothing."""

    def sending(self, plan: Plan, gauge: Gauge) -> AbstractContextManager[None]:  # noqa: ARG002 - the protocol's
        """Show nothing."""
        return nullcontext()

    def outcome(self, outcome: Outcome) -> None:
        """Count nothing."""

    def finished(self, summary: Summary) -> None:
        """Say nothing."""
