"""A map from texts to numbers that costs 24 to 48 bytes an entry, where a dict of strings costs over 150.

It keeps a 64-bit hash of each text, not the text. The chance that any two of n texts collide is n²/2⁶⁵: one in forty
million for a million texts. The hash is Python's own, with a new seed in each process, so nobody can prepare a clash.

The table is open addressing with linear probing over one array, hash and number side by side: a look-up touches one
place in memory, which is what it costs when the table is larger than the caches.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

_FIRST_ENTRIES = 1 << 9  # room at the beginning; doubled when two thirds are taken
_64_BITS = (1 << 64) - 1


class Fingerprints:
    """A map of texts (or bytes) to numbers from 0 to 2⁶⁴ - 1. `add` keeps the first value of a text, `put` the last.

    `expected`: about how many entries will come. It grows as needed, but growing costs a third of all adding.
    """

    __slots__ = ("_count", "_last", "_most", "_table")

    def __init__(self, expected: int = 0) -> None:
        self._count = 0
        self._make_room(max(_FIRST_ENTRIES, 1 << (expected * 3 // 2).bit_length()))

    def _make_room(self, entries: int) -> None:
        """An empty table; a hash of 0 marks what is free."""
        self._table = array("Q", [0]) * (2 * entries)
        self._last = 2 * entries - 1
        self._most = entries * 2 // 3

    def __len__(self) -> int:
        return self._count

    def __contains__(self, text: str | bytes) -> bool:
        return self.get(text) is not None

    def values(self) -> Iterator[int]:
        """Every number kept, in no order."""
        table = self._table
        return (table[at + 1] for at in range(0, len(table), 2) if table[at])

    def get(self, text: str | bytes) -> int | None:
        """The number kept for `text`, or None."""
        hashed = hash(text) & _64_BITS or 1
        table, last = self._table, self._last
        at = hashed << 1 & last
        while entry := table[at]:
            if entry == hashed:
                return table[at + 1]
            at = at + 2 & last
        return None

    def add(self, text: str | bytes, value: int) -> bool:
        """Keep `value` for `text` and return True; if there is one already, leave it and return False."""
        hashed = hash(text) & _64_BITS or 1
        table, last = self._table, self._last
        at = hashed << 1 & last
        while entry := table[at]:
            if entry == hashed:
                return False
            at = at + 2 & last
        table[at + 1] = value
        table[at] = hashed
        self._count += 1
        if self._count > self._most:
            self._grow()
        return True

    def put(self, text: str | bytes, value: int) -> None:
        """Keep `value` for `text`, whatever was kept before."""
        if self.add(text, value):
            return
        hashed = hash(text) & _64_BITS or 1
        at = hashed << 1 & self._last
        while self._table[at] != hashed:
            at = at + 2 & self._last
        self._table[at + 1] = value

    def _grow(self) -> None:
        before = self._table
        self._make_room(len(before))
        table, last = self._table, self._last
        for place in range(0, len(before), 2):
            if hashed := before[place]:
                at = hashed << 1 & last
                while table[at]:
                    at = at + 2 & last
                table[at], table[at + 1] = hashed, before[place + 1]
