"""The targets of speed and memory, measured: `python -m tests.benchmarks [--rounds 13] [--rows 1000000] [--only TEXT]`.

Each figure is a ratio to something that ran right before or after it, since a machine's speed swings; medians and
quartiles of all rounds. The server is nginx if it is installed, else the project's own trivial one; client and server
have a core each. `--quick` is a few rounds over few rows, to see that it works.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median, quantiles

import orjson

from . import documents
from .measure import PYTHON, Taken, batcher, python, start
from .server import CLIENT_CORE, Server, pin, serving

HERE = Path(__file__).parent
MIB = 1 << 20
BARE_JSONL = "import orjson,sys\nfor line in open(sys.argv[1],'rb'): orjson.loads(line)"
BARE_CSV = "import csv,sys\nfor row in csv.reader(open(sys.argv[1],newline='')): pass"
BARE_LINES = "import sys\nfor line in open(sys.argv[1],'rb',buffering=1<<20): pass"
IMPORTS = "import aiohttp, pydantic"


@dataclass(frozen=True, slots=True)
class Bench:
    """What all measurements share."""

    home: Path
    server: Server
    rounds: int
    specs: int
    rows: int


def ratio_text(ratios: list[float]) -> str:
    """`0.62 (0.58-0.66)`: median and quartiles."""
    if len(ratios) < 2:
        return f"{ratios[0]:.2f}"
    low, _, high = quantiles(ratios, n=4)
    return f"{median(ratios):.2f} ({low:.2f}-{high:.2f})"


def run(bench: Bench, source: Path, *more: str, workers: int = 64) -> tuple[Taken, Path]:
    """A fresh `batcher run` against the server; what it took, and its results file."""
    files = bench.home / "run"
    files.mkdir(exist_ok=True)
    for path in files.glob("out.*"):
        path.unlink()
    results = files / "out.results.jsonl"
    options = ("--rate", "none", "--no-preflight", "--no-shared-pace", "-q", "--concurrency", str(workers), *more)
    return batcher("run", source, "--base-url", bench.server.url, "--results", results, *options), results


def sending_seconds(results: Path) -> float:
    """From the first intent to the last outcome on disk, as the files themselves say (milliseconds)."""
    with results.with_name("out.journal.jsonl").open("rb") as journal:
        first = next(said for said in map(orjson.loads, journal) if said.get("type") == "intent")
    last = orjson.loads(results.read_bytes().rstrip().rpartition(b"\n")[2])
    return (datetime.fromisoformat(last["at"]) - datetime.fromisoformat(first["at"])).total_seconds()


def throughput(bench: Bench) -> Iterator[str]:
    """Target 1: documents a second, against an expert's script without any guarantee."""
    source = documents.write_jsonl(bench.home / "input.jsonl", bench.specs)
    ratios, cpu, bare = [], [], []
    for _ in range(bench.rounds):
        url = f"{bench.server.url}/api/v1/documents"
        said = json.loads(python(HERE / "reference.py", source, url, bench.home / "reference.out", "64").output)
        taken, results = run(bench, source)
        checked = batcher("check", source)
        ratios.append(said["seconds"] / sending_seconds(results))
        cpu.append((taken.cpu_seconds - checked.cpu_seconds) / bench.specs * 1e6)
        bare.append(said["cpu"] / bench.specs * 1e6)
    yield f"1  run ÷ reference, docs/s, 64 workers | {ratio_text(ratios)} | ≥ 0.8"
    yield f"1  CPU µs/document: run less check; reference | {median(cpu):.0f}; {median(bare):.0f} | -"


def memory(bench: Bench) -> Iterator[str]:
    """Target 2: peak memory, and what each further row costs."""
    few = documents.write_jsonl(bench.home / "input.jsonl", bench.specs)
    many = documents.write_jsonl(bench.home / f"many{bench.rows}.jsonl", bench.rows)

    def peak_of_run(path: Path) -> Taken:
        return run(bench, path)[0]

    def peak_of_check(path: Path) -> Taken:
        return batcher("check", path)

    for name, peak in (("run", peak_of_run), ("check", peak_of_check)):
        small, large = peak(few).peak_bytes, peak(many).peak_bytes
        each = (large - small) / (bench.rows - bench.specs)
        yield f"2  {name}: peak at {bench.specs:,} rows | {small / MIB:.0f} MiB | ≤ 80 MB"
        yield f"2  {name}: bytes for each further row to {bench.rows:,} | {each:.0f} | ≤ 64"


