"""Labels in the state, and which documents carry them. Names are looked up ignoring case."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

_USES = "SELECT count(*) FROM labeled JOIN documents ON id = document WHERE folded = l.folded AND deleted_at IS NULL"


class Label(NamedTuple):
    """One label. `folded` is its name without case, by which it is found."""

    folded: str
    name: str
    color: str | None
    description: str | None
    homepage: bool
    verified: bool


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of one open state."""

    db: sqlite3.Connection

    def create(self, label: Label) -> bool:
        """Commit a new label. False if there is one of this name."""
        return self.db.execute("INSERT OR IGNORE INTO labels VALUES (?, ?, ?, ?, ?, ?)", label).rowcount == 1

    def find(self, name: str) -> Label | None:
        """The label of this name."""
        row = self.db.execute("SELECT * FROM labels WHERE folded = ?", (name.casefold(),)).fetchone()
        return _label(row) if row else None

    def all(self) -> list[tuple[Label, int]]:
        """Every label, by name, and on how many living documents it is."""
        rows = self.db.execute(f"SELECT l.*, ({_USES}) FROM labels AS l ORDER BY folded")  # noqa: S608 - our own words
        return [(_label(row[:6]), int(row[6])) for row in rows]

    def uses(self, label: Label) -> int:
        """On how many living documents it is."""
        query = f"SELECT ({_USES}) FROM labels AS l WHERE folded = ?"  # noqa: S608 - our own words
        return int(self.db.execute(query, (label.folded,)).fetchone()[0])

    def of(self, document: int) -> list[Label]:
        """The labels of the document with this number, by name."""
        query = "SELECT l.* FROM labels AS l JOIN labeled USING (folded) WHERE document = ? ORDER BY folded"
        return [_label(row) for row in self.db.execute(query, (document,))]

    def change(self, document: int, add: Iterable[Label], remove: Iterable[Label]) -> None:
        """Put labels on a document and take others off, in one transaction."""
        self.db.execute("BEGIN IMMEDIATE")
        added, removed = ([(document, label.folded) for label in labels] for labels in (add, remove))
        self.db.executemany("INSERT OR IGNORE INTO labeled VALUES (?, ?)", added)
        self.db.executemany("DELETE FROM labeled WHERE document = ? AND folded = ?", removed)
        self.db.execute("COMMIT")


def _label(row: tuple[str, str, str | None, str | None, int, int]) -> Label:
    return Label(*row[:4], bool(row[4]), bool(row[5]))
