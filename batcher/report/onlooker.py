"""What `undo` and `verify` tell those who watch them, as `reporter` is for runs. Nothing here prints."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from ..models import Problem
from .reporter import Gauge


class Onlooker(Protocol):
    """Told of everything that happens, in order, by one thread. None of these raises or waits."""

    def warning(self, message: str) -> None:
        """Something that the user should know."""

    def working(self, total: int, gauge: Gauge) -> AbstractContextManager[None]:
        """Entered when requests begin to leave for so many documents, left when the last is accounted for."""

    def done(self, line: str) -> None:
        """One document is done, as it should be; `line` says so."""

    def problem(self, problem: Problem) -> None:
        """One thing about one document that is not as it should be."""

    def detail(self, problem: Problem) -> None:
        """One thing about one document that nobody can tell."""


class Unwatched:
    """An Onlooker that says nothing; a base for those that care about a part only."""

    def warning(self, message: str) -> None:
        """Say nothing."""

    def working(self, total: int, gauge: Gauge) -> AbstractContextManager[None]:  # noqa: ARG002 - the protocol's
        """Show nothing."""
        return nullcontext()

    def done(self, line: str) -> None:
        """Say nothing."""

    def problem(self, problem: Problem) -> None:
        """Say nothing."""

    def detail(self, problem: Problem) -> None:
        """Say nothing."""
