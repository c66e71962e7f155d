"""The command `batcher`, also as `python -m batcher`."""

from __future__ import annotations

import os
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # until the signals are caught, every import is a moment in which one ends in a traceback
    from collections.abc import Callable
    from types import FrameType

STARTED = time.monotonic()  # --deadline counts from here
INTERRUPTED = 130


def main() -> None:
    """Run the command line and exit with its code."""
    signals = Signals()
    _replace_closed_streams()
    from .cli.app import execute  # noqa: PLC0415 - after the clock has been read

    try:
        code = execute(sys.argv[1:], STARTED, signals.release)
    except KeyboardInterrupt:  # another one, while the first was told of
        code = INTERRUPTED
    signals.end(code)
    sys.exit(code)


class Signals:
    """SIGINT, SIGTERM and SIGHUP from the first moment to the last. One that is ignored (nohup) stays ignored.

    While modules are imported, a signal waits: an exception in the middle of an import ends in a traceback, or a crash of
    the interpreter. A second one ends the process at once; nothing can have been sent or written by then.
    """

    def __init__(self) -> None:
        """Catch them from here on."""
        self._code = INTERRUPTED
        self._has_come = False
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        self._caught = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
        self._catch(self._hold)

    def release(self) -> None:
        """From here on a signal raises KeyboardInterrupt. One that has come before does so now."""
        self._catch(signal.default_int_handler)
        if self._has_come:
            raise KeyboardInterrupt

    def end(self, code: int) -> None:
        """Everything is said and done: a signal no longer changes the exit code."""
        self._code, self._has_come = code, True
        self._catch(self._hold)

    def _catch(self, handler: Callable[[int, FrameType | None], object]) -> None:
        for number in self._caught:
            signal.signal(number, handler)

    def _hold(self, _number: int, _frame: FrameType | None) -> None:
        if self._has_come:
            os._exit(self._code)
        self._has_come = True


def _replace_closed_streams() -> None:
    """A parent may have closed standard streams (`>&-`): nothing is there to read, and nobody to tell.

    Their numbers are taken, too: else the journal might get one, and in it whatever a library prints.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - open to the end


if __name__ == "__main__":
    main()
