"""Whose the documents of a results file are: made by its runs, adopted by them, or deleted by undo since."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from ..config import Files
from ..errors import UsageError
from ..models import Created, How
from .disk import Storage
from .history import UndoneDocuments
from .journal_lines import JournalHeader, parse_journal_line
from .lines import read_lines
from .results import read_results


@dataclass(frozen=True, slots=True)
class OwnedDocument:
    """A document that this results file created and that undo has not deleted. `lines`: of the results file, telling of it."""

    key: str
    identifier: str
    name: str
    source: str
    line: int
    spec_hash: str
    at: str
    lines: int


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
        f"{files.journal} is missing; it says where these documents are and which were deleted already. "
        "Put it back beside the results, then run undo again; nothing was deleted."
    )


def find_owned(storage: Storage, results: Path, undone: UndoneDocuments) -> Ownership:
    """All documents of the results file, told apart; the latest line of a document is the one that counts."""
    latest: dict[tuple[str, str], OwnedDocument] = {}
    adopted_at: dict[tuple[str, str], int] = {}  # the last of its lines that says so
    for created in read_results(storage, results):
        which = (created.key, created.identifier)
        document = latest[which] = _owned_of(created, latest.pop(which, None))
        if created.how is How.ADOPTED:
            adopted_at[which] = document.lines
    owned: list[OwnedDocument] = []
    adopted = deleted = 0
    for which, document in reversed(latest.items()):
        lines = undone.get(document.key, {}).get(document.identifier, 0)
        if document.lines <= lines:
            deleted += 1
        elif adopted_at.get(which, 0) > lines:
            adopted += 1
        else:
            owned.append(document)
    return Ownership(tuple(owned), adopted, deleted)


def _owned_of(created: Created, before: OwnedDocument | None) -> OwnedDocument:
    return OwnedDocument(
        created.key,
        created.identifier,
        created.name,
        created.source,
        created.line,
        created.spec_hash,
        created.at,
        1 if before is None else before.lines + 1,
    )
