"""How a run ends before its last row: waits are cancelled, requests in flight are let finish, or are cut on demand."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from enum import StrEnum

import anyio

from ..errors import Stopped, StopReason


class End(StrEnum):
    """What else than a trouble ends a run."""

    INTERRUPTED = "interrupted"
    DEADLINE = "deadline"
    CLOSED = "closed"  # a program left the block


class Drain:
    """Begun by a signal, a deadline or a trouble; may be begun several times: `ends` are all, `stopped` is the first trouble.

    Everything that waits is inside `waits`; in there, a request that must not be torn off is inside a scope that is one of
    `flights`, from `take_off` until it has landed. `is_on`: nothing more may be sent.
    """

    def __init__(self) -> None:
        self.is_on = False
        self.ends: set[End] = set()
        self.stopped: Stopped | None = None
        self._waits: list[anyio.CancelScope] = []
        self.flights: set[anyio.CancelScope] = set()
        self._is_aborted = False

    def start(self, end: End) -> None:
        """Send nothing more; what is in flight is waited for."""
        self.ends.add(end)
        self._begin()

    def stop(self, message: str, stop_reason: StopReason) -> None:
        """As `start`, for a trouble; the first one is told."""
        self.stopped = self.stopped or Stopped(message, stop_reason)
        self._begin()

    @property
    def stop_reason(self) -> StopReason | None:
        """What ended the run, the weightiest first (contract 10)."""
        if End.INTERRUPTED in self.ends:
            return StopReason.INTERRUPTED
        if self.stopped is not None:
            return self.stopped.stop_reason
        return StopReason.DEADLINE if End.DEADLINE in self.ends else None

    def _begin(self) -> None:
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
