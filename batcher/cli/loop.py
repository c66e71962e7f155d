"""The event loop, and the signals that end a run in good order."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import TypeVar

import anyio

from ..send.drain import Drain, End

T = TypeVar("T")

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def loop_options() -> dict[str, object]:
    """Anyio's backend options: uvloop where it is installed."""
    return {"use_uvloop": True} if importlib.util.find_spec("uvloop") is not None else {}


def spare_collector() -> None:
    """What is loaded now lives to the end, so the garbage collector need not look at it again and again.

    It costs a run 8 % otherwise; cycles are rare here, and looked for less often.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def run_until(body: Callable[[], Awaitable[T]], interrupts: Interrupts, deadline_seconds: float | None) -> T:
    """Run `body` in a loop of its own; signals and the deadline (seconds from now) end it in good order."""
    spare_collector()
    with interrupts.caught():
        whole = partial(_until_deadline, body, interrupts.drain, deadline_seconds)
        try:
            return anyio.run(whole, backend_options=loop_options())
        except RuntimeError as error:
            if interrupts.has_raised:  # a loop that is interrupted between two steps complains of that in its own way
                raise KeyboardInterrupt from error
            raise


async def _until_deadline(body: Callable[[], Awaitable[T]], drain: Drain, deadline_seconds: float | None) -> T:
    async with anyio.create_task_group() as tasks:
        if deadline_seconds is not None:
            tasks.start_soon(_end_at, deadline_seconds, drain)
        result = await body()
        tasks.cancel_scope.cancel()
    return result


async def _end_at(seconds: float, drain: Drain) -> None:
    await anyio.sleep(seconds)
    drain.start(End.DEADLINE, "deadline")


@dataclass(slots=True)
class Interrupts:
    """What SIGINT, SIGTERM and SIGHUP do to a run.

    Before anything can be sent a signal ends the program at once (KeyboardInterrupt). Afterwards the first drains, the
    second stops at once, and a third no longer waits for that. They act between two steps of the event loop. While the
    run closes its files, which ends by itself, the first two change nothing.
    """

    drain: Drain
    say: Callable[[str], None]
    count: int = 0
    has_sent: bool = False
    has_raised: bool = False
    loop: asyncio.AbstractEventLoop | None = None

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Handle the signals while in the block. One that is ignored (nohup) stays ignored."""
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        caught = [number for number in _SIGNALS if before[number] != signal.SIG_IGN]
        for number in caught:
            signal.signal(number, self._handle)
        try:
            yield
        finally:
            for number in caught:
                signal.signal(number, before[number])

    @contextmanager
    def draining(self) -> Iterator[None]:
        """While in the block, which runs in the event loop, signals drain instead of ending at once."""
        self.loop = asyncio.get_running_loop()
        self.has_sent = True
        try:
            yield
        finally:
            self.loop = None

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if not self.has_sent or self.count > 2:
            self.has_raised = True
            raise KeyboardInterrupt
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self._pass_on, self.count, signal.Signals(number).name)

    def _pass_on(self, count: int, name: str) -> None:
        if count == 1:
            self.say(f"{name}: nothing more is sent; waiting for what is in flight. Again to stop at once.")
            self.drain.start(End.INTERRUPTED, "interrupted")
        else:
            self.say(f"{name}: stopping at once; what is in flight is settled by the next run.")
            self.drain.abort()
