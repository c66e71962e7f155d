"""Specs read ahead while the disk is busy: the same ones in the same order, never more than are allowed to lie about."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.errors import Stopped
from batcher.files.journal import Journal
from batcher.models import Row, Spec
from batcher.send.read_ahead import read_ahead

from ..files.test_journal import SlowFile, intent, with_journal


def spec(number: int) -> Spec:
    """A spec that is known by its line."""
    return Spec(f"k{number}", "d.jsonl", number, "n", "m", None, b"{}", "", Row("d.jsonl", number, {}))


class Source:
    """So many specs; counts how many were asked for. With `breaks` an error comes in the place of the end."""

    def __init__(self, count: int, *, breaks: bool = False) -> None:
        self.given = 0
        self._count = count
        self._breaks = breaks

    def specs(self) -> Iterator[Spec]:
        """All of them."""
        for number in range(1, self._count + 1):
            self.given = number
            yield spec(number)
        if self._breaks:
            raise Stopped("d.jsonl:9: was changed")


@given(st.integers(0, 40), st.integers(1, 12), st.lists(st.integers(0, 9), max_size=12))
def test_the_same_specs_in_the_same_order_and_at_most_so_many_ahead(count: int, most: int, takes: list[int]) -> None:
    """However many are taken between two fsyncs."""
    source, taken = Source(count), list[int]()

    async def body(journal: Journal, _: SlowFile) -> None:
        async with read_ahead(source.specs(), journal, most) as specs:
            for number, take in enumerate([*takes, count]):
                await journal.intend(intent(f"k{number}"))
                assert source.given == min(count, len(taken) + most), "the fsync took a second, enough to fill up"
                taken.extend(one.line for one in islice(specs, take))
            taken.extend(one.line for one in specs)

    with_journal(body)
    assert taken == sorted(set(taken)), "none twice, and in order"


def test_without_an_fsync_nothing_is_read_ahead() -> None:
    """There is no time to spare then."""
    source = Source(5)

    async def body(journal: Journal, _: SlowFile) -> None:
        async with read_ahead(source.specs(), journal, 3) as specs:
            await anyio.sleep(10)
            assert source.given == 0
            assert next(specs).line == source.given == 1

    with_journal(body)


def test_what_is_wrong_is_said_when_its_turn_comes_and_to_all() -> None:
    """The rows before are sent first; every worker that asks afterwards is told, none takes it for the end."""

    async def body(journal: Journal, _file: SlowFile) -> None:
        async with read_ahead(Source(2, breaks=True).specs(), journal, 8) as specs:
            await journal.intend(intent("k"))
            assert [next(specs).line, next(specs).line] == [1, 2]
            for _ in range(3):
                with pytest.raises(Stopped, match="was changed"):
                    next(specs)

    with_journal(body)


def test_nothing_is_read_after_the_block() -> None:
    """The source may be closed by then."""
    source = Source(9)

    async def body(journal: Journal, _: SlowFile) -> None:
        async with read_ahead(source.specs(), journal, 2):
            await anyio.lowlevel.checkpoint()
        await journal.intend(intent("k"))
        assert source.given == 0

    with_journal(body)
