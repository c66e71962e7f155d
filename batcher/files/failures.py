"""The failures file: one line for each row that is failed or uncertain; valid input for the next run (contract 6).

Its lines are written from the journal. While a run goes on they are appended; when it ends, the file is replaced, in
one step, by exactly the lines that still hold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import orjson

from ..models import Failed, Uncertain, encode_failure
from ..read.csv_table import Layout
from . import csv_form
from .disk import Storage
from .history import Announced, Journaled, read_line
from .journal_lines import FailureLine
from .lines import corrupt, on_disk, read_lines


def outcome_at(storage: Storage, journal: Path, offset: int) -> Failed | Uncertain:
    """The outcome that the journal holds there. Raises UsageError if somebody broke that line."""
    (outcome,) = journaled_failures(storage, journal, [offset])
    return outcome


@dataclass(frozen=True, slots=True)
class Form:
    """How this failures file is written: JSONL, or CSV in this layout (the inputs' own columns)."""

    layout: Layout | None = None

    def head(self) -> bytes:
        """What a new file begins with."""
        return b"" if self.layout is None else csv_form.failures_header(self.layout)

    def fits(self, storage: Storage, path: Path) -> bool:
        """Whether lines in this form may be appended to the file: a CSV file may have other columns than this run."""
        if self.layout is None or not storage.size(path):
            return True
        with storage.read(path) as stream:
            return stream.read(len(self.head())) == self.head()

    def line(self, outcome: Failed | Uncertain) -> bytes:
        """One line."""
        fields = encode_failure(outcome)
        if self.layout is None:
            return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)
        return csv_form.failures_to_csv(fields, self.layout)


def journaled_failures(storage: Storage, journal: Path, offsets: Iterable[int]) -> Iterator[Failed | Uncertain]:
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


def is_edited(storage: Storage, path: Path, journal: Path, said: Journaled, form: Form) -> bool:
    """Whether the failures file holds anything but what batcher wrote: the last rewriting, and lines appended since.

    A crash may have come between the announcement of a rewriting and the rewriting itself, so the one before counts too.
    """
    if not storage.size(path):
        return False
    before: list[Announced | None] = [None, *said.rewritings][-2:]
    return not any(_is_ours(storage, path, journal, rewriting, form) for rewriting in reversed(before))


def is_left_open(storage: Storage, path: Path, journal: Path, said: Journaled, form: Form) -> bool:
    """Whether the last run died before it had brought the failures file up to date: then the next run must."""
    if said.last_run < 0:
        return False
    if not said.rewritings or said.rewritings[-1].offset < said.last_run:
        return True
    last, size = said.rewritings[-1], storage.size(path)
    if size is None:
        return False
    with storage.read(path) as stream:
        if size == last.size and digest_of([stream.read()])[1] == last.digest:
            return False
    # announced, but perhaps not done; a file that somebody edited is theirs as long as nothing else is to be done
    return not is_edited(storage, path, journal, said, form)


def is_stale(storage: Storage, path: Path, journal: Path, said: Journaled, form: Form) -> bool:
    """Whether the file is not what batcher would write now, although nothing is to be sent.

    A row may have been invalid after it was created, or somebody edited the file: then it is kept beside first.
    """
    if storage.size(path) is None or said.header is None:
        return False
    with storage.read(path) as stream:
        found = digest_of([stream.read()])
    offsets = sorted(history.failure for history in said.histories.values() if history.failure is not None)
    lines = (form.line(outcome) for outcome in journaled_failures(storage, journal, offsets)) if offsets else ()
    return found != digest_of(chain([form.head()], lines))


def _is_ours(storage: Storage, path: Path, journal: Path, base: Announced | None, form: Form) -> bool:
    size = storage.size(path) or 0
    with storage.read(path) as stream:
        if base is not None:
            if size < base.size or digest_of([stream.read(base.size)])[1] != base.digest:
                return False
            start = base.offset
        else:
            start = 0
        if (base is None or base.size == 0) and size and stream.read(len(form.head())) != form.head():
            return False
        at = stream.tell()
        for _, line in read_lines(storage, journal, start) if storage.size(journal) else ():
            if at == size:
                return True
            if b'"failed"' not in line and b'"uncertain"' not in line:
                continue
            failure = read_line(line, journal, "a failure")
            if not isinstance(failure, FailureLine):
                continue
            written = form.line(failure.outcome)
            piece = stream.read(len(written))
            if piece == written:
                at += len(written)
            elif at + len(piece) == size and written.startswith(piece):  # a torn tail of ours
                return True
            else:
                stream.seek(at)
    return at == size
