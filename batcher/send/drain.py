"""How a run ends before its last row: waits are cancelled, requests in flight are let finish, or are cut on demand."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from enum import StrEnum

import anyio


class End(StrEnum):
    """Why nothing more is sent."""

    INTERRUPTED = "interrupted"
    DEADLINE = "deadline"
    STOPPED = "stopped"
    CLOSED = "closed"  # a program left the block


class Drain:
    """Begun by a signal, a deadline or a reason to stop; may be begun several times, for several reasons.

    Everything that waits stands inside `waits`, everything that must not be torn off inside `in_flight`. `is_on`: nothing
    more may be sent.
    """

    def __init__(self) -> None:
        self.is_on = False
        self.reasons: dict[End, str] = {}
        self._waits: list[anyio.CancelScope] = []
        self._flights: set[anyio.CancelScope] = set()
        self._is_aborted = False

    def start(self, end: End, message: str = "") -> None:
        """Send nothing more; what is in flight is waited for."""
        self.reasons.setdefault(end, message)
        self.is_on = True
        for scope in self._waits:
            scope.cancel()

    def abort(self, end: End = End.INTERRUPTED) -> None:
        """Wait for nothing any more. What is cut off is unclear, and stands in the journal as such."""
        self._is_aborted = True
        self.start(end)
        for scope in self._flights:
            scope.shield = False
            scope.cancel()

    @contextlib.contextmanager
    def waits(self) -> Iterator[anyio.CancelScope]:
        """A block that ends early when a drain starts."""
        with anyio.CancelScope() as scope:
            self._waits.append(scope)
            if self.is_on:
                scope.cancel()
            try:
                yield scope
            finally:
                self._waits.remove(scope)

    @contextlib.contextmanager
    def in_flight(self) -> Iterator[None]:
        """A block that a starting drain doesn't touch; only `abort` cuts it off."""
        with anyio.CancelScope(shield=not self._is_aborted) as scope:
            self._flights.add(scope)
            try:
                yield
            finally:
                self._flights.discard(scope)
