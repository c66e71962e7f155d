"""What a run tells those who watch it. The pipeline calls a Reporter; bars, lines and log files hang on to it.

Nothing here prints. A program that uses the library passes `Silent()`, or a Reporter of its own.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from ..models import Outcome, Problem
from .plan import Plan
from .summary import Summary


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
