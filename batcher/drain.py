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

    Everything that waits stands inside `waits`, everything that must not be torn off inside `in_flight`.
    """

    def __init__(self) -> None:
        self.reasons: dict[End, str] = {}
        self._waits: list[anyio.CancelScope] = []
        self._flights: set[anyio.CancelScope] = set()
        self._is_now = False

    @property
    def is_on(self) -> bool:
        """Whether nothing more may be sent."""
        return bool(self.reasons)

    def start(self, end: End, message: str = "") -> None:
        """Send nothing more; what is in flight is waited for."""
        self.reasons.setdefault(end, message)
        for scope in self._waits:
            scope.cancel()

    def now(self, end: End = End.INTERRUPTED) -> None:
        """Wait for nothing any more. What is cut off is unclear, and stands in the journal as such."""
        self._is_now = True
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

    def in_flight(self) -> _Flight:
        """A block that a starting drain does not touch."""
        return _Flight(self._flights, _shared.get(), is_shielded=not self._is_now)


@contextlib.contextmanager
def sharing_scope() -> Iterator[None]:
    """A task's block of many requests, one after the other: `in_flight` shields one scope for all of them.

    A scope for each would cost as much as its entry in the journal.
    """
    with anyio.CancelScope() as scope:
        token = _shared.set(scope)
        try:
            yield
        finally:
            _shared.reset(token)


_shared: ContextVar[anyio.CancelScope | None] = ContextVar("_shared", default=None)


class _Flight:
    """One request in flight. Not a generator's context manager: every request passes here."""

    __slots__ = ("_flights", "_is_own", "_is_shielded", "_scope")

    def __init__(self, flights: set[anyio.CancelScope], shared: anyio.CancelScope | None, *, is_shielded: bool) -> None:
        self._flights = flights
        self._is_own = shared is None
        self._scope = shared or anyio.CancelScope()
        self._is_shielded = is_shielded

    def __enter__(self) -> None:
        if self._is_own:
            self._scope.__enter__()
        self._scope.shield = self._is_shielded
        self._flights.add(self._scope)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._flights.discard(self._scope)
        if self._is_own:
            return self._scope.__exit__(kind, error, trace)
        self._scope.shield = False
        return False
