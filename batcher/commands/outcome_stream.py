"""The outcomes of a batch on their way to the program that asked for it."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable

import anyio

from ..errors import Stopped
from ..models import Outcome
from ..send.batch import Tally
from ..send.drain import Drain, End
from .without_flags import outcome_without_flags, without_flags

MOST_UNREAD = 1000  # outcomes that may wait for the program; then no new spec is begun


class Outcomes:
    """Outcomes as they happen, each already on disk: `async for outcome in outcomes`.

    `tally` counts them; `skipped` counts specs that were created before. A spec that waits for a person is told of each
    time, as `Uncertain`, though nothing was asked or sent for it. Raises Stopped at the end of the iteration if the batch
    ended early.
    """

    def __init__(self, drain: Drain) -> None:
        self.tally = Tally()
        self.skipped = 0
        self.trouble: Exception | None = None  # what leaving the block raises
        self._drain = drain
        self._unread: deque[Outcome] = deque()
        self._changed = anyio.Event()
        self._is_over = False

    def __aiter__(self) -> AsyncIterator[Outcome]:
        """Itself."""
        return self

    async def __anext__(self) -> Outcome:
        """The next outcome, waiting for it."""
        while not self._unread:
            if self._is_over:
                if stopped := self._drain.stopped:
                    raise Stopped(without_flags(str(stopped)), stopped.stop_reason)
                raise StopAsyncIteration
            await self._changed.wait()
        if len(self._unread) == MOST_UNREAD:
            self._wake()
        return outcome_without_flags(self._unread.popleft())

    def put(self, outcome: Outcome) -> None:
        """Called by the batch; never waits."""
        self._unread.append(outcome)
        self._wake()

    def careful(self, warn: Callable[[str], None]) -> Callable[[str], None]:
        """The program's `warn`, which may raise: that ends the block as an exception in it does."""

        def careful(message: str) -> None:
            try:
                warn(without_flags(message))
            except Exception as error:  # noqa: BLE001 - the program's own, and it comes out of the block as it is
                self.trouble = self.trouble or error
                self._drain.start(End.CLOSED)

        return careful

    async def room(self) -> None:
        """Wait until the program has read some."""
        while len(self._unread) >= MOST_UNREAD:
            await self._changed.wait()

    def end(self) -> None:
        """No more will come."""
        self._is_over = True
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
