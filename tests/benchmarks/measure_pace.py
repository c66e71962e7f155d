"""Measures the pace where it counts: at a server's socket, by arrival times. Prints a table.

    python -m tests.benchmarks.measure_pace --quick        # compressed periods, about four minutes
    python -m tests.benchmarks.measure_pace --full         # the real rates, about half an hour
    python -m tests.benchmarks.measure_pace --quick --only run    # only cells whose name holds this text

Server and clients are processes of their own. The clients are a bare HTTP client behind our gate, except in the `run`
cells, which measure `batcher run` itself (or what `--command` names, followed by its arguments).

Columns: most arrivals in any window of one period, and what is allowed; the share of windows with more; utilisation;
the most starts that the clients saw in any window of 1.005 periods; and what bounds a cell other than the rate. How long
requests were on the way (from their start in the client to the kernel's note of their arrival) tells what the machine adds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import anyio

from batcher.api_keys import ApiKey
from batcher.pace.gate import Gate
from batcher.pace.local_store import LocalPaceStore
from batcher.pace.rate import MARGIN, Rate
from tests.benchmarks.measured_server import MODEL

HERE = [sys.executable, "-m", "tests.benchmarks.measure_pace"]
SERVER = [sys.executable, "-m", "tests.benchmarks.measured_server"]


# --- the client: our gate and a bare connection for each worker


@dataclass
class Told:
    """What one client process is told."""

    port: int
    rate: Rate
    seconds: float
    workers: int
    state: Path


async def send(told: Told) -> None:
    """Send as fast as the gate allows for `seconds`, then print every start (wall clock)."""
    starts: list[float] = []
    key = ApiKey("measured")
    shared = LocalPaceStore(told.state, lambda text: print(text, file=sys.stderr))

    async def work(gate: Gate) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", told.port)
        try:
            while True:
                slot = await gate.slot()
                if not slot.start():
                    continue
                starts.append(slot.started_at or 0.0)
                if await ask(reader, writer, "/we") == 429:
                    gate.brake(key, None, slot=slot)
                else:
                    gate.passed(key, slot=slot)
        finally:
            writer.close()

    with anyio.move_on_after(told.seconds):
        async with Gate([key], told.rate, shared=shared) as gate, anyio.create_task_group() as tasks:
            for _ in range(told.workers):
                tasks.start_soon(work, gate)
    wall = time.time() - time.monotonic()  # the server's times are the wall clock's
    print(json.dumps([start + wall for start in starts]))


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> int:
    """One request; its status."""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"Content-Length: ([0-9]+)", head)
    await reader.readexactly(int(length[1]) if length else 0)
    return int(head.split()[1])


async def intrude(port: int, rate: Rate, seconds: float) -> None:
    """Somebody else at the same key: half the rate, evenly, whatever the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await ask(reader, writer, "/other")
        await anyio.sleep(2 / rate.per_second)
    writer.close()


# --- a cell of the table


@dataclass(frozen=True)
class Cell:
    """One line of the table."""

    name: str
    rate: Rate
    seconds: float
    workers: int = 8
    latency_seconds: float = 0.005
    loop: str = "asyncio"
    fail_share: float = 0.0
    enforce: bool = False

    @property
    def alone(self) -> bool:
        """Fast cells need the machine for themselves."""
        return self.rate.per_second > 20


@dataclass(frozen=True)
class Seen:
    """What a cell showed."""

    arrivals: list[tuple[float, int, str]]
    starts: list[float]
    cpu_share: float | None = None


def most_in(times: list[float], seconds: float, allowed: int) -> tuple[int, float]:
    """The most in any half-open window, and the share of windows (one begins at each) with more than allowed."""
    counts = [bisect_left(times, at + seconds) - index for index, at in enumerate(times)]
    return max(counts, default=0), sum(count > allowed for count in counts) / max(1, len(counts))


def measure(cell: Cell, command: list[str]) -> Seen:
    """Run one cell with its own server and state directory."""
    enforced = [f"--enforce={cell.rate}"] if cell.enforce else []
    server = [*SERVER, f"--latency={cell.latency_seconds}", f"--fail-share={cell.fail_share}", *enforced]
    with (
        tempfile.TemporaryDirectory() as directory,
        subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as served,
    ):
        assert served.stdout is not None
        port = int(served.stdout.readline())
        starts, cpu_share = clients(cell, port, Path(directory), command)
        arrivals = json.loads(served.communicate("")[0])
    return Seen([(at, status, who) for at, status, who in arrivals], sorted(starts), cpu_share)


