"""A failures file that is the input, and that a run may have died over while it appended to it (contract 6).

Of a key that has several lines the last one counts. An unfinished last line is the dead run's if its key stands in an
earlier line or in the journal: then it is cut off. Else a person wrote it and only its newline is missing; what is
wrong with it otherwise, the check will say.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import orjson

from ..config import RunSettings
from ..files import csv_records
from ..files.csv_form import is_csv
from ..files.disk import Storage
from ..files.lines import corrupt, is_object, on_disk, read_lines
from ..read.cells import cells_of, delimiter_of, restore
from ..read.failures_csv import OUTCOME_PREFIX
from ..read.sources import Source, open_inputs
from ..runtime import Runtime

_KEY = b'{"key":'


@dataclass(frozen=True, slots=True)
class Record:
    """One line (or CSV record). `key` is empty if it has none; `head` is how it begins, to know a torn one by."""

    text: bytes
    key: str
    is_whole: bool
    head: bytes = b""


@dataclass(slots=True)
class _Seen:
    """What stands where: the last record of each key, and of an unfinished one, whether it is torn."""

    storage: Storage
    journal: Path
    last: dict[str, int] = field(default_factory=dict)
    heads: set[bytes] = field(default_factory=set)
    count: int = 0
    torn: int | None = None
    lacks_newline: bool = False

    def take(self, number: int, record: Record) -> None:
        """One more record."""
        self.count += 1
        is_ended = record.text.endswith(b"\n")
        if not is_ended and self._is_torn(record):
            self.torn = number
            return
        self.lacks_newline = not is_ended
        self.last[record.key or f"\0{number}"] = number
        self.heads.add(record.head)

    def _is_torn(self, record: Record) -> bool:
        if record.is_whole:
            return record.key in self.last and not record.head
        if not record.head:
            return True
        if any(one.startswith(record.head) or record.head.startswith(one) for one in self.heads if one):
            return True
        return self._is_journaled(record)

    def _is_journaled(self, record: Record) -> bool:
        """Whether the journal knows the key, and the line breaks off as no person would end it.

        The journal's own line of this outcome may be lost in the same power cut; the intent before it is not.
        """
        if self.storage.size(self.journal) is None or record.text.rstrip().endswith(b"}"):
            return False
        return any(line.startswith(record.head) for _, line in read_lines(self.storage, self.journal))


def is_fed_back(settings: RunSettings) -> bool:
    """Whether the failures file is one of the inputs."""
    failures = settings.files.failures
    return any(name != "-" and Path(name).resolve() == failures.resolve() for name in settings.inputs)


def tidy_input(settings: RunSettings, runtime: Runtime) -> None:
    """A failures file that is the input may have been left by a run that died: mend its tail and its repeated keys."""
    if is_fed_back(settings):
        with on_disk(settings.files.failures, "mend"):
            tidy(runtime.storage, settings.files.failures, settings.files.journal)


@contextmanager
def open_tidied(settings: RunSettings, runtime: Runtime, stdin: BinaryIO) -> Iterator[tuple[Source, ...]]:
    """The inputs as a run would find them after `tidy_input`, for who only reads. Raises UsageError."""
    failures = settings.files.failures
    with open_inputs(settings.inputs, stdin) as sources, ExitStack() as stack:
        mended = _tidied(runtime.storage, failures, settings.files.journal) if is_fed_back(settings) else None
        if mended is None:
            yield sources
            return
        spool = stack.enter_context(tempfile.TemporaryFile())
        spool.writelines(mended)
        spool.flush()
        size = spool.tell()
        yield tuple(
            replace(source, spool=spool, size=size) if source.path.resolve() == failures.resolve() else source
            for source in sources
        )


def tidy(storage: Storage, path: Path, journal: Path) -> bool:
    """Leave one line for each key, and none torn; whether there was anything to do."""
    mended = _tidied(storage, path, journal)
    if mended is not None:
        storage.replace(path, mended)
    return mended is not None


def _tidied(storage: Storage, path: Path, journal: Path) -> Iterator[bytes] | None:
    """The lines that are to be left; None if that is all there are."""
    if not storage.size(path):
        return None
    split = _csv_records if is_csv(path) else _json_records
    seen = _Seen(storage, journal)
    try:
        for number, record in enumerate(split(storage, path)):
            seen.take(number, record)
    except UnicodeDecodeError:
        return None  # a spreadsheet program saved it in another encoding, so no run has appended to it
    except csv_records.StrayQuoteError as error:
        raise corrupt(path, str(error.line), str(error)) from None
    if len(seen.last) == seen.count and not seen.lacks_newline:
        return None
    kept = set(seen.last.values())
    texts = (record.text for number, record in enumerate(split(storage, path)) if number in kept)
    return (text if text.endswith(b"\n") else text + b"\n" for text in texts)


def _json_records(storage: Storage, path: Path) -> Iterator[Record]:
    with storage.read(path) as stream:
        for line in stream:
            key = ""
            if is_whole := is_object(line):
                key = str(orjson.loads(line).get("key") or "")
            yield Record(line, key, is_whole, _head(line))


def _head(line: bytes) -> bytes:
    """The line up to the end of its key, as far as it goes: what tells a torn line of ours from a person's."""
    end = line.find(b'",', len(_KEY))
    return line if end < 0 else line[: end + 2]


def _csv_records(storage: Storage, path: Path) -> Iterator[Record]:
    """Without `head`: in a torn record of ours either cells are missing, or its key stands above."""
    names: list[str] | None = None
    delimiter, place = ",", -1
    with storage.read(path) as stream:
        for text in csv_records.records(stream):
            line = text.decode("utf-8-sig")
            if names is None:
                delimiter = delimiter_of(line)
                names = cells_of(line, delimiter)
                place = names.index(f"{OUTCOME_PREFIX}key") if f"{OUTCOME_PREFIX}key" in names else -1
                yield Record(text, "", is_whole=True)
                continue
            cells = cells_of(line, delimiter)
            is_whole = len(cells) == len(names) and text.count(b'"') % 2 == 0
            key = restore(cells[place]) if 0 <= place < len(cells) else ""
            yield Record(text, key, is_whole)
