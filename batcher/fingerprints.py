"""A map from texts to numbers that costs about 20 bytes an entry, where a dict of strings costs over 150.

It keeps a 64-bit hash of each text, not the text. Two texts are taken for one with a chance of n²/2⁶⁵: one in forty
million for a million texts. The hash is Python's own, keyed anew in each process, so nobody can prepare a clash.

16 bits of the hash choose a bucket; a bucket is a bytearray of entries, 6 bytes of hash and 8 of value, searched by
`bytearray.find` at the speed of C. There is no table to grow, so there is no moment at which two of them are held.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_BUCKETS = 1 << 16
_LOW = _BUCKETS - 1
_HIGH = (1 << 48) - 1
_HASH_BYTES = 6
_ENTRY_BYTES = 14
_VALUE = struct.Struct("<Q").unpack_from


class Fingerprints:
    """A map of texts (or bytes) to numbers of 0 to 2⁶⁴ - 1. `add` keeps the first value of a text, `put` the last."""

    __slots__ = ("_buckets", "_count")

    def __init__(self) -> None:
        self._buckets: list[bytearray | None] = [None] * _BUCKETS
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, text: str | bytes) -> bool:
        hashed = hash(text)
        bucket = self._buckets[hashed & _LOW]
        if bucket is None:
            return False
        mark = (hashed >> 16 & _HIGH).to_bytes(6, "little")
        return bucket.find(mark) % _ENTRY_BYTES == 0 or _find(bucket, mark) >= 0

    def values(self) -> Iterator[int]:
        """Every number kept, in no order."""
        for bucket in self._buckets:
            if bucket is not None:
                for at in range(_HASH_BYTES, len(bucket), _ENTRY_BYTES):
                    yield int.from_bytes(bucket[at : at + 8], "little")

    def get(self, text: str | bytes) -> int | None:
        """The number kept for `text`, or None."""
        hashed = hash(text)
        bucket = self._buckets[hashed & _LOW]
        if bucket is None:
            return None
        mark = (hashed >> 16 & _HIGH).to_bytes(6, "little")
        at = bucket.find(mark)
        if at % _ENTRY_BYTES and (at := _find(bucket, mark)) < 0:
            return None
        value: int = _VALUE(bucket, at + _HASH_BYTES)[0]
        return value

    def add(self, text: str | bytes, value: int) -> bool:
        """Keep `value` for `text` and return True; if there is one already, leave it and return False."""
        hashed = hash(text)
        mark = (hashed >> 16 & _HIGH).to_bytes(6, "little")
        bucket = self._buckets[hashed & _LOW]
        if bucket is None:
            self._buckets[hashed & _LOW] = bytearray(mark + value.to_bytes(8, "little"))
        elif mark in bucket and _find(bucket, mark) >= 0:
            return False
        else:
            bucket += mark + value.to_bytes(8, "little")
        self._count += 1
        return True

    def put(self, text: str | bytes, value: int) -> None:
        """Keep `value` for `text`, whatever was kept before."""
        if self.add(text, value):
            return
        hashed = hash(text)
        bucket = self._buckets[hashed & _LOW]
        if bucket is not None:
            at = _find(bucket, (hashed >> 16 & _HIGH).to_bytes(6, "little"))
            bucket[at + 6 : at + 14] = value.to_bytes(8, "little")


def _find(bucket: bytearray, mark: bytes) -> int:
    """Where the entry of this mark begins, or -1. A match that straddles two entries is none."""
    at = bucket.find(mark)
    while at % _ENTRY_BYTES and at >= 0:
        at = bucket.find(mark, at + 1)
    return at
