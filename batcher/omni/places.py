"""Folders and labels, and what puts a document there: the same requests under each version of the API (API.md 11 and 12).

A move, a change of labels and a new label may be sent again without harm. A new folder may not: the same name again makes
a second one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson

from ..placement import is_uuid, segments_of
from ..reasons import DOCUMENT_GONE, Reason
from ..transport.reply import Answer, Reply
from . import judge
from .api import Question, Request
from .v1_answers import json_of, may_be_of_key, message_of, proves_absence
from .verdicts import Absent, Blocked, Braked, EndpointUnusable, KeyDoubted, KeyRefused, Refused, There, Unknown, Unsent

FOLDERS, LABELS = "/api/v1/folders", "/api/v1/labels"
PAGE_SIZE = 100  # the most that a list gives at once
_EXISTS = 409

StepVerdict = There | Refused | Blocked | KeyDoubted | KeyRefused | Braked | EndpointUnusable | Unsent | Unknown


class Folder(NamedTuple):
    """One folder. `path` is made of the slugs of its hierarchy, without a slash in front."""

    id: str
    name: str
    path: str


class FolderPage(NamedTuple):
    """A page of the list. `cursor` asks for the next one; None after the last."""

    folders: tuple[Folder, ...]
    cursor: str | None


class FolderTree:
    """All folders, by the paths that people write. A segment matches a folder's name or slug, whatever its case."""

    def __init__(self, folders: Iterable[Folder]) -> None:
        self._by_id: dict[str, Folder] = {}
        self._children: dict[str, list[Folder]] = {}
        for folder in folders:
            self.add(folder)

    def add(self, folder: Folder) -> None:
        """One more, that was made; one that is known already is the same."""
        if folder.id.lower() in self._by_id:
            return
        self._by_id[folder.id.lower()] = folder
        self._children.setdefault(folder.path.casefold().rpartition("/")[0], []).append(folder)

    def find(self, asked: str) -> tuple[Folder, ...]:
        """The folders that this path, or UUID, may mean."""
        if is_uuid(asked):
            folder = self._by_id.get(asked.lower())
            return () if folder is None else (folder,)
        *_, found = self._levels(segments_of(asked))
        return found

    def parent_for(self, asked: str) -> tuple[Folder | None, list[str]]:
        """The deepest folder of this path that is there, None for the root, and the names of those that aren't.

        For a path that `find` doesn't find. If one on the way isn't unique, none is named: nobody knows where to begin.
        """
        segments = segments_of(asked)
        parent: Folder | None = None
        for depth, found in enumerate(self._levels(segments)):
            if len(found) > 1:
                return None, []
            if not found:
                return parent, segments[depth:]
            parent = found[0]
        return parent, []

    def _levels(self, segments: list[str]) -> Iterator[tuple[Folder, ...]]:
        above = [""]
        for segment in segments:
            wanted = segment.casefold()
            found = tuple(
                folder
                for path in above
                for folder in self._children.get(path, ())
                if wanted in (folder.name.casefold(), folder.path.casefold().rpartition("/")[2])
            )
            yield found
            above = [folder.path.casefold() for folder in found]


def list_folders(cursor: str | None = None) -> Question[StepVerdict]:
    """A page of the organization's folders: There, and `folder_page_of` reads it."""
    query = {"pageSize": str(PAGE_SIZE)} | ({"cursor": cursor} if cursor else {})
    return Question(Request("GET", FOLDERS, query=query), judge_step)


def list_labels() -> Question[StepVerdict]:
    """All labels: There, and `labels_of` reads them."""
    return Question(Request("GET", LABELS), judge_step)


def make_folder(name: str, parent: str | None) -> Question[StepVerdict]:
    """A new folder in the one with this id (None: at the root). There: `folder_of` reads it; Unknown: it may be there."""
    body = {"name": name} | ({} if parent is None else {"parentFolderId": parent})
    return Question(Request("POST", FOLDERS, orjson.dumps(body)), judge_step)


def make_label(name: str) -> Question[StepVerdict]:
    """A new label. There: it exists now, whoever made it."""

    def judge_label(reply: Reply, now: datetime) -> StepVerdict:
        if isinstance(reply, Answer) and reply.status == _EXISTS and isinstance(json_of(reply), dict):
            return There(reply.status, None, reply.body)
        return judge_step(reply, now)

    return Question(Request("POST", LABELS, orjson.dumps({"name": name})), judge_label)