def clients(cell: Cell, port: int, directory: Path, command: list[str]) -> tuple[list[float], float | None]:
    """The clients of one cell: their starts, and the share of a core that `batcher run` took."""
    flags = [f"--port={port}", f"--rate={cell.rate}", f"--workers={cell.workers}", f"--state={directory}"]
    client = [*HERE, "client", f"--loop={cell.loop}", *flags]
    match cell.name:
        case "run" | "run, 5 % 503" | "run, 10,000 rows":
            return [], run_command(cell, port, directory, command)
        case "restart":
            with begin([*client, "--seconds=1000"]) as first:
                time.sleep(cell.seconds / 2)
                first.kill()
            with begin([*client, f"--seconds={cell.seconds / 2}"]) as second:
                return starts_of(second), None
        case "two processes":
            with (
                begin([*client, f"--seconds={cell.seconds}"]) as one,
                begin([*client, f"--seconds={cell.seconds}"]) as two,
            ):
                return starts_of(one) + starts_of(two), None
        case "enforced, with another":
            intruder = [*HERE, "intruder", f"--port={port}", f"--rate={cell.rate}", f"--seconds={cell.seconds}"]
            with begin([*client, f"--seconds={cell.seconds}"]) as one, begin(intruder) as other:
                other.wait()
                return starts_of(one), None
        case _:
            with begin([*client, f"--seconds={cell.seconds}"]) as one:
                return starts_of(one), None


def begin(command: list[str]) -> subprocess.Popen[str]:
    """One client process."""
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def starts_of(client: subprocess.Popen[str]) -> list[float]:
    """A client's starts, when it has ended."""
    return [float(start) for start in json.loads(client.communicate()[0])]


