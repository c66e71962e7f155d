"""Folders and labels of the simulated Omni, and where each document is: what API.md 11 and 12 know of them.

The same name again makes a second folder, so a POST that is sent twice is seen. What is carried out late lies in a queue.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from batcher.transport.reply import Answer

FOLDERS, LABELS = "/api/v1/folders", "/api/v1/labels"


@dataclass(slots=True)
class Folder:
    """One folder."""

    id: str
    name: str
    path: str
    parent: str | None


@dataclass(slots=True)
class Place:
    """Where a document is."""

    folder: str | None = None
    labels: set[str] = field(default_factory=set)


@dataclass(order=True, slots=True)
class _Late:
    at: float
    order: int
    method: str = field(compare=False)
    path: str = field(compare=False)
    body: dict[str, Any] = field(compare=False)


class SimulatedPlaces:
    """All of them."""

    def __init__(self) -> None:
        self.folders: list[Folder] = []
        self.labels: list[str] = []
        self.of: dict[str, Place] = {}  # by identifier
        self._late: list[_Late] = []
        self._order = itertools.count()

    def later(self, at: float, method: str, path: str, body: dict[str, Any]) -> None:
        """Carry it out at that time, whoever still listens."""
        heapq.heappush(self._late, _Late(at, next(self._order), method, path, body))

    def advance(self, now: float, identifiers: set[str]) -> None:
        """Carry out what was due by now."""
        while self._late and self._late[0].at <= now:
            late = heapq.heappop(self._late)
            self.answer(late.method, late.path, {}, late.body, identifiers)

    @property
    def pending_until(self) -> float:
        """When the last late request is due; 0 if none is."""
        return max((late.at for late in self._late), default=0.0)

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: dict[str, Any], identifiers: set[str]
    ) -> Answer | None:
        """What it does and answers; None for what is about something else. `identifiers` of documents that are there."""
        match method, path:
            case "GET", "/api/v1/folders":
                return self._list(query)
            case "POST", "/api/v1/folders":
                return self._make(body)
            case "GET", "/api/v1/labels":
                return _json(200, {"labels": [{"name": name} for name in self.labels]})
            case "POST", "/api/v1/labels":
                return self._make_label(body["name"])
            case "PUT", _ if path.endswith("/move"):
                return self._move(path.split("/")[-2], body["folderPath"], identifiers)
            case "PATCH", _ if path.endswith("/labels"):
                return self._add(path.split("/")[-2], body["add"], identifiers)
            case _:
                return None

    def has(self, folder_id: str) -> bool:
        """Whether there is such a folder."""
        return any(folder.id == folder_id for folder in self.folders)

    def path_of(self, folder_id: str | None) -> str | None:
        """Its path."""
        return next((folder.path for folder in self.folders if folder.id == folder_id), None)

    def _list(self, query: Mapping[str, str]) -> Answer:
        first = int(query.get("cursor", "0"))
        page = self.folders[first : first + 2]  # small pages: the second one matters, too
        records = [{"id": one.id, "name": one.name, "path": f"/{one.path}"} for one in page]
        more = first + 2 < len(self.folders)
        info = {"hasNextPage": more, "nextCursor": str(first + 2) if more else None}
        return _json(200, {"records": records, "pageInfo": info})

    def _make(self, body: dict[str, Any]) -> Answer:
        parent = next((one for one in self.folders if one.id == body.get("parentFolderId")), None)
        slug = body["name"].lower().replace(" ", "-")
        path = slug if parent is None else f"{parent.path}/{slug}"
        while any(one.path == path for one in self.folders):
            path += "-1"
        made = Folder(
            f"00000000-0000-4000-8000-{len(self.folders):012d}",
            body["name"],
            path,
            None if parent is None else parent.id,
        )
        self.folders.append(made)
        return _json(201, {"id": made.id, "name": made.name, "path": f"/{made.path}"})

    def _make_label(self, name: str) -> Answer:
        if name.casefold() in (known.casefold() for known in self.labels):
            return _json(409, {"detail": f'Label "{name}" already exists', "status": 409})
        self.labels.append(name)
        return _json(201, {"name": name})

    def _move(self, identifier: str, path: str, identifiers: set[str]) -> Answer:
        folder = next((one for one in self.folders if one.path == path.strip("/")), None)
        if identifier not in identifiers:
            return _json(404, {"detail": f'Document with identifier "{identifier}" not found', "status": 404})
        if folder is None:
            return _json(404, {"detail": f"Folder with path {path} does not exist", "status": 404})
        self.of.setdefault(identifier, Place()).folder = folder.id
        return _json(200, {"success": True})

    def _add(self, identifier: str, labels: list[str], identifiers: set[str]) -> Answer:
        known = {label.casefold(): label for label in self.labels}
        missing = [label for label in labels if label.casefold() not in known]
        if identifier not in identifiers or missing:
            return _json(404, {"detail": f"not found: {missing or identifier}", "status": 404})
        place = self.of.setdefault(identifier, Place())
        place.labels |= {known[label.casefold()] for label in labels}
        return _json(200, {"labels": sorted(place.labels)})


def _json(status: int, body: object) -> Answer:
    return Answer(status, {"content-type": "application/json"}, orjson.dumps(body), 0.1)