def move(identifier: str, path: str) -> Question[StepVerdict]:
    """Put a document into the folder of this path."""
    body = orjson.dumps({"folderPath": path})
    return Question(Request("PUT", f"{_document(identifier)}/move", body), partial(_judge_step_of, identifier))


def add_labels(identifier: str, labels: Iterable[str]) -> Question[StepVerdict]:
    """Put labels on a document, all or none. Those that it has already stay."""
    body = orjson.dumps({"add": list(labels)})
    return Question(Request("PATCH", f"{_document(identifier)}/labels", body), partial(_judge_step_of, identifier))


def judge_step(reply: Reply, now: datetime) -> StepVerdict:
    """What the reply means. There: it's done. Unknown: nobody knows. Refused: it isn't done, and won't be."""
    look = judge.judge_ask(reply, now=now)
    if not isinstance(look, Absent | Unknown):
        return look
    if not isinstance(reply, Answer):
        return look if isinstance(look, Unknown) else Unknown(Reason.BAD_RESPONSE, None, "")
    return _judge_refusal(reply) or (
        look if isinstance(look, Unknown) else Unknown(Reason.BAD_RESPONSE, reply.status, "")
    )


def _judge_step_of(identifier: str, reply: Reply, now: datetime) -> StepVerdict:
    """As `judge_step`; a document that isn't there anymore is another thing than a missing folder."""
    verdict = judge_step(reply, now)
    if isinstance(verdict, Refused) and isinstance(reply, Answer) and proves_absence(reply, identifier):
        return replace(verdict, hint=DOCUMENT_GONE)
    return verdict


def _judge_refusal(answer: Answer) -> There | Blocked | KeyDoubted | Refused | None:
    """A 4xx, or what else is no 2xx with JSON; None if nobody knows what it did."""
    status, message, is_omnis = answer.status, message_of(answer), isinstance(json_of(answer), dict)
    match status:
        case 204:  # as to one label
            return There(status, None)
        case 403 | 404 | 405 if not is_omnis:
            return Blocked(status, message)
        case 400 | 403 if may_be_of_key(answer):
            return KeyDoubted(Refused(Reason.FORBIDDEN if status == 403 else Reason.REJECTED, status, message))
        case 403:
            return Refused(Reason.FORBIDDEN, status, message)
        case 404 | 405 | 410:
            return Refused(Reason.NOT_FOUND, status, message)
        case 408 | 425:
            return None
        case _ if 300 <= status < 500:
            return Refused(Reason.REJECTED if status >= 400 else Reason.BAD_RESPONSE, status, message)
        case _:
            return None


def folder_page_of(answered: bytes) -> FolderPage | None:
    """Read a page of the list; None if it isn't one."""
    page = _json(answered)
    if page is None or not isinstance(page.get("records"), list):
        return None
    folders = tuple(folder for record in page["records"] if (folder := _folder(record)) is not None)
    match page.get("pageInfo"):
        case {"hasNextPage": has_more, "nextCursor": str(cursor)} if has_more and cursor:
            return FolderPage(folders, cursor)
        case _:
            return FolderPage(folders, None)


def folder_of(answered: bytes) -> Folder | None:
    """Read a folder that was made; None if it isn't one."""
    return _folder(_json(answered))


def labels_of(answered: bytes) -> tuple[str, ...] | None:
    """Read the list of labels; None if it isn't one."""
    match _json(answered):
        case {"labels": list(labels)}:
            return tuple(name for label in labels if (name := name_of_label(label)))
        case _:
            return None


def name_of_label(label: object) -> str | None:
    """A label is told as text, or as an object with its name."""
    match label:
        case str(name) | {"name": str(name)}:
            return name
        case _:
            return None


def _folder(record: object) -> Folder | None:
    match record:
        case {"id": str(folder_id), "name": str(name), "path": str(path)}:
            return Folder(folder_id, name, path.strip("/"))
        case _:
            return None


def _document(identifier: str) -> str:
    return f"/api/v1/documents/{quote(identifier, safe='')}"


def _json(text: bytes) -> Mapping[str, Any] | None:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None
