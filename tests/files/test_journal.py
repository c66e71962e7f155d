"""The journal open for writing: an intent is on disk before `intend` returns, and one fsync serves all that wait."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from batcher.errors import DiskTrouble
from batcher.files.disk import Disk
from batcher.files.history import read_journal
from batcher.files.journal import Journal
from batcher.files.journal_lines import Cleared, Intent, JournalHeader
from batcher.files.lines import Lines

from ..support import virtual


def intent(key: str, *, is_resend: bool = False) -> Intent:
    """One intent."""
    body = b'{"modelId":"m","name":"n","identifier":"doc-1"}'
    at = datetime(2026, 11, 23, 10, tzinfo=UTC)
    return Intent(key, "doc-1", True, 1, at, "run1", "d.csv", 3, "ab" * 16, body, is_resend)


class SlowFile:
    """A file whose fsync takes a second, fails if it shall, and remembers what was safe when."""

    def __init__(self) -> None:
        self.text = b""
        self.safe = b""
        self.syncs = 0
        self.fails = False
        self.is_full = False

    def write(self, data: bytes) -> None:
        if self.is_full:
            raise OSError(28, "No space left on device")
        self.text += data

    async def sync(self) -> None:
        self.syncs += 1
        text = self.text
        await anyio.sleep(1)
        if self.fails:
            raise OSError(28, "No space left on device")
        self.safe = text

    def size(self) -> int:
        return len(self.text)

    def truncate(self, size: int) -> None:
        self.text = self.text[:size]


def with_journal(body: Callable[[Journal, SlowFile], Awaitable[None]]) -> SlowFile:
    """Run `body` in virtual time with a journal on a slow file."""
    file = SlowFile()

    async def main() -> None:
        journal = Journal(Lines(file, Path("d.journal.jsonl")))
        async with journal.group_syncs():
            await body(journal, file)

    virtual.run(main)
    return file


def test_the_line_has_its_fields_in_order_and_the_body_as_sent() -> None:
    """`key` first; the body is what will be sent, byte for byte; `resend` only where it is one."""
    line = intent("k").encode()
    order = "key type identifier filled attempt at run source line specHash body"
    assert list(json.loads(line)) == order.split()
    assert line.endswith(b'"body":{"modelId":"m","name":"n","identifier":"doc-1"}}\n')
    assert json.loads(intent("k", is_resend=True).encode())["resend"] is True


def test_an_intent_is_safe_when_intend_returns() -> None:
    """Each of twenty workers finds its own line on disk, whenever it came."""

    async def body(journal: Journal, file: SlowFile) -> None:
        async def work(number: int) -> None:
            await anyio.sleep(number * 0.17)
            await journal.intend(intent(f"k{number}"))
            assert f'"k{number}"'.encode() in file.safe

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(work, number)

    file = with_journal(body)
    assert file.text.count(b"\n") == 20
    assert file.syncs <= 6, "one fsync serves all that came while the one before went on"


def test_an_intent_waits_for_the_disk_alone_and_the_next_group_gathers_meanwhile() -> None:
    """No timer besides the fsync; those that are ready together, and those that come while the disk is busy, share one."""

    async def body(journal: Journal, file: SlowFile) -> None:
        took: dict[int, float] = {}

        async def work(number: int, begin: float) -> None:
            await anyio.sleep(begin)
            await journal.intend(intent(f"k{number}"))
            took[number] = round(virtual.loop().time() - start, 4)

        start = virtual.loop().time()
        async with anyio.create_task_group() as tasks:
            for number, begin in enumerate((0, 0, 0, 0.1, 0.5, 0.9, 60)):
                tasks.start_soon(work, number, begin)
        assert took == {0: 1.0, 1: 1.0, 2: 1.0, 3: 2.0, 4: 2.0, 5: 2.0, 6: 61.0}
        assert file.syncs == 3

    with_journal(body)


def test_a_failed_fsync_reaches_everybody_who_waits() -> None:
    """Nobody may send: those that wait now and those that come later get DiskTrouble."""

    async def body(journal: Journal, file: SlowFile) -> None:
        file.fails = True
        refused: list[int] = []

        async def work(number: int) -> None:
            with pytest.raises(DiskTrouble, match="No space left"):
                await journal.intend(intent(f"k{number}"))
            refused.append(number)

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                for number in range(3):
                    tasks.start_soon(work, number)
            await work(3)
        assert sorted(refused) == [0, 1, 2, 3]

    with_journal(body)


def test_after_the_block_nobody_waits_for_ever() -> None:
    """An intent that comes when the run is over is refused, not left waiting."""

    async def main() -> None:
        journal = Journal(Lines(SlowFile(), Path("f")))
        async with journal.group_syncs():
            pass
        with anyio.fail_after(5), pytest.raises(DiskTrouble, match="before this intent was on disk"):
            await journal.intend(intent("k"))

    virtual.run(main)


def test_an_intent_that_another_line_could_not_take_along_is_not_made() -> None:
    """A line that is written at once takes the waiting intents along. When the disk refuses them, those who wait are told."""
    told: list[str] = []

    async def body(journal: Journal, file: SlowFile) -> None:
        async def wait() -> None:
            with pytest.raises(DiskTrouble, match="No space left"):
                await journal.intend(intent("k1"))
            told.append("k1")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.lowlevel.checkpoint()
            file.is_full = True
            with pytest.raises(DiskTrouble, match="No space left"):
                journal.write(Cleared("k2"))
            file.is_full = False  # a shorter line would fit again
        assert b'"k1"' not in file.text

    with_journal(body)
    assert told == ["k1"]


def test_a_cancelled_waiter_leaves_a_whole_line() -> None:
    """Cancelled while it waits for the disk: the line stands, and the others are served."""

    async def body(journal: Journal, file: SlowFile) -> None:
        with anyio.move_on_after(0.3):
            await journal.intend(intent("k1"))
        await journal.intend(intent("k2"))
        assert file.safe.count(b"\n") == 2

    with_journal(body)


async def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """A real file: intents and other lines, and the history that they tell."""
    path = tmp_path / "j"
    with Disk().append(path) as file:
        journal = Journal(Lines(file, path))
        journal.write(JournalHeader("b", ""))
        async with journal.group_syncs():
            offset = journal.size()
            await journal.intend(intent("k"))
        assert journal.size() > offset > 0
    history = read_journal(Disk(), path, lambda _: False).histories["k"]
    assert [(sent.identifier, sent.is_filled, sent.offset) for sent in history.unclear] == [("doc-1", True, offset)]
