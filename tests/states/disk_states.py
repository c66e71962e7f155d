"""Events → the states that a file system may leave when the power is cut between any two of them.

What was synced is there. Of what came after, anything may be: nothing, all, a torn line, a hole (a later page without an
earlier one: NULs, then good data), for each file on its own. A new name, a rename or a removal may be lost until the
directory was synced. Journals of file systems keep more order than that, none less (ALICE, OSDI 2014).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import assert_never

from .trace import Appended, Created, Cut, Deed, Event, Removed, Renamed, SyncBegan, SyncEnded

SEEDED_PER_CUT = 12  # states in which several files differ at once


@dataclass(slots=True)
class _File:
    """One file's bytes, and how many of them are certain to be there."""

    content: bytes = b""
    synced: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """What is on the disk after the power was cut behind event number `cut` (from 0).

    `at` is that event's time (seconds since 1970), `next_at` the next one's; infinite after the last, when the run had
    ended and said so.
    """

    cut: int
    at: float
    next_at: float
    files: Mapping[Path, bytes]

    @property
    def is_end(self) -> bool:
        """Whether the run had ended."""
        return self.next_at == float("inf")


@dataclass(slots=True)
class _Disk:
    """A directory: names as they are, names that are certain, and what happened to names since."""

    directory: Path
    names: dict[Path, _File] = field(default_factory=dict)
    certain: dict[Path, _File] = field(default_factory=dict)
    pending: list[Deed] = field(default_factory=list)
    covered: dict[int, tuple[_File | None, int]] = field(default_factory=dict)  # of the syncs that go on

    def do(self, deed: Deed) -> None:
        """Take note of one event."""
        match deed:
            case Created(path, is_emptied):
                if path not in self.names:
                    self.names[path] = _File()
                    self.pending.append(deed)
                elif is_emptied:
                    self.names[path] = _File()
                    self.certain.pop(path, None)
            case Appended(path, data):
                self.names[path].content += data
            case Cut(path, size):
                file = self.names[path]
                file.content, file.synced = file.content[:size], min(file.synced, size)
            case Renamed(path, to):
                self.names[to] = self.names.pop(path)
                self.pending.append(deed)
            case Removed(path):
                if self.names.pop(path, None) is not None:
                    self.pending.append(deed)
            case SyncBegan(path, number):
                if path == self.directory:
                    self.covered[number] = None, len(self.pending)
                elif path in self.names:
                    self.covered[number] = self.names[path], len(self.names[path].content)
            case SyncEnded(_, number):
                self._sync(*self.covered.pop(number, (None, 0)))
            case _:
                assert_never(deed)

    def _sync(self, file: _File | None, much: int) -> None:
        if file is not None:
            file.synced = max(file.synced, min(much, len(file.content)))
            return
        for deed in self.pending[:much]:
            _apply(deed, self.certain, self.names)
        del self.pending[:much]

    def name_states(self) -> Iterator[dict[Path, _File]]:
        """The names that may be there: certain ones, with the first so many changes since, or all but one."""
        kept: list[Sequence[Deed]] = [self.pending[:number] for number in range(len(self.pending) + 1)]
        kept += [[*self.pending[:skipped], *self.pending[skipped + 1 :]] for skipped in range(len(self.pending) - 1)]
        for deeds in kept:
            names = dict(self.certain)
            for deed in deeds:
                _apply(deed, names, self.names)
            yield names


def _apply(deed: Deed, names: dict[Path, _File], now: Mapping[Path, _File]) -> None:
    match deed:
        case Created(path, _):
            if path in now:
                names[path] = now[path]
        case Renamed(path, to):
            if (file := names.pop(path, None) or now.get(to)) is not None:
                names[to] = file
        case Removed(path):
            names.pop(path, None)
        case _:
            raise AssertionError(deed)


def states(events: Sequence[Event], before: Mapping[Path, bytes], directory: Path, random: Random) -> Iterator[State]:
    """Every state after each event: each file varied alone, and some with several at once. `before`: files on disk."""
    disk = _Disk(directory)
    for path, content in before.items():
        disk.names[path] = disk.certain[path] = _File(content, len(content))
    for number, event in enumerate(events):
        disk.do(event.deed)
        next_at = events[number + 1].at if number + 1 < len(events) else float("inf")
        seen: set[tuple[tuple[Path, bytes], ...]] = set()
        for files in _contents(disk, random):
            shape = tuple(sorted(files.items()))
            if shape not in seen:
                seen.add(shape)
                yield State(number, event.at, next_at, files)


def _contents(disk: _Disk, random: Random) -> Iterator[dict[Path, bytes]]:
    for names in disk.name_states():
        variants = {path: list(_variants(file, random)) for path, file in names.items()}
        usual = {path: texts[-1] for path, texts in variants.items()}
        yield usual
        for path, texts in variants.items():
            for text in texts:
                yield usual | {path: text}
        several = [path for path, texts in variants.items() if len(texts) > 1]
        for _ in range(SEEDED_PER_CUT if len(several) > 1 else 0):
            yield usual | {path: random.choice(variants[path]) for path in several}


def _variants(file: _File, random: Random) -> Iterator[bytes]:
    """What may be of one file: last all of it."""
    certain, late = file.content[: file.synced], file.content[file.synced :]
    if late:
        yield certain
        torn = random.randrange(len(late))
        yield certain + late[:torn]
        for start, end in _stretches(late, random):
            yield certain + late[:start] + bytes(end - start) + late[end:]
        yield certain + bytes(len(late))
    yield file.content


def _stretches(late: bytes, random: Random) -> Iterator[tuple[int, int]]:
    """Holes: the first line, and any other stretch."""
    first = late.find(b"\n") + 1 or len(late)
    yield 0, first
    yield tuple(sorted(random.sample(range(len(late) + 1), 2)))  # type: ignore[misc]


def without_sync(events: Sequence[Event], left_out: Path) -> list[Event]:
    """The events of a program that never syncs this file (or this directory)."""
    return [
        event for event in events if not (isinstance(event.deed, SyncBegan | SyncEnded) and event.deed.path == left_out)
    ]
