"""The results file: one line for each created document. It is the truth about what is created (contract 6)."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from ..compact_map import Fingerprints
from ..errors import UsageError
from ..models import Created, How
from ..read.json_text import shown
from ..read.sources import SAVE_AS_UTF8
from . import csv_form
from .csv_form import is_csv
from .disk import Storage
from .history import UndoneDocuments, key_of_line
from .lines import JoinedLines, count_roughly, find_tail, is_object, parse_line, read_lines

IdentifierOf = Callable[[str], str | None]
HASH_DIGITS = 15  # of a spec hash that are kept in memory for each created row: 60 bits
# how a line begins that was written by `encode_line`, with nothing in it that needs an escape: key and kept digits
_WRITTEN = re.compile(
    rb'\{"key":"([^"\\]+)","source":"[^"\\]*","line":[0-9]+,"outcome":"created","how":"[a-z]+",'
    rb'"specHash":"([0-9a-f]{%d})[0-9a-f]*","identifier":"' % HASH_DIGITS
)


def line_of(created: Created) -> dict[str, Any]:
    """The line's fields, in the contract's order."""
    return {
        "key": created.key,
        "source": created.source,
        "line": created.line,
        "outcome": "created",
        "how": created.how,
        "specHash": created.spec_hash,
        "identifier": created.identifier,
        "name": created.name,
        "modelId": created.model_id,
        "url": created.url,
        "dashboardId": created.dashboard_id,
        "workbookId": created.workbook_id,
        "attempts": created.attempts,
        "status": created.status,
        "elapsedMs": created.elapsed_ms,
        "at": created.at,
        "run": created.run,
        "response": orjson.Fragment(created.response),
    }


def head(path: Path) -> bytes:
    """What a new results file begins with."""
    return csv_form.results_header() if is_csv(path) else b""


def encode_record(created: Created) -> bytes:
    """The CSV record."""
    return csv_form.results_to_csv(line_of(created))


def encode_line(created: Created) -> bytes:
    """The JSONL line. The response goes in as it came, so it must be one line: a body with line breaks is repacked."""
    return orjson.dumps(line_of(created), option=orjson.OPT_APPEND_NEWLINE)


def created_of(line: Mapping[str, Any], place: str) -> Created:
    """Read a line back. Raises UsageError naming the place."""
    try:
        return Created(
            key=_text(line, "key"),
            source=line.get("source", ""),
            line=int(line.get("line") or 0),
            how=How(line.get("how", "created")),
            spec_hash=_text(line, "specHash") if line.get("specHash") else "",
            identifier=_text(line, "identifier"),
            name=line.get("name") or "",
            model_id=line.get("modelId") or "",
            url=line.get("url") or "",
            dashboard_id=line.get("dashboardId") or None,
            workbook_id=line.get("workbookId") or None,
            attempts=int(line.get("attempts") or 0),
            status=line.get("status"),
            elapsed_ms=int(line.get("elapsedMs") or 0),
            at=line.get("at") or "",
            run=line.get("run") or "",
            response=orjson.dumps(line.get("response")),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise UsageError(
            f"{place}: this is not a line of a batcher results file ({error}). "
            "Restore the file from a copy, or name other files with --results."
        ) from None


def _text(line: Mapping[str, Any], name: str) -> str:
    """A program that writes the file anew may make a number of it: then it would be another key."""
    text = line[name]
    if not isinstance(text, str):
        raise TypeError(f"{name} is {shown(text)}, which is no text")
    return text


def read_results(storage: Storage, path: Path) -> Iterator[Created]:
    """All lines of a results file, in either form. Raises UsageError for a line that cannot be read."""
    if is_csv(path):
        tail = find_tail(storage, path)
        size = None if tail is None or tail.is_whole else tail.offset
        number = 1
        with storage.read(path) as stream:
            try:
                for number, line in enumerate(csv_form.results_from_csv(stream, size), 2):
                    yield created_of(line, f"{path}, record {number}")
            except (UnicodeDecodeError, csv.Error) as error:
                raise UsageError(f"{path}: cannot be read after record {number} ({error}); {SAVE_AS_UTF8}") from None
        return
    for number, (_, text) in enumerate(read_lines(storage, path), 1):
        yield created_of(parse_line(text, path, str(number)), f"{path}:{number}")


def index_results(storage: Storage, path: Path, undone: UndoneDocuments) -> Fingerprints:
    """The created keys, each with the start of its spec hash; those whose last document was undone are left out."""
    left = LastDocuments(undone)
    if storage.size(path) is None:
        return Fingerprints()
    created = Fingerprints(count_roughly(storage, path))
    for one in _index_lines(storage, path, undone, created) if not is_csv(path) else read_results(storage, path):
        kept = fingerprint(one.spec_hash)
        if one.key in undone:
            left.see(one.key, one.identifier, kept)
        else:
            created.add(one.key, kept)
    for key, (_, kept) in left.latest.items():
        created.add(key, kept)
    return created


def _index_lines(storage: Storage, path: Path, undone: UndoneDocuments, created: Fingerprints) -> Iterator[Created]:
    """Take in what is as we write it, without parsing: a million lines are seconds. The rest is given out to be seen to.

    That is what somebody's program wrote anew, keys with escapes, and keys of which more than the beginning is wanted.
    """
    written, add, single = _WRITTEN.match, created.add, JoinedLines(b"elapsedMs").holds
    with storage.read(path) as stream:
        for number, line in enumerate(stream, 1):
            found = written(line)
            if found is not None and line.endswith(b"}\n") and single(line):
                key = found[1].decode("utf-8", "replace")
                if key not in undone and "\N{REPLACEMENT CHARACTER}" not in key:
                    add(key, int(found[2], 16))
                    continue
            if line[-1:] != b"\n" and not is_object(line):
                return  # a torn tail
            yield created_of(parse_line(line, path, str(number)), f"{path}:{number}")


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
def open_identifiers(storage: Storage, path: Path, undone: UndoneDocuments) -> Iterator[IdentifierOf]:
    """Under which identifier each created key's last document lies; None for a key that has none.

    Of a JSON lines file only the lines' places are kept, and a line is read again when it is asked for; of a CSV file
    all identifiers are kept.
    """
    held: dict[str, str] = {}
    places = Fingerprints()
    left = LastDocuments(undone)
    if storage.size(path) is None:
        yield held.get
        return
    if is_csv(path):
        for created in read_results(storage, path):
            if created.key in undone:
                left.see(created.key, created.identifier, 0)
            else:
                held[created.key] = created.identifier
    else:
        for number, (offset, line) in enumerate(read_lines(storage, path), 1):
            key = key_of_line(line) or str(parse_line(line, path, str(number))["key"])
            if key in undone:
                left.see(key, str(parse_line(line, path, str(number))["identifier"]), 0)
            else:
                places.put(key, offset)
    held.update((key, identifier) for key, (identifier, _) in left.latest.items())
    with storage.read(path) as stream:

        def identifier_of(key: str) -> str | None:
            if (offset := places.get(key)) is None:
                return held.get(key)
            stream.seek(offset)
            return str(parse_line(stream.readline(), path, f"offset {offset}")["identifier"])

        yield identifier_of


def fingerprint(spec_hash: str) -> int:
    """What is kept in memory of a spec hash; 0 for none."""
    try:
        return int(spec_hash[:HASH_DIGITS] or "0", 16)
    except ValueError:
        return 0


def one_line(body: bytes) -> bytes:
    """A JSON body fit to stand in a line."""
    return orjson.dumps(orjson.loads(body)) if b"\n" in body or b"\r" in body else body
