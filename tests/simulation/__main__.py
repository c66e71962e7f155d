"""Run the simulation by hand.

    python -m tests.simulation --seed 7 -v                  one life, told; with --people or --versions, that kind's
    python -m tests.simulation --seeds 100000 --jobs 2      the long run; ctrl-C ends it with the numbers so far
    python -m tests.simulation --teeth                      break the program on purpose, and see that it is noticed

Exit code 1 if a law was broken; each broken seed is named and replays exactly.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import signal
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from functools import partial
from itertools import product

from .kinds import KINDS, Kind
from .product import Real
from .records import Broken, Tally
from .teeth import PEOPLES_TEETH, PLACED_TEETH, TEETH, VERSIONS_TEETH, find

CHUNK = 50  # seeds that one worker takes at a time
SHOWN = 20
_ALL_TEETH = {"rows": TEETH, "versions": VERSIONS_TEETH, "placed": PLACED_TEETH, "people": PEOPLES_TEETH}


def main() -> int:
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description="Deterministic simulation.")
    parser.add_argument("--seed", type=int, help="one life")
    kinds = {"people": "a person's life", "versions": "a life under both versions", "placed": "a life with folders"}
    for kind, whose in kinds.items():
        parser.add_argument(
            f"--{kind}", action="store_const", dest="kind", const=kind, default="rows", help=f"--seed is {whose}"
        )
    parser.add_argument("--kind", choices=list(KINDS), action="append", dest="kinds", help="of lives (default: each)")
    parser.add_argument("--seeds", type=int, default=2000, help="how many lives of each kind (default 2000)")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--teeth", action="store_true", help="run the broken copies")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell the story of --seed")
    asked = parser.parse_args()
    if asked.teeth:
        return show_teeth(asked.seeds)
    if asked.seed is not None:
        return tell(asked.seed, KINDS[asked.kind], verbose=asked.verbose)
    return long_run(asked.start, asked.seeds, asked.jobs, asked.kinds or list(KINDS))


def tell(seed: int, kind: Kind, *, verbose: bool) -> int:
    """One life, told on standard output."""
    world = kind.begin(seed)
    if verbose:
        print(world.schedule)
        print(world.schedule.weather)
    try:
        kind.live(world, Real())
    except Broken as broken:
        print("\n".join(world.story))
        print(broken)
        return 1
    if verbose:
        print("\n".join(world.story))
    print(f"seed {seed}: all laws hold")
    return 0


def live_chunk(kinds: Sequence[str], seeds: range) -> tuple[Tally, list[str]]:
    """Some lives of each of these kinds in one process: their counts, and what was broken."""
    tally, broken = Tally(), []
    for seed, kind in product(seeds, map(KINDS.__getitem__, kinds)):
        world = kind.begin(seed)
        try:
            kind.live(world, Real())
        except Broken as law:
            broken.append(str(law))
        tally.add(world.tally)
    return tally, broken


def long_run(start: int, seeds: int, jobs: int, kinds: Sequence[str]) -> int:
    """Many lives, and a summary."""
    began = time.monotonic()
    tally, broken = Tally(), []
    chunks = [range(first, min(first + CHUNK, start + seeds)) for first in range(start, start + seeds, CHUNK)]
    with contextlib.suppress(KeyboardInterrupt), closing(results_of(chunks, jobs, kinds)) as results:  # ctrl-C: sum up
        for counted, found in results:
            tally.add(counted)
            for law in found:
                broken.append(law)
                print(law, flush=True)
            if sys.stderr.isatty():
                print(f"\r{tally.lives} lives, {len(broken)} broken", end="", file=sys.stderr)
    seconds = time.monotonic() - began
    print(summary(tally, broken, seconds))
    return 1 if broken else 0


def results_of(chunks: list[range], jobs: int, kinds: Sequence[str]) -> Generator[tuple[Tally, list[str]], None, None]:
    """Live the chunks, in order, in `jobs` processes."""
    live = partial(live_chunk, kinds)
    if jobs == 1:
        yield from map(live, chunks)
        return
    ignore = (signal.SIGINT, signal.SIG_IGN)  # ctrl-C is the parent's
    with multiprocessing.get_context("fork").Pool(jobs, signal.signal, ignore) as pool:
        yield from pool.imap(live, chunks)


def summary(tally: Tally, broken: list[str], seconds: float) -> str:
    """What the long run has met."""
    lines = [
        f"{tally.lives} lives in {seconds:.0f} s ({1000 * seconds / max(1, tally.lives):.1f} ms each)",
        f"{tally.processes} processes: {tally.crashes} crashes ({tally.power_cuts} power cuts), {tally.interrupts} ctrl-C",
        f"{tally.posts} POSTs, {tally.reads} GETs of documents",
        f"{tally.documents} documents made for us, {tally.reconciled} reconciled, {tally.uncertain} rows uncertain for good",
        "faults met:",
        *(f"  {count:8d}  {name}" for name, count in tally.faults.most_common()),
        f"broken laws: {len(broken)} (duplicates, losses and all others)",
    ]
    return "\n".join(lines + [law.splitlines()[0] for law in broken[:SHOWN]])


def show_teeth(seeds: int) -> int:
    """For each broken copy, the first seed that notices."""
    missed = 0
    copies = [(name, copy, kind) for kind, teeth in _ALL_TEETH.items() for name, copy in teeth.items()]
    for name, broken_copy, kind in copies:
        found = find(broken_copy, range(seeds), kind)
        missed += found is None
        print(f"{name}, lives of {kind}: " + ("NOT NOTICED" if found is None else f"seed {found[0]}: {found[1]}"))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