def run_command(cell: Cell, port: int, directory: Path, command: list[str]) -> float:
    """`batcher run` for the cell's time, then SIGTERM; the share of a core that its second half took."""
    rows = max(10_000, int(2 * cell.rate.per_second * cell.seconds))
    write_rows(directory / "rows.jsonl", rows)
    flags = [f"--base-url=http://127.0.0.1:{port}", f"--rate={cell.rate}", f"--concurrency={cell.workers}", "--quiet"]
    environment = os.environ | {"OMNI_API_KEY": "measured", "BATCHER_STATE_DIR": str(directory)}
    with subprocess.Popen(
        [*command, "rows.jsonl", *flags],
        cwd=directory,
        env=environment | {"PYTHONPATH": str(Path.cwd())},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        time.sleep(cell.seconds / 2)
        before = cpu_seconds(run.pid)
        time.sleep(cell.seconds / 2)
        used = cpu_seconds(run.pid) - before
        run.send_signal(signal.SIGTERM)  # a shell lets what it runs in the background ignore SIGINT
        errors = run.communicate()[1]
    if run.returncode not in (0, 5, 130):
        print(f"{cell.name}: exit {run.returncode}: {errors}", file=sys.stderr)
    return used / (cell.seconds / 2)


def write_rows(path: Path, count: int) -> None:
    """Rows that `batcher run` creates."""
    with path.open("w") as file:
        file.writelines(json.dumps({"modelId": MODEL, "name": f"Dashboard {n}"}) + "\n" for n in range(count))


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --- the table

HEADER = (
    f"{'case':24}{'rate':>10}{'loop':>9}{'workers':>9}{'latency':>9}{'most':>7}{'allowed':>9}{'over':>8}"
    f"{'used':>8}{'client':>8}  remarks"
)


def line(cell: Cell, seen: Seen) -> str:
    """One line of the table."""
    ours = [at for at, _, who in seen.arrivals if who == "we"]
    allowed, period = cell.rate.limit, cell.rate.period_seconds
    most, over = most_in([at for at, _, _ in seen.arrivals], period, allowed)
    client, _ = most_in(seen.starts, period * MARGIN, allowed)
    used = (len(ours) - 1) / (ours[-1] - ours[0]) / cell.rate.per_second if len(ours) > 1 else 0.0
    return (
        f"{cell.name:24}{cell.rate!s:>10}{cell.loop:>9}{cell.workers:>9}{cell.latency_seconds * 1000:>7.0f}ms{most:>7}"
        f"{allowed:>9}{over:>8.2%}{used:>8.1%}{client or '-':>8}  {remarks(cell, seen, ours)}"
    )


def remarks(cell: Cell, seen: Seen, ours: list[float]) -> str:
    """What else is to be said of a cell."""
    said = ["a process starts meanwhile"] if cell.name == "restart" else []
    reach = cell.workers / max(cell.latency_seconds, 0.001) / cell.rate.per_second
    if reach < 1.5:
        said.append(f"bound by workers and latency: {min(1.0, reach):.0%} of the rate at best")
    spans = [late - early for early, late in zip(seen.starts, seen.starts[cell.rate.limit :], strict=False)]
    if min(spans, default=cell.rate.guarded_seconds) < cell.rate.period_seconds * MARGIN:
        said.append(f"{cell.rate.limit + 1} starts in {min(spans):.6f} s")
    if len(seen.starts) == len(ours) and ours:
        ways = [arrival - start for start, arrival in zip(seen.starts, ours, strict=True)]
        said.append(f"on the way for {1000 * min(ways):.1f} to {1000 * max(ways):.1f} ms")
    if seen.cpu_share is not None:
        said.append(f"{seen.cpu_share:.1%} of a core")
    if cell.enforce:
        learned = ours[0] + 5 * cell.rate.period_seconds
        late = [(status, who) for at, status, who in seen.arrivals if at >= learned]
        mine = [status for status, who in late if who == "we"]
        passed = sum(status != 429 for status, _ in late)
        span = seen.arrivals[-1][0] - learned
        said.append(f"429s: {mine.count(429)} of our {len(mine)}")
        said.append(f"combined use {passed / span / cell.rate.per_second:.1%}")
    return "; ".join(said)


def cells(full: bool) -> list[Cell]:
    """Every cell of the table; compressed periods unless `full`."""
    minute, many, fast, fastest = (Rate(60, 60.0), Rate(500, 60.0), Rate(50, 1.0), Rate(1000, 1.0))
    times = {minute: 300.0, many: 180.0, fast: 30.0, fastest: 30.0}
    if not full:
        minute, many = Rate(60, 6.0), Rate(500, 12.0)
        times = {minute: 30.0, many: 36.0, fast: 6.0, fastest: 6.0}
    plain = [
        Cell("alone", rate, seconds, workers, latency, loop)
        for rate, seconds in times.items()
        for loop in ("asyncio", "uvloop")
        for workers in ((1, 8, 64) if full else (8, 64))
        for latency in ((0.005, 0.8) if full else (0.005,))
    ]
    special = [
        Cell(name, rate, seconds, loop="uvloop", workers=64 if rate == fastest else 8)
        for name in ("restart", "two processes")
        for rate, seconds in times.items()
    ]
    runs = [Cell("run, 5 % 503", rate, times[rate], loop="uvloop", fail_share=0.05) for rate in (minute, many, fast)]
    short = Rate(60, 6.0)
    return [
        *plain,
        *special,
        Cell("run", fast, times[fast], loop="uvloop"),
        *runs,
        Cell("run, 10,000 rows", Rate(60, 60.0), 120.0 if full else 30.0, loop="uvloop"),
        Cell("enforced", minute, 2 * times[minute], enforce=True),
        Cell("enforced, with another", short, 360.0 if full else 90.0, enforce=True),
    ]


def table(chosen: list[Cell], command: list[str]) -> None:
    """Measure and print: slow cells side by side, fast ones alone."""

    def show(cell: Cell) -> None:
        print(line(cell, measure(cell, command)), flush=True)

    print(HEADER, flush=True)
    with ThreadPoolExecutor(max_workers=16) as pool:
        list(pool.map(show, [cell for cell in chosen if not cell.alone]))
    for cell in chosen:
        if cell.alone:
            show(cell)


def main() -> None:
    """The command line of this script and of its server and clients."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("role", nargs="?", default="table", choices=["table", "client", "intruder"])
    parser.add_argument("--quick", action="store_true", help="compressed periods (the default)")
    parser.add_argument("--full", action="store_true", help="the real rates")
    parser.add_argument("--only", default="", help="only cells whose name, rate and loop hold this text")
    parser.add_argument("--command", default=f"{sys.executable} -m batcher run", help="what the run cells run")
    parser.add_argument("--seconds", type=float, default=10.0, help=argparse.SUPPRESS)
    for name, default in (("port", 0), ("workers", 8)):
        parser.add_argument(f"--{name}", type=int, default=default, help=argparse.SUPPRESS)
    parser.add_argument("--rate", type=Rate.parse, help=argparse.SUPPRESS)
    parser.add_argument("--state", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--loop", default="uvloop", help=argparse.SUPPRESS)
    args = parser.parse_args()
    options = {"use_uvloop": args.loop == "uvloop"}
    match args.role:
        case "client":
            told = Told(args.port, args.rate, args.seconds, args.workers, args.state)
            anyio.run(send, told, backend_options=options)
        case "intruder":
            anyio.run(intrude, args.port, args.rate, args.seconds)
        case _:
            chosen = [cell for cell in cells(args.full) if args.only in f"{cell.name} {cell.rate} {cell.loop}"]
            table(chosen, shlex.split(args.command))


if __name__ == "__main__":
    main()
