"""Two runs at once where locks keep nobody out: both are told, no row is made twice, and the next run has them all."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from batcher.errors import ForeignWriter
from batcher.files.disk import Disk
from batcher.models import Outcome
from batcher.runtime import Runtime
from tests.support.faulty import FaultyServer
from tests.support.runs import Hasty, Job, Witness, row

ROWS = 40


class Lockless(Disk):
    """A disk on a share that is mounted without locks: everybody gets every lock."""

    @contextlib.contextmanager
    def lock(self, path: Path, holder: bytes) -> Iterator[None]:  # noqa: ARG002 - as `Storage`
        """Keeps nobody out."""
        yield


class Signal(Witness):
    """Tells of the moment when a run has so many outcomes."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.reached = anyio.Event()

    def outcome(self, outcome: Outcome) -> None:
        """Count it."""
        super().outcome(outcome)
        if len(self.outcomes) == self.count:
            self.reached.set()


@pytest.mark.parametrize("fills", [True, False], ids=["filled", "unfilled"])
@pytest.mark.parametrize("before", [1, 5, 17])
async def test_two_runs_at_once_on_a_share_without_locks(tmp_path: Path, before: int, fills: bool) -> None:
    """The second begins while the first is at work: exit 4 for at least one, and never 70; every row once in the end."""
    job = Job(tmp_path, runtime=Runtime(storage=Lockless(), random=Hasty(1)))
    job.rows(*(row(f"row {number}") for number in range(ROWS)))
    async with FaultyServer(latency_seconds=0.01) as server:
        first, codes = Signal(before), list[int]()

        async def live(witness: Witness) -> None:
            try:
                code = (await job.run(server.base_url, witness=witness, fill_identifiers=fills, concurrency=3)).code
            except ForeignWriter as error:
                code = error.exit_code
            codes.append(code)

        async with anyio.create_task_group() as group:
            group.start_soon(live, first)
            await first.reached.wait()
            group.start_soon(live, Witness())
        assert 4 in codes
        assert set(codes) <= {0, 4, 5}
        job.runtime = Runtime(random=Hasty(1))
        ran = await job.run(server.base_url, fill_identifiers=fills)
        made = Counter(document.name for document in server.commits)
        assert max(made.values()) == 1
        settled = {line["name"] for line in job.results} | {line["spec"]["name"] for line in job.failures}
        assert settled == {f"row {number}" for number in range(ROWS)}
        assert ran.code in ((0,) if fills else (0, 5))
        assert len(made) == ROWS
