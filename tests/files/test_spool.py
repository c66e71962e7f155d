"""Rows between their check and their turn: on disk without a name, in order, and refused by a full disk."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from batcher.errors import UsageError
from batcher.files.disk import Disk
from batcher.files.spool import Spool, open_specs
from batcher.models import Row, Spec


def test_what_is_added_comes_back_in_order_and_again(tmp_path: Path) -> None:
    """Any value, as often as it is asked for; nothing is made for no values."""
    with contextlib.ExitStack() as stack:
        spool = Spool[tuple[int, dict[str, str]]](Disk(), tmp_path / "d.results.jsonl", stack)
        assert list(spool) == []
        for number in range(1000):
            spool.add((number, {"name": "x" * 300}))
        spool.seal()
        assert len(spool) == 1000
        assert [number for number, _ in spool] == [number for number, _ in spool] == list(range(1000))


def test_specs_come_back_as_they_were(tmp_path: Path) -> None:
    """With their rows, although they lie there as plain tuples."""
    row = Row("d.csv", 2, {"name": "x", "tags": [1, 2.5, None, {"\ud800": True}]}, cells=True, columns=("Name", "Tags"))
    spec = Spec("k", "d.csv", 2, "x", "m", None, b"{}", "hash", row)
    with open_specs(Disk(), tmp_path / "d.results.jsonl") as spool:
        spool.add(spec)
        spool.seal()
        (read,) = spool
    assert (type(read), type(read.row), read) == (Spec, Row, spec)


def test_nobody_else_finds_or_reads_it(tmp_path: Path) -> None:
    """It has no name, and mode 0600; so a crash leaves nothing behind."""
    with Disk().spool(tmp_path / "d.results.jsonl") as stream:
        stream.write(b"a secret")
        stream.flush()
        facts = os.fstat(stream.fileno())
        assert list(tmp_path.iterdir()) == []
        assert (stat.S_IMODE(facts.st_mode), facts.st_nlink) == (0o600, 0)
        assert facts.st_dev == tmp_path.stat().st_dev


class FullDisk(Disk):
    """Has no room for a spool."""

    @contextlib.contextmanager
    def spool(self, beside: Path) -> Iterator[IO[bytes]]:  # noqa: ARG002 - the protocol's
        """`/dev/full` refuses what is flushed to it."""
        stream = Path("/dev/full").open("r+b", buffering=1 << 16)  # noqa: SIM115 - closed below
        try:
            yield stream
        finally:
            with contextlib.suppress(OSError):
                stream.close()


@pytest.mark.parametrize("count", [1, 5000])
def test_a_full_disk_refuses(tmp_path: Path, count: int) -> None:
    """At once or when the last rows are flushed: a usage error that says what to do."""

    def fill(spool: Spool[str]) -> None:
        for _ in range(count):
            spool.add("x" * 100)
        spool.seal()

    with (
        contextlib.ExitStack() as stack,
        pytest.raises(UsageError, match="Free up space"),
    ):
        fill(Spool(FullDisk(), tmp_path / "d.results.jsonl", stack))
