"""Lay sieges by hand and print their numbers; see `python -m tests.crash --help`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import orjson

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
    parser.add_argument("--api", action="append", help="each life chooses one of these versions (default: v1)")
    parser.add_argument("--directory", type=Path, help="one siege there, its numbers as JSON")
    asked = parser.parse_args()
    versions = tuple(asked.api or ("v1",))
    if asked.directory is not None:
        mode = Mode(asked.mode[0] if asked.mode else Mode.FILLED)
        numbers = Siege(asked.directory, mode, asked.rows, asked.kills, asked.seed, asked.signals, versions).run()
        print(orjson.dumps(numbers, option=orjson.OPT_NON_STR_KEYS).decode())
        return 0
    return 0 if all(long_run(asked, mode, versions) for mode in asked.mode or list(Mode)) else 1


def long_run(asked: argparse.Namespace, mode: Mode, versions: tuple[str, ...]) -> bool:
    """As many sieges as the kills take; an input that is finished before they are spent is followed by another."""
    struck, round_ = 0, 0
    while struck < asked.kills:
        directory = Path(tempfile.mkdtemp(prefix=f"batcher-crash-{mode}-"))
        left = asked.kills - struck
        rows = min(asked.rows, 2 * left + 20)
        begun = time.monotonic()
        try:
            seed = asked.seed * 1000 + round_
            numbers = Siege(directory, mode, rows, left, seed, asked.signals, versions).run()
        except AssertionError as broken:
            print(f"{mode}: a law was broken; the files are in {directory}\n{broken}")
            return False
        print(told(numbers, rows, time.monotonic() - begun), flush=True)
        struck, round_ = struck + numbers.struck, round_ + 1
    return True


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
