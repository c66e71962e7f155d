"""The soak itself: the pipeline in this process, the server in another, the process looked at every few seconds."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from batcher.api_keys import ApiKey
from batcher.commands import run
from batcher.config import Endpoint, Files, RunSettings, Sending
from batcher.pace.rate import Rate
from batcher.report.observers import Observer
from batcher.report.summary import Summary
from batcher.runtime import Runtime
from batcher.send.drain import Drain

from ..support.faulty import ServerProcess, server_process
from ..support.rows import MODEL

FAULTS = (  # of each the same share of its requests; a hang costs a worker its whole timeout
    *("reset-before", "hang-before", "500", "502", "503", "html", "400"),
    *("reset-after", "hang-after", "500-after", "truncate", "stall", "garbage", "empty", "close", "late-commit=1"),
    *("GET 500", "GET reset-before", "404-lag=1"),
)
BRAKES = ("429",)  # a hundredth of that: each pauses all requests for a second at least
TIMEOUT_SECONDS = 5.0
WORKERS = 256
RUNS = 20  # until all is created: a row that was refused or whose attempts are used up is sent by the next run
_WARM = 0.2  # of the first run, before anything is compared


@dataclass(frozen=True, slots=True)
class Sample:
    """The process at one moment. `memory` is resident, in MB; `seconds` since the run began."""

    seconds: float
    memory: float
    descriptors: int
    tasks: int


@dataclass(slots=True)
class Found:
    """What came of it."""

    rows: int
    faults: Counter[str] = field(default_factory=Counter)
    summaries: list[Summary] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    documents: int = 0
    twice: int = 0
    lost: int = 0

    @property
    def is_right(self) -> bool:
        """Nothing lost, nothing twice, nothing that grew."""
        return not (self.twice or self.lost or any(self._grew(name) for name in ("memory", "descriptors", "tasks")))

    def _halves(self, name: str) -> tuple[float, float]:
        """The medians of the first run's middle, after its start, and of its end."""
        last = self.samples[-1].seconds
        warm = [sample for sample in self.samples if sample.seconds >= last * _WARM]
        middle = len(warm) // 2
        first, second = (
            statistics.median(getattr(one, name) for one in part) for part in (warm[:middle], warm[middle:])
        )
        return first, second

    def _grew(self, name: str) -> bool:
        """By more than a tenth and a little: 60 bytes a row, which resume needs, are 10 MB here."""
        first, second = self._halves(name)
        return second > first * 1.1 + {"memory": 60 * self.rows / 1e6, "descriptors": 8, "tasks": 8}[name]

    def told(self) -> Iterator[str]:
        """The figures."""
        first = self.summaries[0]
        used = f"{first.requests:,} requests, {first.requests / first.elapsed_seconds:.0f} a second"
        yield f"{self.rows:,} rows, {len(self.summaries)} runs; the first: {first.elapsed_seconds:,.0f} s, {used}"
        yield "faults met: " + ", ".join(f"{name} {count:,}" for name, count in self.faults.most_common())
        yield f"documents {self.documents:,}; made twice {self.twice}; lost {self.lost}"
        for name, unit in (("memory", " MB"), ("descriptors", ""), ("tasks", "")):
            halves = self._halves(name)
            most = max(getattr(sample, name) for sample in self.samples)
            grew = "  GREW" if self._grew(name) else ""
            yield f"{name}: {halves[0]:,.1f}{unit} → {halves[1]:,.1f}{unit}, at most {most:,.1f}{unit}{grew}"


@dataclass(frozen=True, slots=True)
class Soak:
    """A directory, how long the first run is to take, how many requests a second, and of how many each fault is met."""

    directory: Path
    minutes: float
    per_second: int
    share: float

    async def live(self) -> Found:
        """Run until every row is created, and look at the process meanwhile during the first run."""
        rows = int(self.minutes * 60 * self.per_second * (1 - len(FAULTS) * self.share / 2))
        found, input_file = Found(rows), self.directory / "d.jsonl"
        with input_file.open("w") as out:
            out.writelines(
                json.dumps({"key": f"k{n}", "modelId": MODEL, "name": f"Board {n}"}) + "\n" for n in range(rows)
            )
        shares = dict.fromkeys(FAULTS, self.share) | dict.fromkeys(BRAKES, self.share / 100)
        faults = [flag for fault, share in shares.items() for flag in ("--fault", f"{fault}:{share:g}")]
        with server_process(self.directory / "state.sqlite", *faults) as server:
            for number in range(RUNS):
                found.summaries.append(await self._run(server, input_file, found.samples if number == 0 else None))
                if found.summaries[-1].created == rows:
                    break
            self._count(server, found)
        return found

    async def _run(self, server: ServerProcess, input_file: Path, samples: list[Sample] | None) -> Summary:
        settings = RunSettings(
            inputs=(str(input_file),),
            endpoint=Endpoint(base_url=server.base_url, keys=(ApiKey("soak", 1),)),
            files=Files(
                results=self.directory / "d.results.jsonl",
                failures=self.directory / "d.failures.jsonl",
                journal=self.directory / "d.journal.jsonl",
            ),
            sending=Sending(
                rate=Rate(self.per_second, 1.0),
                concurrency=WORKERS,
                timeout_seconds=TIMEOUT_SECONDS,
                stop_after=1000,
                shared_pace=False,
            ),
        )
        watch = asyncio.create_task(_watch(samples)) if samples is not None else None
        try:
            return await run.run(settings, observer=Observer(), drain=Drain(), runtime=Runtime())
        finally:
            if watch is not None:
                watch.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await watch

    def _count(self, server: ServerProcess, found: Found) -> None:
        """What the server holds is the truth."""
        names = Counter(document.name for document in server.commits)
        found.documents = sum(names.values())
        found.twice = sum(count - 1 for count in names.values())
        found.lost = found.rows - len(names)
        for log in sorted(self.directory.glob("*.requests-*.jsonl")):
            with log.open() as lines:
                found.faults.update(fault for line in lines if (fault := json.loads(line)["fault"]))


async def _watch(samples: list[Sample]) -> None:
    begun = time.monotonic()
    while True:
        samples.append(Sample(time.monotonic() - begun, _memory(), _descriptors(), len(asyncio.all_tasks())))
        await asyncio.sleep(1)


def _memory() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
