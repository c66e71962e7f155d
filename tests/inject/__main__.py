"""Inject every fault into every call, or a seeded part of them; see `python -m tests.inject --help`."""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .injection import CALLS, STRACE, Fault, all_of, inject


def main() -> int:
    """Read the command line and do it. Exit code 1 if a law was broken, 2 without strace."""
    parser = argparse.ArgumentParser(prog="python -m tests.inject", description="Make each system call of a run fail.")
    parser.add_argument("--call", choices=CALLS, action="append", help="only this kind (default: each)")
    parser.add_argument("--jobs", type=int, default=2, help="at once (default 2)")
    asked = parser.parse_args()
    if STRACE is None:
        print("strace is not installed (Debian: apt-get install strace)", file=sys.stderr)
        return 2
    begun = time.monotonic()
    kinds = list(itertools.product((False, True), asked.call or CALLS, Fault))
    with ThreadPoolExecutor(asked.jobs) as pool:
        done = list(pool.map(lambda kind: _until_none_is_left(*kind), kinds))
    counts: Counter[str] = Counter()
    for (_, call, _), (times, broken) in zip(kinds, done, strict=True):
        counts[call] += times
        for text in broken:
            print(text)
    told = ", ".join(f"{call} {times}" for call, times in counts.items())
    broken_laws = sum(len(broken) for _, broken in done)
    print(f"{counts.total()} faults in {time.monotonic() - begun:.0f} s ({told}): {broken_laws} broke a law")
    return 1 if broken_laws else 0


def _until_none_is_left(is_resumed: bool, call: str, fault: Fault) -> tuple[int, list[str]]:
    """How many there were, and what was broken."""
    times, broken = 0, []
    for injection in all_of(is_resumed, call, fault):
        with tempfile.TemporaryDirectory(prefix="batcher-inject-") as directory:
            try:
                has_happened = inject(Path(directory), injection)
            except AssertionError as error:
                has_happened = True
                broken.append(str(error))
        if not has_happened:
            break
        times += 1
    return times, broken


if __name__ == "__main__":
    sys.exit(main())
