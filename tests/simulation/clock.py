"""The virtual loop for a process that can be killed, and whose order of events is the same in every process.

asyncio and anyio keep tasks and scopes in sets, whose order follows addresses in memory. Here each task hashes to its
number and each scope to its host task's, so that a cancellation reaches them in the same order every time.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from anyio._backends import _asyncio as anyio_asyncio

from tests.support.virtual import Deadlock, VirtualLoop

T = TypeVar("T")
MOST_TURNS = 20_000  # of the loop while the clock stands still: more is a busy loop
__all__ = ["Deadlock", "ProcessDied", "SimulatedLoop", "Spinning", "steady_order"]


class Spinning(RuntimeError):  # noqa: N818 - named after what happens
    """The loop turns without end."""


class ProcessDied(BaseException):
    """The simulated process is dead: nothing that it does from now on has any effect."""


class _Task(asyncio.Task[Any]):
    """A task that hashes to its number."""

    number = 0

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        return self is other


class SimulatedLoop(VirtualLoop):
    """One process's loop. Its clock begins at `now_seconds` of the world."""

    def __init__(self, now_seconds: float = 0.0) -> None:
        super().__init__()
        self._selector.now = now_seconds
        self._turns = 0
        self._last = now_seconds
        self._was_killed = False
        self.complaints: list[str] = []
        self._numbers = itertools.count(1)
        self.set_task_factory(self._make_task)  # type: ignore[arg-type]

    def _make_task(self, loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, T], **more: Any) -> asyncio.Task[T]:
        # the number comes first: asyncio puts a task into a set while it is being made
        task = _Task.__new__(_Task)
        task.number = next(self._numbers)
        task.__init__(coro, loop=loop, **more)  # type: ignore[misc]
        return task

    def _process_events(self, event_list: list[Any]) -> None:
        super()._process_events(event_list)
        now = self.time()
        self._turns = self._turns + 1 if now == self._last else 0
        self._last = now
        if self._turns > MOST_TURNS:
            raise Spinning(f"the loop has turned {self._turns} times at {now:.1f} s: something spins")

    def live(self, main: Coroutine[Any, Any, T]) -> T:
        """Run the process's `main` to its end. Raises ProcessDied if it is killed on the way."""
        self.set_exception_handler(self._complain)
        try:
            result = self.run_until_complete(main)
        except BaseException as error:
            if self._was_killed:  # whatever its last gasp was
                raise ProcessDied from error
            raise
        finally:
            self._bury()
            self.close()
        if self._was_killed:
            raise ProcessDied
        return result

    def _complain(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not self._was_killed:
            self.complaints.append(f"{context.get('message')}: {context.get('exception')!r}")

    def kill(self) -> None:
        """Stop at once, as if the process had been killed: no task runs on."""
        self._was_killed = True
        self.stop()

    def _bury(self) -> None:
        """End the tasks that are left. A dead one's disk and wire raise ProcessDied, so nothing comes of it."""
        left: list[asyncio.Task[Any]] = []
        self._turns = 0
        for _ in range(100):
            left = sorted((task for task in asyncio.all_tasks(self) if not task.done()), key=hash)
            if not left:
                return
            self.call_soon(self.stop)
            self.run_forever()  # first, so that each has begun: anyio leaves a coroutine behind in one that has not
            for task in left:
                task.cancel()
            self.call_soon(self.stop)
            self.run_forever()
        raise Spinning(f"tasks do not end when cancelled: {left}")


@contextmanager
def steady_order() -> Iterator[None]:
    """While in the block, anyio's scopes hash to their host task's number (see the module's docstring)."""
    scope_class: Any = anyio_asyncio.CancelScope
    before = scope_class.__hash__
    scope_class.__hash__ = lambda scope: hash(scope._host_task)
    try:
        yield
    finally:
        scope_class.__hash__ = before
