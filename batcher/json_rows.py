"""JSON lines and JSON arrays → rows, in bounded memory whatever the file holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import BinaryIO

from . import fed_back
from .json_text import BrokenJson, parse_object
from .models import Row

_CHUNK_BYTES = 1 << 17
_SHOWN_BYTES = 1000
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[][{}"]', re.DOTALL)
_SCALAR = re.compile(rb'"(?:[^"\\]|\\.)*"|[^"\s,\]][^\s,\]]*|[\]]', re.DOTALL)
_BETWEEN = re.compile(rb"[\s,]*")


class TooLong(bytes):
    """The begin of a row that is longer than is allowed, and what tells it from others that begin so."""

    __slots__ = ()


def lines(stream: BinaryIO, most: int) -> Iterator[tuple[int, bytes]]:
    """The number (1-based) and the text of each line; `TooLong` in the place of one with more than `most` bytes."""
    number, tail = 1, b""
    while chunk := stream.read(_CHUNK_BYTES):
        found = (tail + chunk).split(b"\n")
        tail = found.pop()
        for line in found:
            yield number, line if len(line) <= most else _too_long(line)
            number += 1
        if len(tail) > most:
            cut, tail = _cut(tail, stream)
            yield number, cut
            number += 1
    if tail:
        yield number, tail if len(tail) <= most else _too_long(tail)


def _cut(start: bytes, stream: BinaryIO) -> tuple[TooLong, bytes]:
    """What stands for a line that is too long, and what follows its end in the last piece read.

    What follows may hold further line ends, but is never longer than one piece; the caller goes on with it.
    """
    digest, size = blake2b(start, digest_size=8), len(start)
    while chunk := stream.read(_CHUNK_BYTES):
        head, newline, rest = chunk.partition(b"\n")
        digest.update(head)
        size += len(head)
        if newline:
            return _label(start, size, digest.hexdigest()), rest
    return _label(start, size, digest.hexdigest()), b""


def _too_long(line: bytes) -> TooLong:
    return _label(line, len(line), blake2b(line, digest_size=8).hexdigest())


def _label(start: bytes, size: int, digest: str) -> TooLong:
    return TooLong(start[:_SHOWN_BYTES] + f"… ({size} bytes, {digest})".encode())


def elements(stream: BinaryIO, most: int) -> Iterator[tuple[int, bytes]]:
    """The line and the text of each element of a JSON array; or of objects that follow one another without one.

    Elements are told apart by their brackets and strings only, so one that is broken inside does not hide the rest.
    """
    buffer, at, line, at_end, depth = b"", 0, 1, False, 0
    while True:
        start = _skip(buffer, at)
        line += buffer.count(b"\n", at, start)
        at = start
        opening = buffer[at : at + 1]
        if (opening == b"[" and not depth) or (opening == b"]" and depth):
            depth, at = int(opening == b"["), at + 1
            continue
        end = _end_of_element(buffer, at)
        if end and (end < len(buffer) or at_end):
            element = buffer[at:end]
            yield line, element if len(element) <= most else _too_long(element)
            line, at = line + element.count(b"\n"), end
        elif at_end or len(buffer) - at > most:  # what is longer than a row may be has no end that matters
            if at < len(buffer):
                yield line, buffer[at:] if len(buffer) - at <= most else _cut_all(buffer[at:], stream)
            return
        else:
            more = stream.read(max(_CHUNK_BYTES, len(buffer) - at))
            buffer, at, at_end = buffer[at:] + more, 0, not more


def _cut_all(start: bytes, stream: BinaryIO) -> TooLong:
    digest, size = blake2b(start, digest_size=8), len(start)
    while chunk := stream.read(_CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
    return _label(start, size, digest.hexdigest())


def _skip(buffer: bytes, at: int) -> int:
    """The offset of what comes after white space and commas."""
    found = _BETWEEN.match(buffer, at)
    return found.end() if found else at


def _end_of_element(buffer: bytes, at: int) -> int:
    """Where the element that begins at `at` ends; 0 if not in here."""
    if at == len(buffer):
        return 0
    if buffer[at] not in b"{[":
        scalar = _SCALAR.match(buffer, at)
        return scalar.end() if scalar else 0
    depth = 0
    for token in _TOKEN.finditer(buffer, at):
        match token[0]:
            case b"{" | b"[":
                depth += 1
            case b"}" | b"]":
                depth -= 1
                if depth == 0:
                    return token.end()
            case b'"':
                return 0  # a string that does not end in here
            case _:
                pass
    return 0


@dataclass(frozen=True, slots=True)
class Texts:
    """An open file of JSON texts, and the rows that they are. With `trusted` they have been read before."""

    source: str
    records: Iterator[tuple[int, bytes]]
    trusted: bool = False

    def row(self, line: int, raw: bytes) -> Row | None:
        """The row in a text, an object of fields or a line of a failures file; None if it is blank."""
        if not raw or raw.isspace():
            return None
        if isinstance(raw, TooLong):
            text = raw.decode("utf-8", "replace")
            return Row(self.source, line, {}, text=text, fault="is longer than --max-row-bytes allows")
        try:
            fields = parse_object(raw, trusted=self.trusted)
        except BrokenJson as error:
            return Row(self.source, line, {}, text=raw.decode("utf-8", "replace").strip(), fault=str(error))
        if fed_back.is_failure(fields):
            return fed_back.row_of(self.source, line, fields)
        return Row(self.source, line, fields)
