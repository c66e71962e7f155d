"""JSON lines and JSON arrays → rows, in bounded memory whatever the file holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import BinaryIO

from ..models import Row
from . import failures_lines
from .commas import STRAY, UNSEPARATED, Commas, Misplaced, misplaced
from .json_text import BrokenJson, parse_object

_CHUNK_BYTES = 1 << 17
_SHOWN_BYTES = 1000
# possessive (`*+`): what a regular expression keeps to go back to is a hundred times as large as a long string
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[][{}"]', re.DOTALL)
_SCALAR = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[^"\s,\]][^\s,\]]*|[\]]', re.DOTALL)
_BARE_STOP = re.compile(rb"[\s,\]]")
_STRING_STOP = re.compile(rb'["\\]')
_STOP = re.compile(rb'[][{}"]')
_BETWEEN = re.compile(rb"[\s,]*")


class CutOff(ValueError):  # noqa: N818 - what has happened to the file
    """The file ends before its array does, so nobody knows how many rows are missing."""


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
            yield number, line if len(line) <= most else _Label(line).text
            number += 1
        if len(tail) > most:
            cut, tail = _cut(tail, stream)
            yield number, cut
            number += 1
    if tail:
        yield number, tail if len(tail) <= most else _Label(tail).text


def _cut(start: bytes, stream: BinaryIO) -> tuple[TooLong, bytes]:
    """What stands for a line that is too long, and what follows its end in the last piece read.

    What follows may hold further line ends, but is never longer than one piece; the caller goes on with it.
    """
    label = _Label(start)
    while chunk := stream.read(_CHUNK_BYTES):
        head, newline, rest = chunk.partition(b"\n")
        label.add(head)
        if newline:
            return label.text, rest
    return label.text, b""


class _Label:
    """What stands for a row that is too long: how it begins, how long it is, and a hash that tells it from others."""

    def __init__(self, start: bytes) -> None:
        self._start = b""
        self._digest = blake2b(digest_size=8)
        self._size = 0
        self.newlines = 0
        self.add(start)

    def add(self, more: bytes) -> None:
        self._start += more[: _SHOWN_BYTES - len(self._start)]
        self._digest.update(more)
        self._size += len(more)
        self.newlines += more.count(b"\n")

    @property
    def text(self) -> TooLong:
        return TooLong(self._start + f"… ({self._size} bytes, {self._digest.hexdigest()})".encode())


def elements(stream: BinaryIO, most: int) -> Iterator[tuple[int, bytes]]:
    """The line and the text of each element of a JSON array; or of objects that follow one another without one.

    Elements are told apart by their brackets and strings only, so one that is broken inside does not hide the rest.
    Between two elements of an array stands one comma; what stands otherwise is given as Misplaced, and reading goes on:
    where something is missing or too much, perhaps a row is. Raises CutOff.
    """
    buffer, at, line, at_end, depth, opened = b"", 0, 1, False, 0, 0
    commas = Commas()
    while True:
        start = _skip(buffer, at)
        if start > at:
            if depth:
                yield from commas.between(buffer[at:start], line)
            line += buffer.count(b"\n", at, start)
            at = start
        opening = buffer[at : at + 1]
        if (opening == b"[" and not depth) or (opening == b"]" and depth):
            if depth:
                yield from commas.at_the_end()
            depth, at, opened, commas = int(opening == b"["), at + 1, line, Commas()
            continue
        end = _end_of_element(buffer, at)
        if end and (end < len(buffer) or at_end):
            element = buffer[at:end]
            yield line, _given(element, most, is_placed=commas.follow() or not depth)
            line, at = line + element.count(b"\n"), end
        elif at_end:
            if at < len(buffer):
                element = buffer[at:]
                yield line, _given(element, most, is_placed=commas.follow() or not depth)
            elif depth:
                raise CutOff(f"the array that begins in line {opened} is never closed")
            return
        elif len(buffer) - at > most:
            label, rest = _cut_element(buffer[at:], stream)
            yield line, label.text
            commas.follow()
            line, buffer, at = line + label.newlines, rest or b"", 0
            depth = 0 if rest is None else depth  # an element that never ends says enough of the array around it
        else:
            more = stream.read(max(_CHUNK_BYTES, len(buffer) - at))
            buffer, at, at_end = buffer[at:] + more, 0, not more


def _given(element: bytes, most: int, *, is_placed: bool) -> bytes:
    """The element, or what stands for it if it is too long or misplaced."""
    if len(element) > most:
        return _Label(element).text
    return element if is_placed else misplaced(element)


def _cut_element(start: bytes, stream: BinaryIO) -> tuple[_Label, bytes | None]:
    """What stands for an element that is too long, and what follows its end in the last piece read; None if it has no end."""
    search, label = _EndSearch(start[:1]), _Label(b"")
    piece = start
    while piece:
        end = search.find(piece)
        if end >= 0:
            label.add(piece[:end])
            return label, piece[end:]
        label.add(piece)
        piece = stream.read(_CHUNK_BYTES)
    return label, None


class _EndSearch:
    """Finds the end of an element piece by piece, keeping none of them."""

    def __init__(self, first: bytes) -> None:
        self._bare = first not in (b"{", b"[", b'"')
        self._depth = 0
        self._in_string = self._escaped = False

    def find(self, piece: bytes) -> int:
        """The offset in this piece after the element's end, or -1 if it goes on in the next."""
        if self._bare:
            stop = _BARE_STOP.search(piece)
            return stop.start() if stop else -1
        at = int(self._escaped)
        self._escaped = False
        while stop := (_STRING_STOP if self._in_string else _STOP).search(piece, at):
            at = stop.end()
            match stop[0]:
                case b"\\":
                    self._escaped = at == len(piece)
                    at += 1
                case b'"':
                    self._in_string = not self._in_string
                case b"{" | b"[":
                    self._depth += 1
                case _:
                    self._depth -= 1
            if self._depth <= 0 and not self._in_string:
                return at
        return -1


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
        is_misplaced = isinstance(raw, Misplaced)
        raw = raw[1:] if is_misplaced else raw
        if is_misplaced and raw == b",":
            return Row(self.source, line, {}, text=",", fault=STRAY)
        try:
            fields = parse_object(raw, trusted=self.trusted)
        except BrokenJson as error:
            return Row(self.source, line, {}, text=raw.decode("utf-8", "replace").strip(), fault=str(error))
        if is_misplaced:
            return Row(self.source, line, {}, text=raw.decode(), fault=UNSEPARATED)
        if failures_lines.is_failure(fields):
            return failures_lines.row_of(self.source, line, fields)
        return Row(self.source, line, fields)
