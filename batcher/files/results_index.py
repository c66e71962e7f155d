"""The results file's lines by key: what was created, and under which identifier; without parsing nearly all of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..compact_map import Fingerprints
from ..identity import HASH_DIGITS, fingerprint
from ..models import Created
from .disk import LINE_BUFFER_BYTES, Storage
from .history import UndoneDocuments
from .lines import JoinedLines, count_roughly, is_object, parse_line, read_lines
from .results import created_of

DocumentOf = Callable[[str], Created | None]
# how a line begins that was written by `encode_line`, with nothing in it that needs an escape: key and kept digits
_WRITTEN = re.compile(
    rb'\{"key":"([^"\\]+)","source":"[^"\\]*","line":[0-9]+,"outcome":"created","how":"[a-z]+",'
    rb'"specHash":"([0-9a-f]{%d})[0-9a-f]*","identifier":"' % HASH_DIGITS
)


def index_results(storage: Storage, path: Path, undone: UndoneDocuments) -> Fingerprints:
    """The created keys, each with the start of its spec hash; those whose last document was undone are left out."""
    left = LastDocuments(undone)
    if storage.size(path) is None:
        return Fingerprints()
    index = Fingerprints(count_roughly(storage, path))
    for created in _index_lines(storage, path, undone, index):
        kept = fingerprint(created.spec_hash)
        if created.key in undone:
            left.see(created.key, created.identifier, kept)
        else:
            index.add(created.key, kept)
    for key, (_, kept) in left.latest.items():
        index.add(key, kept)
    return index


def _index_lines(storage: Storage, path: Path, undone: UndoneDocuments, index: Fingerprints) -> Iterator[Created]:
    """Index the lines that are as we write them, a million in seconds, and yield the others, parsed.

    Those are what somebody's program rewrote, keys with escapes, and keys of which more than the beginning is wanted.
    """
    add, key_and_hash = index.add, _key_and_hash(JoinedLines(b"elapsedMs").holds)
    with storage.read(path) as stream:
        for number, line in enumerate(stream, 1):
            if b"\0" in line:  # what a power cut took, see lost.py; the next run drops it
                continue
            written = key_and_hash(line)
            if written is not None and written[0] not in undone:
                add(*written)
                continue
            if line[-1:] != b"\n" and not is_object(line):
                return  # a torn tail
            yield created_of(parse_line(line, path, str(number)), f"{path}:{number}")


def _key_and_hash(is_single: Callable[[bytes], bool]) -> Callable[[bytes], tuple[str, int] | None]:
    """What reads the key and the start of the spec hash of a line without parsing it; None if it has to be parsed."""
    written = _WRITTEN.match

    def read(line: bytes) -> tuple[str, int] | None:
        match = written(line)
        if match is None or not line.endswith(b"}\n") or not is_single(line):
            return None
        key = match[1].decode("utf-8", "replace")
        return None if "\N{REPLACEMENT CHARACTER}" in key else (key, int(match[2], 16))

    return read


class LastDocuments:
    """Of the keys that undo has touched, those whose last document is still there. `latest`: key → identifier, value."""

    def __init__(self, undone: UndoneDocuments) -> None:
        self.latest: dict[str, tuple[str, int]] = {}
        self._undone = undone
        self._lines: dict[tuple[str, str], int] = {}

    def see(self, key: str, identifier: str, value: int) -> None:
        """A line of the results file, in order, of a key that was undone at some time."""
        lines = self._lines[key, identifier] = self._lines.get((key, identifier), 0) + 1
        if lines > self._undone[key].get(identifier, 0):
            self.latest[key] = (identifier, value)
        else:
            self.latest.pop(key, None)


@contextmanager
def open_documents(storage: Storage, path: Path, undone: UndoneDocuments) -> Iterator[DocumentOf]:
    """Each created key's last document; None for a key that has none.

    Only the lines' offsets (bytes) are kept, and a line is read again when it is asked for.
    """
    if storage.size(path) is None:
        yield lambda _: None
        return
    offsets = Fingerprints(count_roughly(storage, path))
    left = LastDocuments(undone)
    for key, identifier, offset in _placed(storage, path, undone):
        if key in undone:
            left.see(key, identifier, offset)
        else:
            offsets.put(key, offset)
    for key, (_, offset) in left.latest.items():
        offsets.put(key, offset)
    with storage.read(path, LINE_BUFFER_BYTES) as stream:

        def document_of(key: str) -> Created | None:
            if (offset := offsets.get(key)) is None:
                return None
            stream.seek(offset)
            place = f"offset {offset}"
            return created_of(parse_line(stream.readline(), path, place), f"{path}:{place}")

        yield document_of


def _placed(storage: Storage, path: Path, undone: UndoneDocuments) -> Iterator[tuple[str, str, int]]:
    """Each line's key, its identifier (empty where nobody needs it) and its offset."""
    key_and_hash = _key_and_hash(JoinedLines(b"elapsedMs").holds)
    for number, (offset, line) in enumerate(read_lines(storage, path), 1):
        written = key_and_hash(line)
        if written is not None and written[0] not in undone:
            yield written[0], "", offset
        else:
            created = created_of(parse_line(line, path, str(number)), f"{path}:{number}")
            yield created.key, created.identifier, offset
