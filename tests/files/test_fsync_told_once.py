"""An fsync error that the kernel tells only once, of two fsyncs of one file under way at the same time."""

from __future__ import annotations

import errno
from pathlib import Path

import anyio
import pytest

from batcher.errors import DiskTrouble
from batcher.files.journal import Journal
from batcher.files.journal_lines import Cleared
from batcher.files.lines import Lines

from ..support import virtual
from .test_journal import intent


class Errseq:
    """As Linux does it: writeback fails, one caller of fsync on this descriptor is told EIO, all others get 0.

    (`file_check_and_advance_wb_err` compares and advances the descriptor's own f_wb_err: the second one sees nothing new.)
    """

    def __init__(self, seconds: list[float]) -> None:
        self.text, self.safe = b"", b""
        self.is_failing = False
        self.error_untold = False
        self.seconds = seconds

    def write(self, data: bytes) -> None:
        self.text += data

    async def sync(self) -> None:
        seen = self.text
        if self.is_failing:
            self.error_untold = True
        await anyio.sleep(self.seconds.pop(0))
        if self.error_untold:
            self.error_untold = False
            raise OSError(errno.EIO, "Input/output error")
        if not self.is_failing:
            self.safe = seen

    def size(self) -> int:
        return len(self.text)

    def truncate(self, size: int) -> None:
        self.text = self.text[:size]


@pytest.mark.parametrize("intents_seconds", [1.0, 0.9])
def test_the_other_fsync_is_told_of_the_error(intents_seconds: float) -> None:
    """The outcomes' fsync (`ledger.sync`) takes the EIO; the intents' group gets 0, and its POSTs leave unsafe."""
    file = Errseq([intents_seconds, 0.9])  # the error comes first, or the success does
    got: list[tuple[str, bool]] = []

    async def main() -> None:
        journal = Journal(Lines(file, Path("d.journal.jsonl")))
        async with journal.group_syncs(), anyio.create_task_group() as tasks:
            file.is_failing = True

            async def outcomes() -> None:
                journal.write(Cleared("x"))
                with pytest.raises(DiskTrouble):
                    await journal.sync()  # takes the error, at 0.95 s

            async def worker() -> None:
                try:
                    await journal.intend(intent("k"))
                    got.append(("the request leaves", b'"k"' in file.safe))
                except DiskTrouble:
                    got.append(("refused", True))

            tasks.start_soon(worker)
            await anyio.sleep(0.05)
            tasks.start_soon(outcomes)

    virtual.run(main)
    assert got == [("refused", True)]
