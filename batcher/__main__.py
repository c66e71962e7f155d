"""The command `batcher`, also as `python -m batcher`."""

from __future__ import annotations

import sys
import time

STARTED = time.monotonic()  # --deadline counts from here


def main() -> None:
    """Run the command line and exit with its code."""
    from .cli.commands import execute  # noqa: PLC0415 - after the clock has been read

    sys.exit(execute(sys.argv[1:], STARTED))


if __name__ == "__main__":
    main()
