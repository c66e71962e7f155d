"""Files of whole lines: appended to as things happen, read back without a torn tail, repaired when opened.

What a power cut or a full disk leaves behind is at most a part of the last line. If that part happens to be a whole
JSON object, only its newline is missing and it counts; otherwise it says nothing and is cut off. Files in the CSV form
are treated the same, record by record.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import anyio
import orjson

from ..errors import DiskTrouble
from . import csv_form, csv_records
from .disk import AppendFile, Storage
from .trouble import corrupt, disk_trouble, foreign

_SAMPLE_BYTES = 1 << 18


class Lines:
    """One file open for appending. After a failed write its tail is cut, so that later lines stay whole."""

    def __init__(self, file: AppendFile, path: Path) -> None:
        self._file = file
        self._path = path
        self._broken: DiskTrouble | None = None
        # bytes in the file, and how many of them are known to be durable: of what a killed run left, none
        self._written = file.size()
        self._synced = 0
        self._syncing = anyio.Lock()
        self.has_foreign = False  # whether a sync found bytes of somebody else

    def write(self, line: bytes) -> int:
        """Append one line (with its newline) and return the offset where it begins. Raises DiskTrouble."""
        if self._broken is not None:
            raise self._broken
        offset = self.size()
        try:
            self._file.write(line)
        except OSError as error:
            trouble = disk_trouble(self._path, "write", error)
            try:
                self._file.truncate(offset)
            except OSError:
                self._broken = trouble
            raise trouble from error
        self._written += len(line)
        return offset

    async def sync(self) -> None:
        """Return once all that was written before the call is durable. Raises DiskTrouble.

        One fsync at a time: of two that are under way only one would be told that the disk refused.
        Raises ForeignWriter where the file holds bytes of somebody else; `write` takes outcomes all the same.
        """
        written = self._written
        async with self._syncing:
            if self._broken is not None:
                raise self._broken
            if self._synced < written:
                written = self._written
                try:
                    await self._file.sync()
                except OSError as error:
                    # what a failed fsync leaves in the page cache is not to be trusted, even if a second one succeeds
                    self._broken = disk_trouble(self._path, "fsync", error)
                    raise self._broken from error
                self._synced = written
            # looked at last: of two runs that write at once at least one finds the other's bytes, and sends nothing
            self.has_foreign = self.size() != self._written
        if self.has_foreign:
            raise foreign(self._path)

    def size(self) -> int:
        """Bytes in the file now, whoever wrote them. Raises DiskTrouble."""
        try:
            return self._file.size()
        except OSError as error:
            raise disk_trouble(self._path, "look at", error) from error


@dataclass(frozen=True, slots=True)
class Tail:
    """The unfinished last line: where it begins, and whether it is whole and lacks only its newline."""

    offset: int
    is_whole: bool


@contextlib.contextmanager
def open_lines(storage: Storage, path: Path) -> Iterator[Lines]:
    """Open for appending, with a torn tail repaired first. Raises DiskTrouble."""
    try:
        repair(storage, path)
        opening = storage.append(path)
        file = opening.__enter__()
    except OSError as error:
        raise disk_trouble(path, "open", error) from error
    with contextlib.ExitStack() as stack:
        stack.push(opening.__exit__)
        yield Lines(file, path)


def repair(storage: Storage, path: Path) -> None:
    """Cut a torn tail off, or give a whole last line its newline."""
    tail = find_tail(storage, path)
    if tail is None:
        return
    if tail.is_whole:
        end = _end_of_line(storage, path)
        with storage.append(path) as file:
            file.write(end)
    else:
        storage.truncate(path, tail.offset)


def _end_of_line(storage: Storage, path: Path) -> bytes:
    """What a whole last line lacks: CSV records end with two characters, of which one may be there already."""
    if not csv_form.is_csv(path):
        return b"\n"
    with storage.read(path) as stream:
        stream.seek(-1, os.SEEK_END)
        return b"\n" if stream.read(1) == b"\r" else b"\r\n"


def find_tail(storage: Storage, path: Path) -> Tail | None:
    """The unfinished last line, or None if the file ends well or is missing. Raises UsageError if that cannot be told."""
    size = storage.size(path)
    if not size:
        return None
    with storage.read(path) as stream:
        if csv_form.is_csv(path):
            try:
                torn = csv_records.torn_record(stream)
            except csv_records.StrayQuoteError as error:
                raise corrupt(path, str(error.line), str(error)) from None
            return None if torn is None else Tail(*torn)
        step = 1 << 16
        while True:
            start = max(0, size - step)
            stream.seek(start)
            text = stream.read(size - start)
            newline = text.rfind(b"\n")
            if newline == len(text) - 1:
                return None
            if newline >= 0 or start == 0:
                return Tail(start + newline + 1, is_object(text[newline + 1 :]))
            step *= 8


def count_roughly(storage: Storage, path: Path) -> int:
    """About how many lines the file has, from the length of the first ones; none too many for a short file."""
    with storage.read(path) as stream:
        start = stream.read(_SAMPLE_BYTES)
    return start.count(b"\n") * (storage.size(path) or 0) // max(1, len(start))


def read_lines(storage: Storage, path: Path, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Each whole line with its offset. Raises FileNotFoundError."""
    with storage.read(path) as stream:
        yield from whole_lines(stream, start)


def whole_lines(stream: BinaryIO, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Each whole line of an open file with its offset; a torn tail is passed over, and what a power cut took."""
    stream.seek(start)
    offset = start
    for line in stream:
        if line[-1:] != b"\n" and not is_object(line):
            return
        if b"\0" not in line:  # see lost.py
            yield offset, line
        offset += len(line)


def parse_line(line: bytes, path: Path, number_or_offset: str) -> dict[str, object]:
    """A line's object. Raises UsageError naming file and place: a corrupt line in the middle is never guessed at."""
    try:
        parsed = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise corrupt(path, number_or_offset, str(error)) from None
    if not isinstance(parsed, dict):
        raise corrupt(path, number_or_offset, "not a JSON object")
    return parsed


class JoinedLines:
    """Finds lines that a second one was joined to, because a newline was lost: a single line has `once` in it once.

    A search through all of a long line costs as much as everything else that is done with it. So those are passed that
    are hardly longer than the shortest line so far: two of them would be twice as long.
    """

    def __init__(self, once: bytes) -> None:
        self._once = once
        self._shortest, self._longest = 1 << 62, 0

    def holds(self, line: bytes) -> bool:
        """Whether this is certainly a single line; not if a value in it has `once` in it, too."""
        size = len(line)
        if self._shortest <= size <= self._longest:
            return True
        if line.count(self._once) != 1:
            return False
        if size < self._shortest:
            self._shortest, self._longest = size, size * 7 // 5
        return True


def is_object(text: bytes) -> bool:
    """Whether this is one whole JSON object."""
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False
