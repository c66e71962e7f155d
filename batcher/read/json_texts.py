"""JSON Lines and JSON arrays → rows, in bounded memory whatever the file holds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NoReturn

from ..errors import UsageError
from ..models import Row
from . import failures_lines
from .broken import TOO_LONG, Broken, LongLine
from .json_shapes import rows_inside
from .json_text import TOO_DEEP, BrokenJson, parse_object

_CHUNK_BYTES = 1 << 17
_LONGEST_TOKEN = 16  # bytes; more than `\ud83d\ude00` or `-Infinity`, which a piece may cut in two
_TOO_LONG = f"{TOO_LONG}, or a quote or bracket in it is never closed"
_WHITE_SPACE = re.compile(r"[ \t\r\n]*")
_decode = json.JSONDecoder(parse_int=float).raw_decode  # int() refuses numbers of more than 4,300 digits

Record = tuple[int, bytes | Broken]


def lines(stream: BinaryIO, most: int) -> Iterator[Record]:
    """The number (1-based) and the text of each line; `Broken` in the place of one with more than `most` bytes."""
    number, tail = 1, b""
    while chunk := stream.read(_CHUNK_BYTES):
        whole = (tail + chunk).split(b"\n")
        tail = whole.pop()
        for line in whole:
            yield number, line if len(line) <= most else LongLine(line).broken()
            number += 1
        if len(tail) > most:
            broken, tail = _rest_of_line(tail, stream)
            yield number, broken
            number += 1
    for line in tail.removesuffix(b"\n").split(b"\n") if tail else ():  # several lines may have followed one too long
        yield number, line if len(line) <= most else LongLine(line).broken()
        number += 1


def _rest_of_line(start: bytes, stream: BinaryIO) -> tuple[Broken, bytes]:
    """What stands for a line that is too long, and what follows its end in the last piece read.

    What follows may hold further line ends, but is never longer than one piece; the caller goes on with it.
    """
    line = LongLine(start)
    while chunk := stream.read(_CHUNK_BYTES):
        head, newline, rest = chunk.partition(b"\n")
        line.add(head)
        if newline:
            return line.broken(), rest
    return line.broken(), b""


def elements(stream: BinaryIO, source: str, most: int) -> Iterator[tuple[int, bytes]]:
    """The line and the text of each element of a JSON array; or of values that follow one another without one.

    Raises UsageError where the array is broken: nobody can say what the rows behind that place are, so none is sent.
    """
    text = _Text(stream, source, most)
    array, before = 0, ""  # the line in which the array begins, 0 outside of one; and what stands before this place
    while char := text.next():
        if char == "," and not (array and before != "element"):
            before = text.take(char)
        elif char == "[" and not array:
            array, before = text.line, text.take(char)
        elif char == "]" and array and before != ",":
            array, before = 0, text.take(char)
        elif char in ",]" and array:
            text.refuse("has a comma without an element before or after it; remove the comma or add the element")
        elif array and before == "element":
            text.refuse("needs a comma before this element")
        else:
            yield text.line, text.element()
            before = "element"
    if array:
        raise UsageError(f"{source}:{array}: the array that begins here is never closed; is the file cut off?")


class _Text:
    """The text of a file as far as it is needed, one character for each byte, and the place that reading has come to.

    JSON's own characters are ASCII, so its values end at the same places in whatever encoding the bytes are taken. What
    is not UTF-8 is a problem of its row.
    """

    def __init__(self, stream: BinaryIO, source: str, most: int) -> None:
        self._stream = stream
        self._source = source
        self._most = most
        self._text = ""
        self._at = 0
        self._is_all = False
        self.line = 1

    def next(self) -> str:
        """The next character that isn't white space; "" at the end of the file."""
        while True:
            space = _WHITE_SPACE.match(self._text, self._at)
            self._pass(space.end() if space else self._at)
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read_more():
                return ""

    def take(self, char: str) -> str:
        """Step over this character, which is the next one."""
        self._at += len(char)
        return char

    def element(self) -> bytes:
        """The text of the value that begins here. Raises UsageError if it is broken, or longer than a row may be."""
        while (end := self._end()) is None:
            if len(self._text) - self._at > self._most + _LONGEST_TOKEN:
                self.refuse(_TOO_LONG)
            self._read_more()
        if end - self._at > self._most:
            self.refuse(_TOO_LONG)
        element = self._text[self._at : end].encode("latin-1")
        self._pass(end)
        return element

    def _end(self) -> int | None:
        """Where the value that begins here ends; None if not in this piece. Raises UsageError if it is broken."""
        try:
            _, end = _decode(self._text, self._at)
        except json.JSONDecodeError as error:
            reached = len(self._text) if error.msg.startswith("Unterminated") else error.pos
            if reached - self._at > self._most:
                self.refuse(_TOO_LONG)
            is_cut = reached + _LONGEST_TOKEN >= len(self._text)
            if is_cut and not self._is_all:
                return None
            if is_cut:  # the file's end is where the value broke
                self.refuse("ends in the middle of a value: is the file cut off?")
            self.refuse(f"is not JSON: {error.msg.removesuffix(' at')}, {self._place(error.pos)}")
        except RecursionError:
            self.refuse(TOO_DEEP)
        is_sure = self._is_all or self._text[end - 1] in '}]"' or end + _LONGEST_TOKEN < len(self._text)
        return end if is_sure else None

    def refuse(self, fault: str) -> NoReturn:
        """Raise UsageError about what stands here."""
        raise UsageError(f"{self._source}:{self.line}: {fault}; fix it first, the rows after it can't be read")

    def _place(self, pos: int) -> str:
        """A place in the value that begins here, for a person: its line if that is another, and its character."""
        before = self._text[self._at : pos].encode("latin-1").decode("utf-8", "replace")
        newlines = before.count("\n")
        character = f"at character {len(before) - before.rfind(chr(10))}"
        return f"in line {self.line + newlines}, {character}" if newlines else character

    def _pass(self, end: int) -> None:
        self.line += self._text.count("\n", self._at, end)
        self._at = end

    def _read_more(self) -> bool:
        """Read as much as is left to look at, and a piece at least, so that a long element is gone through twice at most."""
        piece = self._stream.read(max(_CHUNK_BYTES, len(self._text) - self._at))
        self._is_all = not piece
        self._text, self._at = self._text[self._at :] + piece.decode("latin-1"), 0
        return not self._is_all


def _text_of(record: bytes) -> str:
    """The text of a broken record. What isn't UTF-8 is replaced, and then it must not read as a row: its name would be wrong."""
    try:
        return record.decode().strip()
    except UnicodeDecodeError:
        return f"{record.decode('utf-8', 'replace').strip()} (not UTF-8)"


@dataclass(frozen=True, slots=True)
class Texts:
    """An open file of JSON texts, and the rows that they are."""

    source: str
    records: Iterator[Record]

    def row(self, line: int, record: bytes | Broken) -> Row | None:
        """The row in a text, an object of fields or a line of a failures file; None if it is blank."""
        if isinstance(record, Broken):
            return Row(self.source, line, {}, text=record.text, fault=record.fault)
        if not record or record.isspace():
            return None
        try:
            fields = parse_object(record)
        except BrokenJson as error:
            return Row(self.source, line, {}, text=_text_of(record), fault=str(error))
        if inside := rows_inside(fields):
            return Row(self.source, line, {}, text=_text_of(record), fault=inside)
        if failures_lines.is_failure(fields):
            return failures_lines.row_of(self.source, line, fields)
        return Row(self.source, line, fields)
