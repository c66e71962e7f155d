"""Recover every state of two traced runs; see `python -m tests.states --help`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from .recovery import STRACE, TracedRun, cases, check_recovery, traced_run


def main() -> int:
    """Read the command line and do it. Exit code 1 if a law was broken or a tooth didn't bite, 2 without strace."""
    parser = argparse.ArgumentParser(prog="python -m tests.states", description="Recover what a power cut may leave.")
    parser.add_argument("--seeds", type=int, default=2, help="of torn places, holes and combinations (default 2)")
    parser.add_argument("--teeth", action="store_true", help="leave out each file's syncs, and see that it's noticed")
    asked = parser.parse_args()
    if STRACE is None:
        print("strace is not installed (Debian: apt-get install strace)", file=sys.stderr)
        return 2
    begun, count, broken = time.monotonic(), 0, 0
    for is_resumed in (False, True):
        with tempfile.TemporaryDirectory(prefix="batcher-states-") as directory:
            run = traced_run(Path(directory), is_resumed=is_resumed)
            if asked.teeth:
                broken += sum(not _bites(run, path) for path in synced(run))
                continue
            for seed in range(asked.seeds):
                for text in _broken(run, seed):
                    count += 1
                    broken += text is not None
                    if text is not None:
                        print(text)
    if not asked.teeth:
        print(f"{count} states recovered in {time.monotonic() - begun:.0f} s: {broken} broke a law")
    return 1 if broken else 0


def synced(run: TracedRun) -> list[Path]:
    """Each file that the run syncs, and its directory."""
    return sorted({event.deed.path for event in run.events if type(event.deed).__name__ == "SyncBegan"})


def first_broken(run: TracedRun, left_out: Path, seed: int = 0) -> str | None:
    """What goes wrong first if this file (or the directory) is never synced; None: nothing does."""
    return next((text for text in _broken(run.without_sync(left_out), seed) if text is not None), None)


def _broken(run: TracedRun, seed: int) -> Iterator[str | None]:
    shuffled = list(cases(run, seed))
    Random(seed).shuffle(shuffled)
    # the end first: what was counted must be there, with no run to help
    shuffled.sort(key=lambda case: not case[0].is_end)
    for state, until in shuffled:
        try:
            check_recovery(run, state, until)
            yield None
        except AssertionError as error:
            yield str(error)


def _bites(run: TracedRun, left_out: Path) -> bool:
    text = first_broken(run, left_out)
    print(f"without the sync of {left_out.name}: {text[:200] if text else 'NOT NOTICED'}", flush=True)
    return text is not None


if __name__ == "__main__":
    sys.exit(main())
