"""The failures file: one line for each row that is failed or uncertain; valid input for the next run (contract 6).

It is a view of the journal, which alone is believed: a run puts it right when it begins, appends to it what the journal
holds durably, and in the end replaces it, in one step, by exactly the lines that still hold. So nothing in it needs
repair. One that is the input stays as it is until all of its rows have an outcome.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import orjson

from ..models import Failed, Failure, Uncertain, Unfinished, encode_failure
from ..read.csv_table import Layout
from . import csv_form
from .disk import Storage
from .history import Announced, Journaled, Reported, read_line
from .journal_lines import FailureLine
from .lines import read_lines
from .trouble import corrupt, on_disk

_PIECE_BYTES = 1 << 18
_WORDS = (b'"failed"', b'"uncertain"', b'"unfinished"')
_BASES = 20  # announcements that are held against the file: so many refused rewritings in a row are still understood


def outcome_at(storage: Storage, journal: Path, offset: int) -> Failed | Uncertain:
    """The outcome of a row without a document that the journal holds there. Raises UsageError if someone broke that line."""
    (outcome,) = journaled_failures(storage, journal, [offset])
    if isinstance(outcome, Unfinished):
        raise corrupt(journal, f"offset {offset}", "not of a row without a document")
    return outcome


@dataclass(frozen=True, slots=True)
class Form:
    """How this failures file is written: JSONL, or CSV in this layout (the inputs' own columns)."""

    layout: Layout | None = None

    def head(self) -> bytes:
        """What a new file begins with."""
        return b"" if self.layout is None else csv_form.failures_header(self.layout)

    def line(self, outcome: Failure) -> bytes:
        """One line."""
        fields = encode_failure(outcome)
        if self.layout is None:
            return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)
        return csv_form.failures_to_csv(fields, self.layout)


def journaled_failures(storage: Storage, journal: Path, offsets: Iterable[int]) -> Iterator[Failure]:
    """The outcomes that the journal holds at these offsets (ascending). Raises UsageError for a corrupt line."""
    with on_disk(journal, "read"), storage.read(journal) as stream:
        for offset in offsets:
            stream.seek(offset)
            line = read_line(stream.readline(), journal, f"offset {offset}")
            if not isinstance(line, FailureLine):
                raise corrupt(journal, f"offset {offset}", "not a failure")
            yield line.outcome


def digest_of(chunks: Iterable[bytes]) -> tuple[int, str]:
    """Size in bytes and digest of what these chunks make together."""
    digest, size = hashlib.blake2b(digest_size=16), 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
    return size, digest.hexdigest()


def failures_text(storage: Storage, journal: Path, reported: Reported, form: Form) -> Iterator[bytes]:
    """What the failures file must hold: a line for each row whose last outcome is failed or uncertain, oldest first."""
    yield form.head()
    offsets = sorted(history.failure for history in reported.values() if history.failure is not None)
    for outcome in journaled_failures(storage, journal, offsets) if offsets else ():
        yield form.line(outcome)


def is_current(storage: Storage, path: Path, journal: Path, reported: Reported, form: Form) -> bool:
    """Whether the failures file is exactly what it must be."""
    text = failures_text(storage, journal, reported, form)
    if storage.size(path) is None:
        return digest_of(text) == digest_of([form.head()])
    with storage.read(path) as stream:
        return _is_beginning(stream, text, whole=True)


def is_edited(storage: Storage, path: Path, journal: Path, journaled: Journaled, form: Form) -> bool:
    """Whether the failures file holds anything that batcher did not write.

    What batcher writes is a rewriting as the journal announced it, and after it a beginning of the lines that the
    journal has had since: lines are appended in its order, each when it is durable there. A run may have died between
    an announcement and its rewriting, or the disk may have refused that, so earlier ones count, too.
    """
    if not storage.size(path):
        return False
    announced = (Announced(0, *digest_of([form.head()])), *journaled.rewritings)
    return not any(_was_written(storage, path, journal, base, form) for base in islice(reversed(announced), _BASES))


def _was_written(storage: Storage, path: Path, journal: Path, base: Announced, form: Form) -> bool:
    if not 0 <= base.size <= (storage.size(path) or 0):  # nor is so much read at once, whatever the journal says
        return False
    with storage.read(path) as stream:
        if digest_of(_pieces(stream, base.size)) != (base.size, base.digest):
            return False
        return _is_beginning(stream, _appended(storage, journal, base.offset, form))


def _pieces(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """So many bytes, or all that there are."""
    while size > 0 and (piece := stream.read(min(size, _PIECE_BYTES))):
        size -= len(piece)
        yield piece


def _appended(storage: Storage, journal: Path, start: int, form: Form) -> Iterator[bytes]:
    """The lines of all outcomes that the journal has from this offset on."""
    for _, line in read_lines(storage, journal, start) if storage.size(journal) else ():
        if any(word in line for word in _WORDS):  # the others need no parsing
            failure = read_line(line, journal, "a failure")
            if isinstance(failure, FailureLine):
                yield form.line(failure.outcome)


def _is_beginning(stream: BinaryIO, chunks: Iterable[bytes], *, whole: bool = False) -> bool:
    """Whether the rest of the stream is a beginning (or the `whole`) of what the chunks make together."""
    for chunk in chunks:
        piece = stream.read(len(chunk))
        if piece != chunk:
            return not whole and chunk.startswith(piece)
    return not stream.read(1)
