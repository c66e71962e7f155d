"""An Omni in memory, as `batcher/omni/API.md` knows it: it keeps every document that was ever made, and for which POST.

It answers what has reached it; what goes wrong on the way is `wire.py`'s business. Its time is the world's (seconds).
A row's description speaks to it: `row:7 v2` is the marker by which the laws know whose document this is, and
`refuse:422` makes it refuse the row for good. Commits that come late, or from a dead process's request, lie in a queue.
"""

from __future__ import annotations

import heapq
import itertools
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import unquote

import orjson

from batcher.transport.reply import Answer

from .places import Place, SimulatedPlaces

DOCUMENTS = "/api/v1/documents"
DOCUMENTS_V2 = "/api/v2/documents"
JSON_HEADERS = {"content-type": "application/json"}
HTML_HEADERS = {"content-type": "text/html"}
BLOCKED = 1403  # as a row's `refuse`: HTTP 403, but a firewall's, in HTML
NEVER_OMNIS = (429, BLOCKED)  # of a row's `refuse`: something before the server objects to its content, for good
_REFUSE = re.compile(r"refuse:(\d+)")
_LISTING = {"pageSize", "sortField", "sortDirection", "cursor", "folderId", "creatorId", "labels"}


class Guard(StrEnum):
    """How a GET of an existing document answers."""

    OPEN = "200"
    FORBIDDEN = "403"
    ANALYSIS = "400"
    UNPROCESSABLE = "422"


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How this server behaves where the API leaves it open. Times in seconds, chances 0 to 1."""

    taken_status: int = 400
    error_shape: int = 0
    lag_chance: float = 0.0  # that a new document is not read for a while
    lag_seconds: float = 0.0
    guard_chance: float = 0.0  # that a GET of a document of ours answers 403, 422 or 400
    rename_chance: float = 0.0  # that somebody gives our new document another name
    stranger_chance: float = 0.0  # that somebody takes a user's own identifier before our POST arrives
    filled_stranger_chance: float = 0.0  # the same for one that batcher made
    twin_chance: float = 0.0  # that the stranger's document looks like ours
    ignores_identifiers: bool = False
    has_whoami: bool = True
    deprecated: bool = False
    is_classic: bool = False  # what v1 makes has a layout that v2 doesn't read


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A version's create goes away so many seconds after a run's start, for good; perhaps its read, too."""

    version: str
    after_seconds: float
    status: int
    ends_reads: bool


@dataclass(slots=True)
class Post:
    """One create that left the process. `clear` is None while nobody has answered it, or the process died before."""

    number: int
    run: int
    at: float
    identifier: str | None
    name: str
    marker: str
    key: str
    clear: bool | None = None
    ended_at: float = 0.0
    status: int | None = None
    resend_allowed: bool = False
    is_blocked: bool = False  # its answer was a firewall's
    version: str = "v1"


@dataclass(slots=True)
class Document:
    """One document. `post` is None for a stranger's."""

    identifier: str
    name: str
    model_id: str
    body: dict[str, Any]
    post: Post | None
    made_at: float
    visible_at: float
    guard: Guard = Guard.OPEN
    twin: bool = False


@dataclass(slots=True)
class Read:
    """One GET of a document and what it answered."""

    at: float
    identifier: str
    status: int


@dataclass(order=True, slots=True)
class _Late:
    at: float
    order: int
    post: Post = field(compare=False)
    body: dict[str, Any] = field(compare=False)


def without_folder(body: dict[str, Any]) -> dict[str, Any]:
    """What people see of a document, wherever it is."""
    return {name: value for name, value in body.items() if name != "folderId"}


