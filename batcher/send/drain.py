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

    Everything that waits is inside `waits`; in there, a request that must not be torn off is inside a scope that is one of
    `flights`, from `take_off` until it has landed. `is_on`: nothing more may be sent.
    """

    def __init__(self) -> None:
        self.is_on = False
        self.reasons: dict[End, str] = {}
        self._waits: list[anyio.CancelScope] = []
        self.flights: set[anyio.CancelScope] = set()
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
        for flight in self.flights:  # what cancels the waits around it now comes through
            flight.shield = False

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

    def take_off(self, flight: anyio.CancelScope) -> None:
        """A request leaves inside this scope: a starting drain doesn't touch it, only `abort` cuts it off."""
        flight.shield = not self._is_aborted
        self.flights.add(flight)

    def land(self, flight: anyio.CancelScope) -> None:
        """Its reply has come, or it was cut off."""
        self.flights.discard(flight)
        flight.shield = False
