"""Lay sieges by hand and print their numbers; see `python -m tests.crash --help`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from .modes import Mode
from .siege import Numbers, Siege


def main() -> int:
    """Read the command line and do it. Exit code 1 if a law was broken; its directory is kept then."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description="Kill real runs; ask a real server.")
    parser.add_argument("--kills", type=int, default=300, help="for each mode (default 300)")
    parser.add_argument("--rows", type=int, default=600, help="of the input (default 600)")
    parser.add_argument("--mode", type=Mode, choices=list(Mode), action="append", help="default: each")
    parser.add_argument(
        "--seed", type=int, default=1, help="same seed, same blows (the machine's timing stays its own)"
    )
    parser.add_argument("--signals", action="store_true", help="ctrl-C and SIGTERM instead of SIGKILL")
    asked = parser.parse_args()
    for mode in asked.mode or list(Mode):
        struck, round_ = 0, 0
        while struck < asked.kills:  # an input that is finished before the kills are spent is followed by another
            directory = Path(tempfile.mkdtemp(prefix=f"batcher-crash-{mode}-"))
            left = asked.kills - struck
            rows = min(asked.rows, 2 * left + 20)
            siege = Siege(directory, mode, rows, left, asked.seed * 1000 + round_, asked.signals)
            begun = time.monotonic()
            try:
                numbers = siege.run()
            except AssertionError as broken:
                print(f"{mode}: a law was broken; the files are in {directory}\n{broken}")
                return 1
            print(told(numbers, rows, time.monotonic() - begun), flush=True)
            struck, round_ = struck + numbers.struck, round_ + 1
    return 0


def told(numbers: Numbers, rows: int, seconds: float) -> str:
    """One siege in a few lines."""
    verdict = numbers.verdict
    blows = ", ".join(f"{name} {count}" for name, count in numbers.blows.most_common())
    faults = ", ".join(f"{name} {count}" for name, count in verdict.faults.most_common())
    exits = ", ".join(f"{code}: {count}" for code, count in sorted(numbers.exits.items()))
    return (
        f"{numbers.mode}: {rows} rows, {numbers.struck} blows survived in {numbers.lives} runs, {seconds:.0f} s\n"
        f"  blows: {blows}; new failures files left half-way: {numbers.halfway_files}\n"
        f"  exit codes: {exits}\n"
        f"  faults met: {verdict.faults.total()} in {verdict.requests} requests ({faults})\n"
        f"  {verdict.documents} documents, {verdict.reconciled} reconciled, {verdict.failed} failed (strangers' "
        f"identifiers), {verdict.uncertain} uncertain; duplicates {verdict.duplicates}, losses {verdict.losses}"
    )


if __name__ == "__main__":
    sys.exit(main())
