"""A migration in virtual time: rows with folders and labels at 60/min, killed in the middle; what it asked, and how fast.

    python -m tests.simulation.migration                  3,000 rows, under v1 and v2, three kills each
    python -m tests.simulation.migration --rows 500

The real program over the simulated disk and server, as in the other lives, without their faults. For each run it tells the
requests by kind and the share of the allowed rate that was used, from its first request to its last.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from typing import Any

from batcher.config import Sending
from batcher.models import ApiVersion
from batcher.pace.rate import Rate

from .placed import PlacedWorld, live_placed
from .product import Real
from .records import FILES, Start
from .schedule import MODELS, Crash, Run, Schedule, SimRow
from .server import Habits, Post
from .transport import Weather

RATE = Rate(60, 60.0)
KILLS = 3
_FOLDERS = ("Sales/EMEA", "Sales/APAC", "Finance")


@dataclass(frozen=True, slots=True)
class Stretch:
    """One run: its requests by kind, how long they took (virtual seconds), and the share of the rate used."""

    requests: Counter[str]
    seconds: float
    share: float


class Migration(PlacedWorld):
    """A long life without faults. Its laws are asked in the end only: they read all files each time."""

    def __init__(self, schedule: Schedule) -> None:
        super().__init__(0, schedule=schedule)
        self.stretches: list[Stretch] = []
        self.requests: Counter[str] = Counter()
        self.wire.watch.before_change = self._count
        transport = self.wire.connect

        def connect(process: Any, run: int, timeout_seconds: float) -> Any:
            self.requests = Counter()
            return transport(process, run, timeout_seconds)

        self.wire.connect = connect  # type: ignore[method-assign]

    def _count(self, method: str, path: str) -> None:
        self.requests[f"{method} {path.rpartition('/')[2]}"] += 1

    def judge_post(self, start: Start, post: Post) -> None:
        """Count it."""
        del start, post
        self.requests["POST documents"] += 1

    def judge_run(self, start: Start) -> None:
        """Measure it."""
        self.asked = {key: [given.row] for key, given in start.keys.items()}
        times = sorted(at for _, at in self.wire.watch.starts)
        seconds = times[-1] - times[0] if times else 0.0
        others = len(times) - self.requests.total()
        share = (len(times) - 1) * RATE.period_seconds / RATE.limit / seconds if seconds else 1.0
        self.stretches.append(Stretch(self.requests + Counter({"GET": others}), seconds, share))


def migrate(rows: int, version: ApiVersion, *, kills: int = KILLS) -> Migration:
    """So many rows, half of them with labels, through as many kills. Raises Broken."""
    sending = Sending(rate=RATE, concurrency=8, api=version, shared_pace=False)
    steps = {ApiVersion.V1: 2.5, ApiVersion.V2: 1.5}[version]
    pause = rows * steps / (kills + 1)  # at a request a second

    def run(number: int) -> Run:
        crash = Crash(seconds=pause * (0.9 + 0.05 * number), power=number % 2 == 0) if number < kills else None
        return Run(sending=sending, gap_seconds=120.0, crash=crash, makes_places=True, interrupt_seconds=1e6)

    schedule = Schedule(
        seed=0,
        rows=tuple(
            SimRow(
                number=number,
                name=f"Board {number}",
                model_id=MODELS[0],
                folder=_FOLDERS[number % len(_FOLDERS)],
                labels=("q3", "migrated") if number % 2 else (),
            )
            for number in range(rows)
        ),
        habits=Habits(),
        weather=Weather(latency_seconds=0.2),
        runs=tuple(run(number) for number in range(kills)),
        calm=run(kills),
        fsync_seconds=0.005,
    )
    world = Migration(schedule)
    live_placed(world, Real())
    return world


def told(world: Migration, rows: int, version: ApiVersion) -> str:
    """One migration in a few lines."""
    total = sum((stretch.requests for stretch in world.stretches), Counter[str]())
    seconds = sum(stretch.seconds for stretch in world.stretches)
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(total.items()) if count)
    lines = [f"{version}: {rows:,} rows, {total.total():,} requests in {seconds / 60:.0f} min: {kinds}"]
    for number, stretch in enumerate(world.stretches, 1):
        if stretch.requests.total():
            of_run = f"{stretch.requests.total():,} requests, {stretch.share:.2%} of the rate used"
            lines.append(f"  run {number}{' (killed)' if world.starts[number - 1].died else ''}: {of_run}")
    made = len(world.server.ours), len(world.server.places.folders), len(world.lines(FILES.results))
    return "\n".join([*lines, "  {} documents, {} folders, {} results lines; each where its row says".format(*made)])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.migration", description=(__doc__ or "")[:110])
    parser.add_argument("--rows", type=int, default=3000)
    rows = parser.parse_args().rows
    for version in ApiVersion:
        print(told(migrate(rows, version), rows, version), flush=True)


if __name__ == "__main__":
    main()
