"""Mutations: of bytes, of lines and cells, and of the values in JSON, so that what comes out is often nearly valid."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import orjson

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 1e308, -0.0, 1 << 62, (1 << 64) - 1, -(1 << 63), "", " ", "0", "\0", "\ud7ff", "\u2028",
    "é", "e\u0301", "😀", "\x1b[31m", "=1+1", "'", '"', "~2", "name:", "raw:", "id:", "x" * 300, [], {}, [None], {"": None},
    "2026-11-23T22:16:04.123+00:00", "2026-11-23T22:16:04", "9" * 5000, "-5", "0x1f", "1_0", "\u0661", "uncertain", "failed",
)  # fmt: skip
DEEP = (50, 250, 255, 900, 1000, 1023, 1030)
BYTES = (
    b"", b"\n", b"\r\n", b"\r", b",", b";", b"\t", b'"', b'""', b"'", b"\0", b" ", b"\\", b"{", b"}", b"[", b"]", b":", b"\xff",
    b"\xef\xbb\xbf", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\xe2\x80\x8b", b"\\ud800", b"\\u003a", b"1e400", b"-", b"NaN",
    b"0" * 25, b"12345678901234567890123", b"sep=;\n", b"null", b"true", b"9" * 5000,
)  # fmt: skip


class Mutator:
    """Makes new inputs of old ones; the same ones for the same seed."""

    def __init__(self, seed: int, words: Sequence[bytes], most: int) -> None:
        self._random = random.Random(seed)
        self._words = (*BYTES, *words)
        self._most = most
        self._ways: tuple[Callable[[bytes], bytes], ...] = (
            self._cut, self._copy, self._flip, self._put_word, self._put_word, self._swap_lines, self._swap_cell,
            self._tear, self._change_json, self._change_json, self._change_json, self._nest,
        )  # fmt: skip

    def mutated(self, data: bytes, other: bytes) -> bytes:
        """`data` after a few changes, of which one may take a part of `other`."""
        for _ in range(self._random.choice((1, 1, 2, 3, 5, 8))):
            takes = self._random.random() < 0.1
            data = self._spliced(data, other) if takes else self._random.choice(self._ways)(data)
        return data[: self._most]

    def _two(self, size: int) -> tuple[int, int]:
        first = self._random.randint(0, size)
        return first, min(size, first + int(self._random.expovariate(0.1)))

    def _cut(self, data: bytes) -> bytes:
        start, end = self._two(len(data))
        return data[:start] + data[end:]

    def _copy(self, data: bytes) -> bytes:
        start, end = self._two(len(data))
        at = self._random.randint(0, len(data))
        return data[:at] + data[start:end] * self._random.choice((1, 1, 1, 2, 40)) + data[at:]

    def _flip(self, data: bytes) -> bytes:
        if not data:
            return data
        at = self._random.randrange(len(data))
        return data[:at] + bytes([data[at] ^ (1 << self._random.randrange(8))]) + data[at + 1 :]

    def _put_word(self, data: bytes) -> bytes:
        start, end = self._two(len(data))
        end = start if self._random.random() < 0.5 else end
        return data[:start] + self._random.choice(self._words) + data[end:]

    def _tear(self, data: bytes) -> bytes:
        return data[: self._random.randint(0, len(data))]

    def _spliced(self, data: bytes, other: bytes) -> bytes:
        start, end = self._two(len(other))
        at = self._random.randint(0, len(data))
        return data[:at] + other[start:end] + data[at:]

    def _swap_lines(self, data: bytes) -> bytes:
        lines = data.splitlines(keepends=True)
        if len(lines) > 1:
            one, two = self._random.randrange(len(lines)), self._random.randrange(len(lines))
            lines[one], lines[two] = lines[two], lines[self._random.choice((one, two))]
        return b"".join(lines)

    def _swap_cell(self, data: bytes) -> bytes:
        lines = data.split(b"\n")
        at = self._random.randrange(len(lines))
        delimiter = self._random.choice((b",", b",", b";", b"\t"))
        cells = lines[at].split(delimiter)
        cells[self._random.randrange(len(cells))] = self._random.choice(self._words)
        lines[at] = delimiter.join(cells)
        return b"\n".join(lines)

    def _nest(self, data: bytes) -> bytes:
        """Put a value nested deeply in the place of something."""
        start, end = self._two(len(data))
        depth = self._random.choice(DEEP)
        opening, closing = self._random.choice(((b"[", b"]"), (b'{"a":', b"}")))
        return data[:start] + opening * depth + (b"1" if closing == b"}" else b"") + closing * depth + data[end:]

    def _change_json(self, data: bytes) -> bytes:
        """Change a value somewhere in a line of JSON, or in the whole of it."""
        lines = data.split(b"\n")
        at = self._random.randrange(len(lines))
        for text, whole in ((lines[at], False), (data, True)):
            begin = min((place for place in (text.find(b"{"), text.find(b"[")) if place >= 0), default=0)
            try:
                changed = text[:begin] + orjson.dumps(self._changed(orjson.loads(text[begin:])))
            except (orjson.JSONDecodeError, TypeError, UnicodeError):
                continue
            if whole:
                return changed
            lines[at] = changed
            return b"\n".join(lines)
        return data

    def _changed(self, value: Any) -> Any:
        draw = self._random
        if isinstance(value, dict) and value and draw.random() < 0.9:
            name = draw.choice(list(value))
            way = draw.random()
            if way < 0.1:
                return {other: inner for other, inner in value.items() if other != name}
            if way < 0.2:
                return {**value, draw.choice([*value, "key", "type", "spec", "outcome", "name", "x"]): value[name]}
            return value | {name: self._changed(value[name])}
        if isinstance(value, list) and value and draw.random() < 0.9:
            at = draw.randrange(len(value))
            return [*value[:at], self._changed(value[at]), *value[at + 1 : draw.choice((None, at + 1))]]
        if isinstance(value, str) and draw.random() < 0.4:
            return self._put_word(value.encode()).decode("utf-8", "replace")
        return draw.choice(ODD)
