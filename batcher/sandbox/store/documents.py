"""Documents in the state: created, found, listed, moved, put into Trash."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

_SELECT = "SELECT * FROM documents "
_COUNT = "SELECT count(*) FROM documents "


class Document(NamedTuple):
    """One document, a row of the table. `body` is the create's as it came.

    Times are seconds since 1970; `number` counts creates from 1; `api` is the version of the API that created it
    (v1 or v2); without `folder_id` it lies in its owner's personal folder, or at the root if `scope` says organization.
    """

    number: int
    identifier: str
    name: str
    model_id: str
    body: bytes
    dashboard_id: str
    workbook_id: str
    owner: str
    created_at: float
    deleted_at: float | None = None
    api: str = "v1"
    folder_id: str | None = None
    scope: str = "restricted"


@dataclass(frozen=True, slots=True)
class Listing:
    """Which documents, in which order; those after the document with the number `after`. `labels` are folded.

    `no_folder`: only those that lie in no folder.
    """

    by_name: bool = False
    descending: bool = True
    owner: str | None = None
    after: int | None = None
    folder_id: str | None = None
    no_folder: bool = False
    labels: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the list, and how many documents there are in all."""

    documents: tuple[Document, ...]
    more: bool
    total: int


class Documents:
    """The documents of one open state, `db`."""

    db: sqlite3.Connection

    def create(self, document: Document, *, trash_keeps: bool) -> Document | None:
        """Commit a new document, giving it its number. None if its identifier is taken, whatever its case."""
        identifier = document.identifier.lower()
        if self.find(identifier) or (trash_keeps and self._in_trash(identifier)):
            return None
        marks = ", ".join("?" * (len(document) - 1))
        new = self.db.execute(f"INSERT INTO documents VALUES (NULL, {marks})", document[1:])  # noqa: S608 - marks
        return document._replace(number=new.lastrowid or 0)

    def find(self, identifier: str) -> Document | None:
        """The living document of this identifier."""
        row = self.db.execute(_SELECT + "WHERE identifier = ? AND deleted_at IS NULL", (identifier,)).fetchone()
        return Document(*row) if row else None

    def _in_trash(self, identifier: str) -> bool:
        query = "SELECT 1 FROM documents WHERE identifier = ? AND deleted_at IS NOT NULL LIMIT 1"
        return self.db.execute(query, (identifier,)).fetchone() is not None

    def trash(self, identifier: str, now: float) -> bool:
        """Move a document to Trash. False if there is none."""
        query = "UPDATE documents SET deleted_at = ? WHERE identifier = ? AND deleted_at IS NULL"
        return self.db.execute(query, (now, identifier)).rowcount == 1

    def move(self, document: Document, folder_id: str | None, scope: str) -> None:
        """Put a document into a folder, or out of any."""
        place = (folder_id, scope, document.number)
        self.db.execute("UPDATE documents SET folder_id = ?, scope = ? WHERE id = ?", place)

    def page(self, listing: Listing, size: int) -> Page:
        """The next `size` living documents of a listing."""
        column = "name" if listing.by_name else "created_at"
        direction, beyond = ("DESC", "<") if listing.descending else ("ASC", ">")
        where, values = _condition(listing)
        total = self.db.execute(_COUNT + f"WHERE {where}", values).fetchone()[0]
        if listing.after is not None:
            last = f"SELECT {column}, id FROM documents WHERE id = ?"  # noqa: S608 - our own column
            where += f" AND ({column}, id) {beyond} ({last})"
            values = [*values, listing.after]
        rows = self.db.execute(
            _SELECT + f"WHERE {where} ORDER BY {column} {direction}, id {direction} LIMIT ?",
            [*values, size + 1],
        ).fetchall()
        return Page(tuple(Document(*row) for row in rows[:size]), len(rows) > size, total)

    def documents_in(self, folder_id: str) -> int:
        """How many living documents a folder holds itself."""
        query = _COUNT + "WHERE folder_id = ? AND deleted_at IS NULL"
        return int(self.db.execute(query, (folder_id,)).fetchone()[0])

    def model_ids(self, first: str, limit: int) -> list[str]:
        """Ids of models that documents were made on, in order, those after `first`."""
        query = "SELECT DISTINCT model_id FROM documents WHERE model_id > ? ORDER BY model_id LIMIT ?"
        return [row[0] for row in self.db.execute(query, (first, limit))]

    def documents(self) -> Iterator[Document]:
        """All documents ever created, Trash included, in the order of their commits. For tests and proofs."""
        for row in self.db.execute(_SELECT + "ORDER BY id"):
            yield Document(*row)


def _condition(listing: Listing) -> tuple[str, list[str | int]]:
    where, values = ["deleted_at IS NULL"], list[str | int]()
    for column, value in (("owner", listing.owner), ("folder_id", listing.folder_id)):
        if value is not None:
            where.append(f"{column} = ?")
            values.append(value)
    if listing.no_folder:
        where.append("folder_id IS NULL")
    for label in sorted(listing.labels):
        where.append("id IN (SELECT document FROM labeled WHERE folded = ?)")
        values.append(label)
    return " AND ".join(where), values
