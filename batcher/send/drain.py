"""How a run ends before its last row: waits are cancelled, requests in flight are let finish, or are cut on demand."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from enum import StrEnum
from types import TracebackType

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

    def in_flight(self) -> Flight:
        """A block that a starting drain does not touch."""
        flight = _shared.get() or Flight(anyio.CancelScope(), is_own=True)
        flight.flights, flight.is_shielded = self._flights, not self._is_aborted
        return flight


@contextlib.contextmanager
def sharing_scope() -> Iterator[None]:
    """A task's block of many requests, one after the other: `in_flight` shields one scope for all of them.

    A scope for each would cost as much as its entry in the journal.
    """
    with anyio.CancelScope() as scope:
        token = _shared.set(Flight(scope, is_own=False))
        try:
            yield
        finally:
            _shared.reset(token)


class Flight:
    """One request in flight. Not a generator's context manager: every request passes here."""

    __slots__ = ("_is_own", "_scope", "flights", "is_shielded")

    def __init__(self, scope: anyio.CancelScope, *, is_own: bool) -> None:
        self._scope = scope
        self._is_own = is_own
        self.flights: set[anyio.CancelScope] = set()
        self.is_shielded = True

    def __enter__(self) -> None:
        if self._is_own:
            self._scope.__enter__()
        self._scope.shield = self.is_shielded
        self.flights.add(self._scope)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.flights.discard(self._scope)
        if self._is_own:
            return self._scope.__exit__(kind, error, trace)
        self._scope.shield = False
        return False


_shared: ContextVar[Flight | None] = ContextVar("_shared", default=None)
