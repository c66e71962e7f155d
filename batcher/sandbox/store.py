"""The sandbox's memory: documents in SQLite, in a file or in memory. One writer, owned by `with`."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from batcher.errors import Locked, UsageError

APPLICATION_ID = 0x0B17C4E5  # tells our state files from other SQLite files
VERSION = 1

_SCHEMA = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
CREATE TABLE IF NOT EXISTS documents (
  id INTEGER PRIMARY KEY, identifier TEXT NOT NULL, name TEXT NOT NULL, model_id TEXT NOT NULL, body BLOB NOT NULL,
  dashboard_id TEXT NOT NULL, workbook_id TEXT NOT NULL, owner TEXT NOT NULL,
  created_at REAL NOT NULL, deleted_at REAL);
CREATE UNIQUE INDEX IF NOT EXISTS live ON documents (identifier) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS trash ON documents (identifier) WHERE deleted_at IS NOT NULL;
"""
_SELECT = "SELECT * FROM documents "
_COUNT = "SELECT count(*) FROM documents "


class Document(NamedTuple):
    """One document, a row of the table. `body` is the create's as it came.

    Times are seconds since 1970; `number` counts creates from 1.
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


@dataclass(frozen=True, slots=True)
class Listing:
    """Which documents, in which order; those after the document with the number `after`."""

    by_name: bool = False
    descending: bool = True
    owner: str | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the list, and how many documents there are in all."""

    documents: tuple[Document, ...]
    more: bool
    total: int


class Store:
    """Documents by identifier. Every create is committed before it returns; a killed process loses none.

    A power cut may lose the last ones (SQLite's `synchronous=NORMAL`): it is a sandbox.
    """

    def __init__(self, state: Path | None) -> None:
        self._state = state
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Open the state. Raises Locked if another sandbox has it, UsageError if it is not a sandbox's."""
        with ExitStack() as stack:
            if self._state is not None:
                stack.enter_context(_hold(self._state))
            self._db = stack.enter_context(closing(_open(self._state)))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stack.close()

    def create(self, document: Document, *, trash_keeps: bool) -> Document | None:
        """Commit a new document, giving it its number. None if its identifier is taken."""
        if self.find(document.identifier) or (trash_keeps and self._in_trash(document.identifier)):
            return None
        new = self._db.execute("INSERT INTO documents VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)", document[1:])
        return document._replace(number=new.lastrowid or 0)

    def find(self, identifier: str) -> Document | None:
        """The living document of this identifier."""
        row = self._db.execute(_SELECT + "WHERE identifier = ? AND deleted_at IS NULL", (identifier,)).fetchone()
        return Document(*row) if row else None

    def _in_trash(self, identifier: str) -> bool:
        query = "SELECT 1 FROM documents WHERE identifier = ? AND deleted_at IS NOT NULL LIMIT 1"
        return self._db.execute(query, (identifier,)).fetchone() is not None

    def trash(self, identifier: str, now: float) -> bool:
        """Move a document to Trash. False if there is none."""
        query = "UPDATE documents SET deleted_at = ? WHERE identifier = ? AND deleted_at IS NULL"
        return self._db.execute(query, (now, identifier)).rowcount == 1

    def page(self, listing: Listing, size: int) -> Page:
        """The next `size` living documents of a listing."""
        column = "name" if listing.by_name else "created_at"
        direction, beyond = ("DESC", "<") if listing.descending else ("ASC", ">")
        where, values = "deleted_at IS NULL", list[str | int]()
        if listing.owner is not None:
            where, values = where + " AND owner = ?", [listing.owner]
        total = self._db.execute(_COUNT + f"WHERE {where}", values).fetchone()[0]
        if listing.after is not None:
            last = f"SELECT {column}, id FROM documents WHERE id = ?"  # noqa: S608 - our own column
            where += f" AND ({column}, id) {beyond} ({last})"
            values = [*values, listing.after]
        rows = self._db.execute(
            _SELECT + f"WHERE {where} ORDER BY {column} {direction}, id {direction} LIMIT ?",
            [*values, size + 1],
        ).fetchall()
        return Page(tuple(Document(*row) for row in rows[:size]), len(rows) > size, total)

    def model_ids(self, first: str, limit: int) -> list[str]:
        """Ids of models that documents were made on, in order, those after `first`."""
        query = "SELECT DISTINCT model_id FROM documents WHERE model_id > ? ORDER BY model_id LIMIT ?"
        return [row[0] for row in self._db.execute(query, (first, limit))]

    def documents(self) -> Iterator[Document]:
        """All documents ever created, Trash included, in the order of their commits. For tests and proofs."""
        for row in self._db.execute(_SELECT + "ORDER BY id"):
            yield Document(*row)


@contextmanager
def _hold(state: Path) -> Iterator[None]:
    """Hold the state for this sandbox alone; the lock goes with the process, however that ends."""
    path = state.with_name(state.name + ".lock")
    with ExitStack() as stack:
        while True:
            try:
                file = stack.enter_context(path.open("a+b"))
            except OSError as error:
                raise UsageError(
                    f"{path}: {error.strerror}. Name a --state file in a directory that can be written."
                ) from error
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read(64).decode(errors="replace").strip() or "another process"
                raise Locked(
                    f"{state}: a sandbox is using it ({holder}). Stop that one, or name another --state."
                ) from None
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    break  # else its holder removed the file between our open and our lock: try the new one
        file.truncate(0)
        file.write(f"pid {os.getpid()}\n".encode())
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)  # while it is held; what a killed sandbox leaves holds nobody up


def _open(state: Path | None) -> sqlite3.Connection:
    """Open and prepare the database. WAL without a sync at each commit: the process may be killed at any instant."""
    db = sqlite3.connect(state or ":memory:", isolation_level=None, cached_statements=64)
    try:
        with ExitStack() as undo:
            undo.callback(db.close)
            application = db.execute("PRAGMA application_id").fetchone()[0]
            tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if tables and (application != APPLICATION_ID or version != VERSION):
                raise UsageError(
                    f"{state}: not the state of a sandbox of this version. Name another --state, or remove it."
                )
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA wal_autocheckpoint = 4000")
            db.executescript(_SCHEMA)
            undo.pop_all()
    except sqlite3.DatabaseError as error:
        raise UsageError(f"{state}: cannot be read as a sandbox's state ({error}). Name another --state.") from error
    return db
