"""What a traced run did to its own files, in order: strace's lines become values.

A sync covers what was written before it began, and holds from its end on; other threads may write in between.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_CALL = re.compile(r"^(\d+) +(\d+\.\d+) (\w+)\((.*)$")
_RESUMED = re.compile(r"^(\d+) +(\d+\.\d+) <\.\.\. (\w+) resumed>(.*)$")
_UNFINISHED = " <unfinished ...>"
_ENDED = re.compile(r"^(.*)\) += (-?\d+)")
_OF_DESCRIPTOR = re.compile(r"^\d+<([^>]*)>")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Created:
    """A file was opened for writing, and made if there was none; with `is_emptied` an old one lost its content."""

    path: Path
    is_emptied: bool


@dataclass(frozen=True, slots=True)
class Appended:
    """Bytes were written at the end of a file."""

    path: Path
    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """A file has this size now."""

    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class Renamed:
    """A file took another's place."""

    path: Path
    to: Path


@dataclass(frozen=True, slots=True)
class Removed:
    """A name is gone."""

    path: Path


@dataclass(frozen=True, slots=True)
class SyncBegan:
    """A file's or a directory's sync covers what came before this. `number` counts the syncs of a trace, from 1."""

    path: Path
    number: int


@dataclass(frozen=True, slots=True)
class SyncEnded:
    """That sync holds now."""

    path: Path
    number: int


Deed = Created | Appended | Cut | Renamed | Removed | SyncBegan | SyncEnded


@dataclass(frozen=True, slots=True)
class Event:
    """A deed and its time (seconds since 1970)."""

    at: float
    deed: Deed


def read_trace(log: Path, directory: Path) -> list[Event]:
    """The events of `strace -f -ttt -y` on one directory's files. A call that failed did nothing."""
    events: list[Event] = []
    begun: dict[str, tuple[str, str]] = {}  # the calls that each thread has not come back from
    syncs = 0
    open_syncs: dict[str, SyncBegan] = {}
    for line in log.read_text("latin-1").splitlines():
        if (call := _CALL.match(line)) is not None:
            thread, at, name, rest = call.groups()
            if name in ("fsync", "fdatasync"):
                syncs += 1
                open_syncs[thread] = SyncBegan(_of_descriptor(rest, directory), syncs)
                events.append(Event(float(at), open_syncs[thread]))
            if rest.endswith(_UNFINISHED):
                begun[thread] = name, rest.removesuffix(_UNFINISHED)
                continue
        elif (resumed := _RESUMED.match(line)) is not None:
            thread, at, name, more = resumed.groups()
            rest = begun.pop(thread)[1] + more
        else:
            continue
        ended = _ENDED.match(rest)
        if ended is None or int(ended[2]) < 0:
            continue
        if thread in open_syncs and name in ("fsync", "fdatasync"):
            began = open_syncs.pop(thread)
            events.append(Event(float(at), SyncEnded(began.path, began.number)))
        else:
            events += (Event(float(at), deed) for deed in _deeds(name, ended[1], int(ended[2]), directory))
    return events


def _deeds(name: str, arguments: str, result: int, directory: Path) -> Iterator[Deed]:
    texts = [_bytes(text) for text in _TEXT.findall(arguments)]
    match name:
        case "openat" if "O_CREAT" in arguments:
            yield Created(_path(texts[0], directory), "O_TRUNC" in arguments)
        case "write":
            yield Appended(_of_descriptor(arguments, directory), texts[0][:result])
        case "ftruncate":
            yield Cut(_of_descriptor(arguments, directory), int(arguments.rpartition(",")[2]))
        case "rename" | "renameat" | "renameat2":
            yield Renamed(_path(texts[0], directory), _path(texts[1], directory))
        case "unlink" | "unlinkat":
            yield Removed(_path(texts[0], directory))
        case _:
            pass


def _of_descriptor(arguments: str, directory: Path) -> Path:
    match = _OF_DESCRIPTOR.match(arguments)
    assert match is not None, arguments
    return _path(match[1].encode("latin-1"), directory)


def _path(text: bytes, directory: Path) -> Path:
    return directory / text.decode()


def _bytes(text: str) -> bytes:
    return codecs.escape_decode(text.encode("latin-1"))[0]
