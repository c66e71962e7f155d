"""Whose the documents of a results file are: made by its runs, adopted by them, or deleted by undo since.

The results file says which they are, and the journal whether that is believed: programs that save a table change
identifiers in it (0012 becomes 12), and 12 may be somebody else's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..config import Files
from ..errors import UsageError
from ..models import Created, How
from .disk import Storage
from .history import Journaled
from .intended import identifiers_of, read_intended, said_of
from .journal_lines import JournalHeader, parse_journal_line
from .lines import read_lines
from .results import read_results
from .undo_lines import UndoIntent


@dataclass(frozen=True, slots=True)
class OwnedDocument:
    """A document that this results file created and that undo has not deleted. `lines`: of the results file, telling of it.

    `number` is the last of these lines. `is_open`: a DELETE of an earlier undo may have worked.
    """

    key: str
    identifier: str
    name: str
    source: str
    line: int
    spec_hash: str
    at: str
    lines: int
    number: int
    is_open: bool

    def intent(self, at: str, run: str) -> UndoIntent:
        """The journal's line before its DELETE leaves."""
        return UndoIntent(self.key, self.identifier, self.spec_hash, self.lines, at, run)


@dataclass(frozen=True, slots=True)
class Ownership:
    """`owned` are newest first; `adopted` and `undone_before` count those that undo does not touch."""

    owned: tuple[OwnedDocument, ...]
    adopted: int
    undone_before: int


def journal_header(storage: Storage, files: Files) -> JournalHeader:
    """The journal's first line. Without a journal nobody knows where these documents are, nor which were undone."""
    if storage.size(files.journal):
        for _, text in read_lines(storage, files.journal):
            with contextlib.suppress(ValueError):
                if isinstance(line := parse_journal_line(text), JournalHeader):
                    return line
            raise UsageError(f"{files.journal}:1: this is not a batcher journal; nothing was deleted.")
    raise UsageError(
        f"{files.journal} is missing; it says where these documents are and which are already deleted. "
        "Put it back next to the results, then run undo again; nothing was deleted."
    )


def find_owned(storage: Storage, files: Files, journaled: Journaled) -> Ownership:
    """All documents of the results file, told apart; the latest line of a document is the one that counts.

    Raises UsageError for a line that the journal contradicts: then no line of this file is believed.
    """
    intended = read_intended(storage, files.journal)
    latest: dict[tuple[str, str], OwnedDocument] = {}
    adopted_at: dict[tuple[str, str], int] = {}  # the last of its lines that says so
    doubted: set[tuple[str, str]] = set()
    for number, created in _numbered(storage, files.results):
        which = (created.key, created.identifier)
        is_open = which in journaled.open_undos
        document = latest[which] = _owned_of(created, latest.pop(which, None), number, is_open=is_open)
        if created.how is How.ADOPTED:
            adopted_at[which] = document.lines
        elif not intended.holds(created):
            doubted.add(which)
    owned: list[OwnedDocument] = []
    adopted = deleted = 0
    for which, document in reversed(latest.items()):
        lines = journaled.undone.get(document.key, {}).get(document.identifier, 0)
        if document.lines <= lines:
            deleted += 1
        elif adopted_at.get(which, 0) > lines:
            adopted += 1
        else:
            owned.append(document)
    if wrong := [document.number for document in owned if (document.key, document.identifier) in doubted]:
        raise UsageError(_contradiction(storage, files, min(wrong), len(wrong) - 1))
    return Ownership(tuple(owned), adopted, deleted)


def _numbered(storage: Storage, results: Path) -> Iterator[tuple[int, Created]]:
    """Each results line with its number."""
    return enumerate(read_results(storage, results), 1)


def _owned_of(created: Created, before: OwnedDocument | None, number: int, *, is_open: bool) -> OwnedDocument:
    return OwnedDocument(
        created.key,
        created.identifier,
        created.name,
        created.source,
        created.line,
        created.spec_hash,
        created.at,
        1 if before is None else before.lines + 1,
        number,
        is_open,
    )


def _contradiction(storage: Storage, files: Files, number: int, more: int) -> str:
    """Why a results line isn't believed, and what to do. `more` further lines are like it."""
    created = next(created for at, created in _numbered(storage, files.results) if at == number)
    place = f"{files.found}:{number}" if files.earlier is None else f"{files.found}, record {number + 1}"
    sent = identifiers_of(storage, files.journal, created.key)
    named = dict.fromkeys(identifier for identifier in sent if identifier is not None)
    answered = dict.fromkeys(said for said in said_of(created) if said != created.identifier)
    if created.identifier in named:
        other = f"but {files.journal} says that something else was sent under it"
    elif named:
        other = f"but {files.journal} says that it was sent as {' or '.join(named)}"
    elif sent and answered:
        other = f"but the line's own url and response say {' and '.join(answered)}"
    elif sent:
        other = f"but {files.journal} says that something else was sent under the key {created.key}"
    else:
        other = f"but {files.journal} has no row with the key {created.key}"
    others = f" (and {more:,} more lines like it)" if more else ""
    return (
        f"{place}: the identifier is {created.identifier}, {other}{others}. It may be someone else's document; nothing "
        "was deleted. Put the results file back as batcher wrote it (a spreadsheet program changes what it saves), and the "
        "journal, if it is an old copy, then run undo again. If no one changed them, the server answered with a "
        "different identifier than was sent: delete that document by hand and remove the line."
    )
