"""The state file: held by one sandbox at a time, opened, and brought to this version's tables."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from batcher.errors import Locked, UsageError

APPLICATION_ID = 0x0B17C4E5  # tells our state files from other SQLite files
VERSION = 2

_DOCUMENTS = """
CREATE TABLE IF NOT EXISTS documents (
  id INTEGER PRIMARY KEY, identifier TEXT NOT NULL, name TEXT NOT NULL, model_id TEXT NOT NULL, body BLOB NOT NULL,
  dashboard_id TEXT NOT NULL, workbook_id TEXT NOT NULL, owner TEXT NOT NULL,
  created_at REAL NOT NULL, deleted_at REAL);
"""
_SINCE_VERSION_2 = """
ALTER TABLE documents ADD COLUMN api TEXT NOT NULL DEFAULT 'v1';
ALTER TABLE documents ADD COLUMN folder_id TEXT;
ALTER TABLE documents ADD COLUMN scope TEXT NOT NULL DEFAULT 'restricted';
"""
_REST = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
CREATE UNIQUE INDEX IF NOT EXISTS live ON documents (identifier) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS filed ON documents (folder_id, created_at) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS trash ON documents (identifier) WHERE deleted_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS folders (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, parent TEXT, path TEXT NOT NULL UNIQUE,
  scope TEXT NOT NULL, owner TEXT NOT NULL, created_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS labels (
  folded TEXT PRIMARY KEY, name TEXT NOT NULL, color TEXT, description TEXT,
  homepage INTEGER NOT NULL, verified INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS labeled (
  document INTEGER NOT NULL, folded TEXT NOT NULL, PRIMARY KEY (document, folded)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS served (only INTEGER PRIMARY KEY, port INTEGER NOT NULL);
"""


@contextmanager
def hold(state: Path) -> Iterator[None]:
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


def opened(state: Path | None) -> sqlite3.Connection:
    """Open and prepare the database. WAL without a sync at each commit: the process may be killed at any instant.

    Raises UsageError if the file is not a sandbox's.
    """
    db = sqlite3.connect(state or ":memory:", isolation_level=None, cached_statements=64)
    try:
        with ExitStack() as undo:
            undo.callback(db.close)
            version = _version_of(db, state)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA wal_autocheckpoint = 4000")
            steps = _DOCUMENTS + (_SINCE_VERSION_2 if version < VERSION else "") + _REST
            db.executescript(f"BEGIN IMMEDIATE;{steps}COMMIT;")
            undo.pop_all()
    except sqlite3.DatabaseError as error:
        raise UsageError(f"{state}: cannot be read as a sandbox's state ({error}). Name another --state.") from error
    return db


def _version_of(db: sqlite3.Connection, state: Path | None) -> int:
    """The version of the tables that are there; 0 where there are none."""
    application = db.execute("PRAGMA application_id").fetchone()[0]
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if tables and (application != APPLICATION_ID or not 1 <= version <= VERSION):
        raise UsageError(f"{state}: not the state of a sandbox of this version. Name another --state, or remove it.")
    return version
