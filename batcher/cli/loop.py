"""The event loop, and the signals that end a command gracefully."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import os
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import anyio

from ..config import RunSettings
from ..report.observers import Gauge
from ..runtime import runtime_of
from ..send.drain import Drain, End
from ..transport.base_url import is_local
from .allowed import check_threads, fitting
from .end import Invocation
from .screen.console import count
from .screen.observer import ConsoleObserver

if TYPE_CHECKING:
    from ..commands.list_models import ModelsSettings
    from ..commands.undo import UndoSettings

T = TypeVar("T")

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def loop_options() -> dict[str, object]:
    """Anyio's backend options: uvloop where it is installed."""
    return {"use_uvloop": True} if importlib.util.find_spec("uvloop") is not None else {}


def spare_collector() -> None:
    """Keep the garbage collector from scanning what is loaded now and lives to the end.

    That costs a run 8 % otherwise. Cycles are rare here, so it looks for them less often.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def carry_out(
    command: Callable[..., Coroutine[Any, Any, T]],
    settings: RunSettings | UndoSettings | ModelsSettings,
    invocation: Invocation,
    observer: ConsoleObserver,
    deadline: float | None = None,
    **more: Any,
) -> T:
    """Run a command that sends: signals drain it, and so does the deadline (seconds since the process began).

    `more` are further arguments of the command.
    """
    interrupts = Interrupts(Drain(), invocation.console.notice)
    invocation.has_sent = lambda: interrupts.has_sent
    observer.around = interrupts.draining
    check_threads()
    settings = replace(settings, sending=fitting(settings, invocation.console.warning))
    base_url = settings.endpoint.base_url  # none where nothing will be sent
    if settings.sending.rate is None and base_url and not settings.endpoint.sandbox and not is_local(base_url):
        observer.warning(
            f"--rate none: requests to {base_url} aren't limited, and Omni allows each key 60 a minute. "
            "Unless that server has no limit, use --rate 60/min"
        )
    runtime = runtime_of(settings.sending, os.environ, observer.warning)
    runtime = replace(runtime, run_id=invocation.console.run)
    body = partial(command, settings, observer=observer, drain=interrupts.drain, runtime=runtime, **more)
    left = None if deadline is None else max(0.0, invocation.started + deadline - time.monotonic())
    return run_until(body, interrupts, left)


def run_until(body: Callable[[], Awaitable[T]], interrupts: Interrupts, deadline_seconds: float | None) -> T:
    """Run `body` in a loop of its own; signals and the deadline (seconds from now) end it gracefully."""
    spare_collector()
    with interrupts.caught():
        whole = partial(_until_deadline, body, interrupts, deadline_seconds)
        try:
            return anyio.run(whole, backend_options=loop_options())
        except RuntimeError as error:
            if interrupts.has_raised:  # a loop that is interrupted between two steps complains of that in its own way
                raise KeyboardInterrupt from error
            raise


async def _until_deadline(
    body: Callable[[], Awaitable[T]], interrupts: Interrupts, deadline_seconds: float | None
) -> T:
    interrupts.begin()
    if deadline_seconds is None:
        return await body()
    timer = asyncio.get_running_loop().call_later(deadline_seconds, interrupts.drain.start, End.DEADLINE)
    try:
        return await body()
    finally:
        timer.cancel()


@dataclass(slots=True)
class Interrupts:
    """What SIGINT, SIGTERM and SIGHUP do to a run.

    Before anything can be sent a signal ends the program at once (KeyboardInterrupt), but not before the event loop stands:
    one that is half made complains of being left. Afterwards the first drains, the
    second stops at once, and a third no longer waits for that. They act between two steps of the event loop. While the
    run closes its files, which ends by itself, the first two change nothing.
    """

    drain: Drain
    say: Callable[[str], None]
    count: int = 0
    has_begun: bool = False
    has_sent: bool = False
    has_raised: bool = False
    loop: asyncio.AbstractEventLoop | None = None
    gauge: Gauge | None = None

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

    def begin(self) -> None:
        """The event loop stands. Raises KeyboardInterrupt if a signal has come before."""
        self.has_begun = True
        if self.count:
            self._raise()

    @contextmanager
    def draining(self, gauge: Gauge) -> Iterator[None]:
        """While in the block, which runs in the event loop, signals drain instead of ending at once."""
        self.loop, self.gauge = asyncio.get_running_loop(), gauge
        self.has_sent = True
        try:
            yield
        finally:
            self.loop = None

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if (self.has_begun and not self.has_sent) or self.count > 2:
            self._raise()
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self._pass_on, self.count, signal.Signals(number).name)

    def _raise(self) -> NoReturn:
        self.has_raised = True
        raise KeyboardInterrupt

    def _pass_on(self, number: int, name: str) -> None:
        if number == 1:
            waiting = self.gauge.in_flight if self.gauge else 0
            again = "Press Ctrl-C again" if name == "SIGINT" else f"{name}; send it again"
            wait = f": waiting for {count(waiting, 'request')} to finish" if waiting else ""
            self.say(f"Stopping{wait}. {again} to quit now.")
            self.drain.start(End.INTERRUPTED)
        else:
            self.say("Quitting now. The next run settles the requests in flight.")
            self.drain.abort()
