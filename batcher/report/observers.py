"""What a command tells whoever watches it: bars, log lines, or a program that uses the library. Nothing here prints."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from ..models import Failure, Outcome, Problem
from .plan import Plan


class Gauge(Protocol):
    """What changes by itself while requests are sent: a bar reads it from another thread, about once a second."""

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


class Observer:
    """Called for everything that happens, in order, by one thread. No method raises or waits.

    This one does nothing: override what you care about.
    """

    def problem(self, problem: Problem) -> None:
        """A row is invalid, or a document isn't as it should be."""

    def detail(self, problem: Problem) -> None:
        """`verify` can't compare one part of a document."""

    def warning(self, message: str) -> None:
        """Something that the user should know, although the command goes on."""

    def planned(self, plan: Plan) -> None:
        """What a run is about to do."""

    def working(self, total: int, gauge: Gauge) -> AbstractContextManager[None]:  # noqa: ARG002 - for those who override it
        """Entered before the first request for `total` rows or documents, left when the last is accounted for."""
        return nullcontext()

    def asking(self, most: int, gauge: Gauge) -> AbstractContextManager[None]:  # noqa: ARG002 - as above
        """Entered before a look of at most so many requests, left when it is over."""
        return nullcontext()

    def outcome(self, outcome: Outcome) -> None:
        """A row's outcome is on disk. Called thousands of times a second: only count."""

    def unsent(self, outcome: Failure) -> None:
        """A row is failed or uncertain, and nothing was sent for it: it's invalid, or waits for a person."""

    def done(self, line: str) -> None:
        """`undo` or `verify` is done with a document, which is as it should be; `line` says so."""
