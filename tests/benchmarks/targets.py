"""The seven targets, each a function that measures and gives lines of the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from . import speed
from .documents import SPECS, write_csv, write_jsonl
from .measure import Taken, batcher, lasting, python
from .past import write_past
from .server import Server
from .table import Line, Target

READERS = Path(__file__).with_name("readers.py")
MEGA = 1_000_000.0


@dataclass(frozen=True, slots=True)
class Bench:
    """What every measurement needs. `many` is the size of the large files: 1,000,000 rows, fewer with --quick."""

    server: Server
    home: Path
    rounds: int
    many: int
    minutes: float

    def specs(self, count: int = SPECS) -> Path:
        """A file of specs."""
        return write_jsonl(self.home / f"specs{count}.jsonl", count)


def sending(bench: Bench) -> Sequence[Line]:
    """Target 1: against the reference, round by round; start-up and the check pass apart."""
    specs, one = bench.specs(), bench.specs(1)
    theirs, runs = [], []
    for _ in range(bench.rounds):
        theirs.append(speed.reference(specs, bench.server, bench.home))
        runs.append(speed.run(specs, one, bench.server, bench.home))
    ours = [one.sent for one in runs]
    pairs = list(zip(ours, theirs, strict=True))
    return (
        Line("reference", "docs/s", [one.per_second for one in theirs]),
        Line("batcher run", "docs/s", [one.per_second for one in ours]),
        Line("1 run ÷ reference", "x", [a.per_second / b.per_second for a, b in pairs], Target(">=", 0.8), "docs/s"),
        Line("reference, CPU a document", "µs", [one.cpu_each * MEGA for one in theirs]),
        Line("batcher run, CPU a document", "µs", [one.cpu_each * MEGA for one in ours]),
        Line("CPU, run ÷ reference", "x", [a.cpu_each / b.cpu_each for a, b in pairs]),
        Line("reference, peak memory", "MB", [one.peak_bytes / MEGA for one in theirs]),
        Line("batcher run, peak memory", "MB", [one.peak_bytes / MEGA for one in ours]),
        Line("start-up (run of 1 row), CPU", "ms", [1000 * one.start_seconds for one in runs]),
        Line("check pass, CPU a row", "µs", [MEGA * one.check_seconds / SPECS for one in runs]),
    )


def stages(bench: Bench) -> Sequence[Line]:
    """Target 1, the profile: the CPU of a document by stage, and what a whole run costs above them."""
    specs, one = bench.specs(), bench.specs(1)
    rounds: dict[str, list[float]] = {}
    for _ in range(max(3, bench.rounds // 3)):
        for file in bench.home.glob("stages.*"):
            file.unlink()
        each = orjson.loads(python("-m", "tests.benchmarks.stages", specs, bench.server.url, bench.home).output)
        total = speed.run(specs, one, bench.server, bench.home).sent.cpu_each * SPECS
        each["what joins them (workers, slots, waits)"] = total - sum(each.values())
        for stage, seconds in (each | {"the whole send pass": total}).items():
            rounds.setdefault(stage, []).append(seconds / SPECS * MEGA)
    return [Line(f"CPU a document: {stage}", "µs", taken) for stage, taken in rounds.items()]


def memory(bench: Bench) -> Sequence[Line]:
    """Target 2 (and the first part of 6): peak memory at 20,000 rows, and for each further row."""
    one, few, many = bench.specs(1), bench.specs(), bench.specs(bench.many)
    check_few, check_many = batcher("check", few, "-q"), batcher("check", many, "-q")
    run_few = speed.run(few, one, bench.server, bench.home).taken
    small, long = [], []
    for _ in range(max(1, bench.rounds // 4)):  # a round takes two minutes
        small.append(speed.run(bench.specs(10_000), one, bench.server, bench.home).sent.cpu_each)
        long.append(speed.run(many, one, bench.server, bench.home))
    run_many = long[0].taken
    growth = [sent.sent.cpu_each / before for sent, before in zip(long, small, strict=True)]
    speed.clear(bench.home)
    further = bench.many - SPECS
    at, size = f"at {SPECS:,} rows", f"to {bench.many:,} rows"
    return (
        Line(f"2 check {at}", "MB", [check_few.peak_bytes / MEGA], Target("<=", 80), "peak resident memory"),
        Line(f"2 run {at}", "MB", [run_few.peak_bytes / MEGA], Target("<=", 80)),
        Line(f"2 check {size}", "bytes a row", _each(check_many, check_few, further), Target("<=", 64)),
        Line(f"2 run {size}", "bytes a row", _each(run_many, run_few, further), Target("<=", 64)),
        Line(
            f"6 CPU a document, {bench.many:,} ÷ 10,000 rows",
            "x",
            growth,
            Target("<=", 1.15),
            f"{long[0].sent.cpu_each * MEGA:.0f} µs and {small[0] * MEGA:.0f} µs in the first round",
        ),
    )


def _each(many: Taken, few: Taken, further: int) -> Sequence[float]:
    return [(many.peak_bytes - few.peak_bytes) / further]


def checking(bench: Bench) -> Sequence[Line]:
    """Target 3: `check`, less start-up, beside a bare loop over the same file."""
    many, one = bench.many // 2, bench.specs(1)
    files = (("csv", write_csv(bench.home / f"rows{many}.csv", many)), ("jsonl", bench.specs(many)))
    lines = []
    for kind, file in files:
        ratios = []
        for _ in range(bench.rounds):
            bare = float(python(READERS, kind, file).output)
            start = batcher("check", one, "-q").seconds
            ratios.append((batcher("check", file, "-q").seconds - start) / bare)
        note = f"{many:,} rows, less start-up"
        lines.append(Line(f"3 check ÷ bare loop, {kind}", "x", ratios, Target("<=", 6), note))
    return lines


def resuming(bench: Bench) -> Sequence[Line]:
    """Target 4: everything is created already."""
    specs = bench.specs(bench.many)
    base_url = "https://benchmark.omniapp.co"
    results = write_past(specs, bench.home, base_url)
    ratios, peaks = [], []
    for _ in range(bench.rounds):
        bare = float(python(READERS, "lines", results).output) + batcher("check", specs, "-q").seconds
        again = batcher("run", specs, "--base-url", base_url, "-q", "--results", results)
        ratios.append(again.seconds / bare)
        peaks.append(again.peak_bytes / MEGA)
    size = f"{bench.many:,} rows, results of {results.stat().st_size / MEGA:,.0f} MB"
    return (
        Line("4 nothing to do ÷ (read results + check)", "x", ratios, Target("<=", 1.5), size),
        Line("4 peak memory of it", "MB", peaks, Target("<=", 150)),
    )


def starting(bench: Bench) -> Sequence[Line]:
    """Target 5: what every cron tick pays."""
    dozen = bench.specs(12)
    helps, runs = [], []
    for _ in range(bench.rounds):
        helps.append(batcher("--help").cpu_seconds / python("-c", "pass").cpu_seconds)
        speed.clear(bench.home)
        run = ("run", dozen, "--base-url", bench.server.url, "--rate", "none", "--no-preflight", "-q")
        taken = batcher(*run, "--results", bench.home / "run.results.jsonl")
        runs.append(taken.cpu_seconds / python("-c", "import aiohttp, pydantic").cpu_seconds)
    return (
        Line("5 batcher --help ÷ python -c pass", "x", helps, Target("<=", 20), "CPU"),
        Line("5 run of 12 rows ÷ importing aiohttp and pydantic", "x", runs, Target("<=", 2.5), "CPU"),
    )


def scaling(bench: Bench) -> Sequence[Line]:
    """Target 6, the rest: from 8 to 64 workers, and 256 as the bare client does it."""
    specs, one = bench.specs(SPECS // 2), bench.specs(1)
    wider, widest = [], []
    for _ in range(bench.rounds):
        at = {count: speed.run(specs, one, bench.server, bench.home, count).sent.cpu_each for count in (8, 64, 256)}
        bare = {
            count: speed.reference(specs, bench.server, bench.home, count, is_bare=True).cpu_each for count in (64, 256)
        }
        wider.append(at[64] / at[8])
        widest.append((at[256] / at[64]) / (bare[256] / bare[64]))
    return (
        Line("6 CPU a document, 64 ÷ 8 workers", "x", wider, Target("<=", 1.15)),
        Line("6 growth to 256 workers ÷ the bare client's", "x", widest, Target("<=", 1.15), "CPU a document, from 64"),
    )


def idling(bench: Bench) -> Sequence[Line]:
    """Target 7: at 60/min, some real minutes scaled to an hour, the start left out."""
    seconds = 60 * bench.minutes
    rows = bench.specs(max(120, round(2 * seconds)))
    speed.clear(bench.home)
    run = ("run", rows, "--base-url", bench.server.url, "--rate", "60/min", "--no-preflight")
    taken = lasting(5.0, seconds, *run, "--results", bench.home / "run.results.jsonl")
    hour = taken * 3600 / seconds
    return (Line("7 an hour at 60/min", "s", [hour], Target("<=", 10), f"CPU, from {seconds:.0f} real seconds"),)


TARGETS: dict[str, Callable[[Bench], Sequence[Line]]] = {
    "sending": sending,
    "stages": stages,
    "memory": memory,
    "checking": checking,
    "resuming": resuming,
    "starting": starting,
    "scaling": scaling,
    "idling": idling,
}
