"""`python -m tests.soak`: half an hour at 200 requests a second with 2 % of each fault, and what it did to the process."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from .soak import Soak


def main() -> int:
    """Read the command line and do it. Exit code 1 if something was lost or made twice, or if something grew."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Run for long; watch what grows.")
    parser.add_argument("--minutes", type=float, default=30.0, help="how long the first run is to take (default 30)")
    parser.add_argument("--per-second", type=int, default=200, help="requests a second (default 200)")
    parser.add_argument("--share", type=float, default=0.02, help="of the requests that meet each fault (default 0.02)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="batcher-soak-") as directory:
        found = asyncio.run(Soak(Path(directory), asked.minutes, asked.per_second, asked.share).live())
    print("\n".join(found.told()))
    return 0 if found.is_right else 1


if __name__ == "__main__":
    sys.exit(main())
