"""The command `batcher`, also as `python -m batcher`."""

from __future__ import annotations

import os
import sys
import time

STARTED = time.monotonic()  # --deadline counts from here


def main() -> None:
    """Run the command line and exit with its code."""
    _replace_closed_streams()
    from .cli.app import execute  # noqa: PLC0415 - after the clock has been read

    sys.exit(execute(sys.argv[1:], STARTED))


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