class SimulatedServer:
    """The documents and the routes."""

    def __init__(self, chance: random.Random, habits: Habits) -> None:
        self.chance = chance
        self.habits = habits
        self.documents: dict[str, Document] = {}
        self.reads: list[Read] = []
        self.users_own: set[str] = set()
        self.refuses_reads: int | None = None  # the status of every look-up of a document, if it is there or not
        self.before_delete: Callable[[str], None] = _never
        self.endings: list[tuple[float, Ending]] = []
        self.places = SimulatedPlaces()
        self._late: list[_Late] = []
        self._order = itertools.count()

    @property
    def ours(self) -> list[Document]:
        """Every document that was made for one of our POSTs, in order."""
        return [document for document in self.documents.values() if document.post]

    def later(self, at: float, post: Post, body: dict[str, Any]) -> None:
        """Carry the POST out at that time, whoever still listens."""
        heapq.heappush(self._late, _Late(at, next(self._order), post, body))

    def advance(self, now: float) -> None:
        """Carry out what was due by now."""
        while self._late and self._late[0].at <= now:
            late = heapq.heappop(self._late)
            self.create(late.at, late.post, late.body)
        self.places.advance(now, set(self.documents))

    @property
    def pending_until(self) -> float:
        """When the last late POST is due; 0 if none is."""
        return max((self.places.pending_until, *(late.at for late in self._late)))

    def place_stranger(self, now: float, identifier: str, like: Mapping[str, Any] | None = None) -> None:
        """Somebody else's document takes the identifier; `like` makes it look like that POST's body."""
        if identifier in self.documents:
            return
        body = dict(like) if like else {"name": "Somebody else's", "modelId": "00000000-0000-4000-8000-000000000000"}
        guard = Guard.FORBIDDEN if like is None and self.chance.random() < 0.3 else Guard.OPEN
        self.documents[identifier] = Document(
            identifier, body["name"], body["modelId"], body, None, now, now, guard, twin=like is not None
        )

    def make_strangers(self, now: float, identifier: str, version: str) -> Answer:
        """What somebody else's create of this identifier is answered."""
        self.place_stranger(now, identifier)
        return self._made_answer(self.documents[identifier], version)

    def ended(self, now: float, version: str, *, is_read: bool) -> Answer | None:
        """What a version that has gone away answers by now; None while it's there."""
        for at, ending in self.endings:
            if ending.version == version and now >= at and (ending.ends_reads or not is_read):
                said = "This endpoint has been removed" if ending.status == 410 else "Not Found"
                return self.error(ending.status, said, shape=0)
        return None

    def is_unreadable(self, now: float, document: Document) -> bool:
        """Whether no version reads it any more."""
        by_v2 = self.ended(now, "v2", is_read=True) is None and not self._is_classic(document)
        by_v1 = self.ended(now, "v1", is_read=True) is None
        return document.guard is not Guard.OPEN or not (by_v1 or by_v2)

    def _is_classic(self, document: Document) -> bool:
        return self.habits.is_classic and document.post is not None and document.post.version == "v1"

    def create(self, now: float, post: Post, body: dict[str, Any]) -> Answer:
        """Carry out one POST that has arrived."""
        if (ended := self.ended(now, post.version, is_read=False)) is not None:
            return ended
        refused = _REFUSE.search(str(body.get("description", "")))
        if refused:
            return self._refuse(int(refused[1]))
        identifier, folder = body.get("identifier"), body.get("folderId")
        if folder is not None and not self.places.has(folder):
            return self.error(404, f"Folder with id {folder} does not exist")
        if self.habits.ignores_identifiers:
            identifier = None
        if identifier is not None:
            self._stranger_comes_first(now, identifier, body)
            if identifier in self.documents:
                return self.error(self.habits.taken_status, self._taken_message(identifier))
        made = self._make(now, post, identifier or f"{self.chance.getrandbits(32):08x}", without_folder(body))
        if folder is not None:
            self.places.of[made.identifier] = Place(folder)
        return self._made_answer(made, post.version)

    def get(self, now: float, identifier: str, version: str = "v1") -> Answer:
        """Read one document back."""
        document = self.documents.get(identifier)
        if (ended := self.ended(now, version, is_read=True)) is not None:
            return ended
        if self.refuses_reads is not None:
            answer = self._unreadable(self.refuses_reads)
        elif document is None or now < document.visible_at:
            said = f'Document with identifier "{identifier}" not found' if version == "v1" else "Document not found"
            answer = self.error(404, said, shape=0)
        else:
            answer = self._read_answer(document, version)
        self.reads.append(Read(now, identifier, answer.status))
        return answer

    def other(
        self, now: float, method: str, path: str, query: Mapping[str, str], body: dict[str, Any] | None = None
    ) -> Answer:
        """Answer everything but a create."""
        placed = self.places.answer(method, path, query, body or {}, set(self.documents))
        if placed is not None:
            return placed
        match method, path:
            case "GET", "/api/v1/documents":
                return self._list(now, query)
            case "GET", "/api/v1/whoami" if self.habits.has_whoami:
                return self.json(200, {"user": {"id": "u"}, "keyScope": "organization", "orgRole": "ADMIN"})
            case "GET", "/api/v1/models":
                records = [{"id": query.get("modelId", "m"), "name": "Model"}]
                return self.json(200, {"records": records, "pageInfo": {"hasNextPage": False}})
            case "GET", "/openapi.json":
                offered = [one for one in ("v1", "v2") if self.ended(now, one, is_read=False) is None]
                paths: dict[str, Any] = {f"/api/{version}/documents": {"post": {}} for version in offered}
                return self.json(200, {"openapi": "3.1.0", "paths": paths})
            case "GET", _ if path.startswith(f"{DOCUMENTS_V2}/"):
                return self.get(now, unquote(path.removeprefix(f"{DOCUMENTS_V2}/")), "v2")
            case "GET", _ if path.startswith(f"{DOCUMENTS}/"):
                return self.get(now, unquote(path.removeprefix(f"{DOCUMENTS}/")))
            case "DELETE", _ if path.startswith(f"{DOCUMENTS}/"):
                return self._delete(now, unquote(path.removeprefix(f"{DOCUMENTS}/")))
            case _:
                return self.error(404, "Not Found")

    def _delete(self, now: float, identifier: str) -> Answer:
        self.before_delete(identifier)
        if identifier not in self.documents:
            return self.get(now, identifier)
        del self.documents[identifier]
        return self.json(200, {"success": True})

    def json(self, status: int, body: object) -> Answer:
        """An answer that holds JSON."""
        headers = JSON_HEADERS | {"deprecation": "true", "sunset": "x"} if self.habits.deprecated else JSON_HEADERS
        return Answer(status, headers, orjson.dumps(body), 0.1)

    def error(self, status: int, message: str, shape: int | None = None) -> Answer:
        """One of the four error shapes."""
        match self.habits.error_shape if shape is None else shape:
            case 0:
                return self.json(status, {"detail": message, "status": status})
            case 1:
                return self.json(status, {"error": {"code": status, "message": message}})
            case 2:
                return self.json(status, {"error": message, "success": False})
            case _:
                return self.json(status, {"error": "bad_request", "message": message})

    def _make(self, now: float, post: Post, identifier: str, body: dict[str, Any]) -> Document:
        chance, habits = self.chance, self.habits
        lag = chance.uniform(0, habits.lag_seconds) if chance.random() < habits.lag_chance else 0.0
        guard = Guard.OPEN
        if chance.random() < habits.guard_chance:
            guard = chance.choice((Guard.FORBIDDEN, Guard.ANALYSIS, Guard.UNPROCESSABLE))
        is_renamed = chance.random() < habits.rename_chance and identifier not in self.users_own
        name = "Renamed since" if is_renamed else body["name"]
        made = Document(identifier, name, body["modelId"], body, post, now, now + lag, guard)
        self.documents[identifier] = made
        return made

    def _stranger_comes_first(self, now: float, identifier: str, body: dict[str, Any]) -> None:
        own = identifier in self.users_own
        if identifier in self.documents:
            return
        if self.chance.random() < (self.habits.stranger_chance if own else self.habits.filled_stranger_chance):
            twin = self.chance.random() < self.habits.twin_chance
            self.place_stranger(now, identifier, body if twin else None)

    def _refuse(self, status: int) -> Answer:
        match status:
            case 404:
                return self.error(404, "Model with id not found")
            case 403:
                return self.error(403, "You do not have permission to create content here")
            case _ if status == BLOCKED:
                return Answer(403, HTML_HEADERS, b"<html>Access denied</html>", 0.1)
            case 413:
                return Answer(413, HTML_HEADERS, b"<html><h1>413 Request Entity Too Large</h1></html>", 0.1)
            case 429:
                return Answer(429, {"x-omni-waf-action": "block"}, b"<html>blocked</html>", 0.1)
            case _:
                return self.error(status, "Bad Request: queryPresentations[0].query: Invalid")

    def _taken_message(self, identifier: str) -> str:
        return self.chance.choice(
            (
                f'Bad Request: identifier: "{identifier}" is already in use',
                "A document with this identifier already exists",
                "Conflict",
                "Bad Request",
            )
        )

    def _made_answer(self, made: Document, version: str) -> Answer:
        if version == "v2":
            description = made.body.get("description")
            return self.json(
                201, {"identifier": made.identifier, "name": made.body["name"], "description": description}
            )
        return self.json(
            201,
            {
                "dashboard": {"id": f"d-{made.identifier}", "dashboardId": f"d-{made.identifier}"},
                "workbook": {
                    "id": f"w-{made.identifier}",
                    "documentId": f"c-{made.identifier}",
                    "identifier": made.identifier,
                    "name": made.body["name"],
                },
            },
        )

    def _read_answer(self, document: Document, version: str) -> Answer:
        if document.guard is not Guard.OPEN:
            return self._unreadable(int(document.guard))
        if version == "v2" and self._is_classic(document):
            return self.error(422, "This document uses the classic dashboard layout, which is not supported")
        shown = {name: value for name, value in document.body.items() if name != "identifier"} | {"name": document.name}
        return self.json(200, shown | (_OF_V2 if version == "v2" else {"refreshInterval": None}))

    def _unreadable(self, status: int) -> Answer:
        match Guard(str(status)):
            case Guard.FORBIDDEN:
                return self.error(403, "You do not have permission to view this document")
            case Guard.ANALYSIS:
                return self.error(400, "Analysis documents are not supported")
            case Guard.UNPROCESSABLE:
                return self.error(422, "Unprocessable document")
            case Guard.OPEN:
                raise AssertionError(status)

    def _list(self, now: float, query: Mapping[str, str]) -> Answer:
        unknown = set(query) - _LISTING
        if unknown:
            return self.error(400, f"Bad Request: {min(unknown)}: Unrecognized key")
        size, start = min(int(query.get("pageSize", "20")), 100), int(query.get("cursor", "0"))
        seen = [document for document in self.documents.values() if document.visible_at <= now]
        seen.sort(key=lambda document: (document.made_at, document.identifier), reverse=True)
        records = [
            {"identifier": one.identifier, "name": one.name, "updatedAt": _stamp(one.made_at), "type": "document"}
            for one in seen[start : start + size]
        ]
        more = start + size < len(seen)
        page = {"hasNextPage": more, "pageSize": size, "totalRecords": len(seen)}
        return self.json(
            200, {"records": records, "pageInfo": page | ({"nextCursor": str(start + size)} if more else {})}
        )


_OF_V2 = {
    "workbookModelId": "w",
    "queryPresentations": {"data": {"1": {"type": "blank", "name": "Query 1", "query": None}}, "order": ["1"]},
    "controls": {"data": {}, "order": []},
    "settings": {"facetFilters": False},
    "containers": [{"containerType": "page"}],
}


def _never(identifier: str) -> None:
    raise AssertionError(f"a run never deletes: {identifier}")


def _stamp(at: float) -> str:
    minutes, seconds = divmod(int(at), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"2026-03-{1 + days % 28:02d}T{hours:02d}:{minutes:02d}:{seconds:02d}.000Z"
