"""What is booked before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from batcher.files.disk import AppendFile

from ..support import virtual
from ..support.runs import BASE, Job, Memory, QuickDisk, Ran, row, virtual_world

ROWS = 3000


class _Watched:
    """A file that notes how much each write has."""

    def __init__(self, file: AppendFile, writes: list[int]) -> None:
        self._file, self._writes = file, writes
        self.sync, self.size, self.truncate = file.sync, file.size, file.truncate

    def write(self, data: bytes) -> None:
        """As the file's."""
        self._writes.append(len(data))
        self._file.write(data)


class WatchedDisk(QuickDisk):
    """Notes the writes to the failures file."""

    def __init__(self) -> None:
        self.writes: list[int] = []

    @contextmanager
    def append(self, path: Path) -> Iterator[Any]:
        """Open for appending."""
        with super().append(path) as file:
            yield _Watched(file, self.writes) if ".failures." in path.name else file


def test_many_invalid_rows_do_not_wait_in_memory(tmp_path: Path) -> None:
    """They reach the failures file in parts. (Failed before: all of them waited, 1 GB for 100,000 rows.)"""
    job, memory, disk, ran = Job(tmp_path), Memory(), WatchedDisk(), list[Ran]()
    job.rows(row("good"), *[row(f"n{n}", identifier="!", description="x" * 200) for n in range(ROWS)])
    job.runtime = replace(virtual_world(memory), storage=disk)

    async def main() -> None:
        with memory.serving():
            ran.append(await job.run(BASE, skip_invalid=True))

    virtual.run(main)
    assert (ran[0].code, ran[0].counts) == (1, {"created_now": 1, "failed": ROWS})
    assert len(job.failures) == ROWS
    assert 0 < max(disk.writes) < sum(disk.writes) / 4