def checking(bench: Bench) -> Iterator[str]:
    """Target 3: the check against a bare loop over the same file; CPU, as both have one core."""
    count = bench.specs * 5
    kinds: tuple[tuple[str, str, Path], ...] = (
        ("JSONL", BARE_JSONL, documents.write_jsonl(bench.home / f"check{count}.jsonl", count)),
        ("CSV", BARE_CSV, documents.write_csv(bench.home / f"check{count}.csv", count)),
    )
    for name, loop, path in kinds:
        ratios = []
        for _ in range(bench.rounds):
            bare, nothing = python("-c", loop, path), python("-c", "import csv, orjson")
            ratios.append(
                (batcher("check", path).cpu_seconds - batcher("check", "--help").cpu_seconds)
                / (bare.cpu_seconds - nothing.cpu_seconds)
            )
        yield f"3  check ÷ bare loop, {name}, {count:,} rows | {ratio_text(ratios)} | ≤ 6"


def resuming(bench: Bench) -> Iterator[str]:
    """Target 4: a run whose rows are all created already."""
    source = documents.write_jsonl(bench.home / f"many{bench.rows}.jsonl", bench.rows)
    results = documents.write_results(bench.home / f"many{bench.rows}.results.jsonl", bench.rows)
    ratios, peaks = [], []
    for _ in range(max(1, bench.rounds // 4)):
        read = python("-c", BARE_LINES, results).seconds
        checked = batcher("check", source).seconds
        taken = batcher("run", source, "--base-url", bench.server.url, "-q")
        ratios.append(taken.seconds / (read + checked))
        peaks.append(taken.peak_bytes)
    yield f"4  nothing to do, {bench.rows:,} rows ÷ (reading results + check) | {ratio_text(ratios)} | ≤ 1.5"
    yield f"4  its peak memory | {max(peaks) / MIB:.0f} MiB | ≤ 150 MB"


def starting(bench: Bench) -> Iterator[str]:
    """Target 5: what is paid on each cron tick."""
    dozen = documents.write_jsonl(bench.home / "dozen.jsonl", 12)
    helps, runs = [], []
    for _ in range(bench.rounds):
        helps.append(batcher("--help").cpu_seconds / python("-c", "pass").cpu_seconds)
        runs.append(run(bench, dozen)[0].cpu_seconds / python("-c", IMPORTS).cpu_seconds)
    yield f"5  --help ÷ python -c pass, CPU | {ratio_text(helps)} | ≤ 20"
    yield f"5  run of 12 rows ÷ importing aiohttp and pydantic, CPU | {ratio_text(runs)} | ≤ 2.5"


def scaling(bench: Bench) -> Iterator[str]:
    """Target 6: CPU per document with more rows and more workers."""
    few = documents.write_jsonl(bench.home / "few.jsonl", bench.specs // 2)
    many = documents.write_jsonl(bench.home / f"many{bench.rows}.jsonl", bench.rows)

    def each(path: Path, count: int, workers: int = 64) -> float:
        start_up = batcher("check", documents.write_jsonl(bench.home / "dozen.jsonl", 12)).cpu_seconds
        return (run(bench, path, workers=workers)[0].cpu_seconds - start_up) / count

    rows = [each(many, bench.rows) / each(few, bench.specs // 2)]
    workers = [each(few, bench.specs // 2) / each(few, bench.specs // 2, 8) for _ in range(bench.rounds)]
    yield f"6  CPU/document, {bench.rows:,} ÷ {bench.specs // 2:,} rows | {ratio_text(rows)} | ≤ 1.15"
    yield f"6  CPU/document, 64 ÷ 8 workers | {ratio_text(workers)} | ≤ 1.15"


def idling(bench: Bench) -> Iterator[str]:
    """Target 7: two minutes at 60/min, less a start, as CPU for each hour."""
    source = documents.write_jsonl(bench.home / "idle.jsonl", 120)
    slow, _ = run(bench, source, "--rate", "60/min")
    quick, _ = run(bench, source)
    hour = (slow.cpu_seconds - quick.cpu_seconds) * 3600 / slow.seconds
    yield f"7  CPU s an hour at 60/min beyond the same rows at once | {hour:.1f} | < 10"


TARGETS: tuple[Callable[[Bench], Iterator[str]], ...] = (
    throughput,
    memory,
    checking,
    resuming,
    starting,
    scaling,
    idling,
)


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=13)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", default="", help="part of a measurement's name")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    rounds, specs, rows = (3, 2_000, 20_000) if given.quick else (given.rounds, documents.SPECS, given.rows)
    pin(0, CLIENT_CORE)  # what is started from here stays there, but for the server
    with tempfile.TemporaryDirectory(prefix="batcher-") as name, serving(Path(name)) as server:
        print(f"server: {server.name}; python: {start(PYTHON, '--version').output.strip()}; rounds: {rounds}\n")
        print("| what | measured: median (quartiles) | target |\n|---|---|---|", flush=True)
        for measure in TARGETS:
            if given.only in measure.__name__:
                for line in measure(Bench(Path(name), server, rounds, specs, rows)):
                    print(f"| {line} |", flush=True)


if __name__ == "__main__":
    main()
