"""Folders in the state: a tree whose paths are made of slugs, as Omni makes them."""

from __future__ import annotations

import itertools
import re
import sqlite3
import unicodedata
from dataclasses import dataclass
from typing import NamedTuple

DEEPEST = 7  # levels
_COLUMNS = {"name": "name", "path": "path", "favorites": "name", "createdAt": "created_at", "updatedAt": "created_at"}


class Folder(NamedTuple):
    """One folder, a row of the table. `path` is made of slugs and begins without a slash; times are seconds since 1970."""

    number: int
    id: str
    name: str
    parent: str | None
    path: str
    scope: str
    owner: str
    created_at: float

    @property
    def depth(self) -> int:
        """Its level, 1 at the root."""
        return self.path.count("/") + 1


@dataclass(frozen=True, slots=True)
class FolderListing:
    """Which folders, in which order; those after the folder with the number `after`.

    `path` is one folder's own; with a trailing `*` its children, with `**` everything below it.
    """

    path: str | None = None
    scope: str = "organization"
    owner: str | None = None
    sort_field: str = "name"
    descending: bool = False
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Folders:
    """The folders of one open state."""

    db: sqlite3.Connection

    def create(self, new: Folder) -> Folder:
        """Commit a new folder and give it its number and path: a name that is there already gets a suffix, -1, -2 …"""
        parent = self.find(new.parent) if new.parent else None
        path = (f"{parent.path}/" if parent else "") + slug_of(new.name)
        paths = itertools.chain([path], (f"{path}-{n}" for n in itertools.count(1)))
        free = next(candidate for candidate in paths if self.at(candidate) is None)
        row = self.db.execute("INSERT INTO folders VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", new._replace(path=free)[1:])
        return new._replace(number=row.lastrowid or 0, path=free)

    def find(self, folder_id: str) -> Folder | None:
        """The folder of this id."""
        row = self.db.execute("SELECT * FROM folders WHERE id = ?", (folder_id.lower(),)).fetchone()
        return Folder(*row) if row else None

    def at(self, path: str) -> Folder | None:
        """The folder at this path, whatever its case, with or without a leading slash."""
        row = self.db.execute("SELECT * FROM folders WHERE path = ?", (normal(path),)).fetchone()
        return Folder(*row) if row else None

    def page(self, listing: FolderListing, size: int) -> tuple[list[Folder], int]:
        """The next `size + 1` folders of a listing (the last one says that there are more), and how many in all."""
        where, values = _condition(listing)
        total = self.db.execute(f"SELECT count(*) FROM folders WHERE {where}", values).fetchone()[0]  # noqa: S608 - ours
        column = _COLUMNS[listing.sort_field]
        direction, beyond = ("DESC", "<") if listing.descending else ("ASC", ">")
        if listing.after is not None:
            where += f" AND ({column}, number) {beyond} (SELECT {column}, number FROM folders WHERE number = ?)"  # noqa: S608
            values = [*values, listing.after]
        query = f"SELECT * FROM folders WHERE {where} ORDER BY {column} {direction}, number {direction} LIMIT ?"  # noqa: S608
        return [Folder(*row) for row in self.db.execute(query, [*values, size + 1])], int(total)

    def count_in(self, folder_id: str) -> int:
        """How many folders lie in it itself."""
        return int(self.db.execute("SELECT count(*) FROM folders WHERE parent = ?", (folder_id,)).fetchone()[0])

    def all(self) -> list[Folder]:
        """Every folder, by path."""
        return [Folder(*row) for row in self.db.execute("SELECT * FROM folders ORDER BY path")]


def _condition(listing: FolderListing) -> tuple[str, list[str | int]]:
    where, values = ["scope = ?"], list[str | int]([listing.scope])
    if listing.owner is not None:
        where.append("owner = ?")
        values.append(listing.owner)
    if listing.path is not None:
        above, below = parent_of(listing.path), "**" if listing.path.endswith("**") else "*"
        if above is None:
            where.append("path = ?")
            values.append(normal(listing.path))
        else:
            prefix = f"{above}/" if above else ""
            where.append("substr(path, 1, ?) = ?")
            values += [len(prefix), prefix]
            if below == "*":
                where.append("instr(substr(path, ?), '/') = 0")
                values.append(len(prefix) + 1)
    return " AND ".join(where), values


def parent_of(path: str) -> str | None:
    """Whose children (`a/*`) or descendants (`a/**`) a path asks for ("" is the root's); None if it names one folder."""
    return normal(path.rstrip("*")) if path.endswith("*") else None


def normal(path: str) -> str:
    """A path as it is stored: no slashes at its ends, lower case."""
    return path.strip("/").lower()


def slug_of(name: str) -> str:
    """A path's segment for a name: ASCII letters and digits, anything else one hyphen."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "folder"
