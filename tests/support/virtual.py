"""Virtual time: an asyncio loop whose clock jumps to the next timer when nothing is ready.

    virtual.run(main, arg)                                   # one call, one fresh loop
    anyio.run(main, backend_options={"loop_factory": VirtualLoop})

An hour of waiting costs as much as its wake-ups. The clock moves in no other way, so a run is the same every time.
There are no sockets and no threads here: nobody outside could be waited for without real time.
"""

from __future__ import annotations

import asyncio
import selectors
from asyncio import base_events
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Never, TypeVar, TypeVarTuple

import anyio

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# A real timer is always a little late. Without that, code that computes its next wake-up from the time left over would
# find 1e-17 s left, sleep for that long, and never see the clock move.
LATE = 1e-9  # seconds
# A real timer is always a little late. Without that, code that computes its next wake-up from the time left over would
# find 1e-17 s left, sleep for that long, and never see the clock move.
LATE = 1e-9  # seconds
EPOCH = 1000.0  # seconds; not 0, so that code that takes 0.0 for "never" is found out


class Deadlock(RuntimeError):  # noqa: N818 - named after the thing
    """Every task waits and no timer is set: in virtual time nothing can ever happen again."""


class _Selector(selectors.BaseSelector):
    """Instead of waiting for files, moves the loop's clock on."""

    def __init__(self) -> None:
        self.now = EPOCH

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Let `timeout` seconds pass at once; None means that the loop has nothing left to wait for."""
        if timeout is None:
            raise Deadlock(_who_waits())
        if timeout > 0.0:
            self.now += timeout + LATE
        return []

    def register(self, fileobj: FileDescriptorLike, events: int, data: Any = None) -> Never:
        """No files in virtual time."""
        raise RuntimeError(f"{fileobj} ({events}, {data}) was opened under virtual time: simulate it instead")

    def unregister(self, fileobj: FileDescriptorLike) -> Never:
        """No files in virtual time."""
        raise KeyError(fileobj)

    def get_map(self) -> dict[FileDescriptorLike, selectors.SelectorKey]:
        """No files."""
        return {}

    def get_key(self, fileobj: FileDescriptorLike) -> Never:
        """No files."""
        raise KeyError(fileobj)


def _who_waits() -> str:
    """One line per task that waits, with its innermost place."""
    lines = ["deadlock in virtual time: no task can run and no timer is set (a thread cannot be waited for here)"]
    for task in asyncio.all_tasks():
        frames = task.get_stack(limit=1)
        place = f"{frames[0].f_code.co_filename}:{frames[0].f_lineno}" if frames else "?"
        lines.append(f"  {task.get_name()} waits at {place}")
    return "\n".join(lines)


class VirtualLoop(base_events.BaseEventLoop):
    """asyncio's loop on virtual time. `time()` is in seconds and begins at `EPOCH`."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Selector()

    def time(self) -> float:
        """Virtual seconds."""
        return self._selector.now

    def stall(self, seconds: float) -> None:
        """Let time pass without any task running, as a blocking call would."""
        self._selector.now += seconds

    def _process_events(self, event_list: list[tuple[selectors.SelectorKey, int]]) -> None:
        """There are no files, hence no events."""

    def _write_to_self(self) -> None:
        """Nobody sleeps in a selector, hence nobody needs waking."""

    def run_in_executor(self, executor: object, func: Callable[..., object], *args: object) -> Never:
        """Threads run in real time only."""
        raise RuntimeError(f"{func} was sent to a thread under virtual time: simulate it instead ({executor}, {args})")

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: object) -> Never:
        """Signals arrive in real time only."""
        raise NotImplementedError


def run(func: Callable[[*Ts], Awaitable[T]], *args: *Ts) -> T:
    """Run one async function to its end in virtual time, on a fresh loop, under anyio."""
    return anyio.run(func, *args, backend_options={"loop_factory": VirtualLoop})


def loop() -> VirtualLoop:
    """The running virtual loop."""
    running = asyncio.get_running_loop()
    assert isinstance(running, VirtualLoop)
    return running
