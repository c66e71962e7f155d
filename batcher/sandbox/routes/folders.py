"""Folders: the list, by path or all, and create (API.md 11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from ..answers.ids import uuid_of
from ..answers.records import created_folder, folder_record, page
from ..calls import Call, Response
from ..rules import places, queries
from ..store import Folder, FolderListing
from ..store.folders import DEEPEST, parent_of
from .backend import Backend, Request


@dataclass(frozen=True, slots=True)
class Folders:
    """The handlers."""

    backend: Backend

    def list(self, request: Request) -> Response:
        """GET. A path that does not exist is 404, not an empty list."""
        call, query, folders = request.call, request.call.query, self.backend.store.folders
        refused = self.backend.refuse_query(call, queries.FOLDERS) or self.backend.other_user(call, query.get("userId"))
        if refused:
            return refused
        path, scope = query.get("path"), query.get("scope", "organization")
        if path is not None and not self._exists(path, scope):
            return self.no_folder(path)
        if query.get("labels"):
            return Response(200, page([], cursor=None, size=_size(call), total=0))  # no folder here carries a label
        found, total = folders.page(_listing(call, scope), _size(call))
        shown = found[: _size(call)]
        cursor = str(shown[-1].number) if len(found) > len(shown) else None
        records = [self._record(folder, query.get("include", "")) for folder in shown]
        return Response(200, page(records, cursor=cursor, size=_size(call), total=total))

    def _exists(self, path: str, scope: str) -> bool:
        above = parent_of(path)
        if above == "":
            return True
        folder = self.backend.store.folders.at(path if above is None else above)
        return folder is not None and folder.scope == scope

    def _record(self, folder: Folder, include: str) -> dict[str, Any]:
        record, store = folder_record(folder, self.backend.base_url), self.backend.store
        if "_count" in include:
            record["_count"] = {
                "documents": store.documents_in(folder.id),
                "folders": store.folders.count_in(folder.id),
                "favorites": 0,
            }
        if "labels" in include:
            record["labels"] = []
        return record

    def create(self, request: Request) -> Response:
        """POST. The same name again makes another folder, under a path with a suffix."""
        call, backend = request.call, self.backend
        body = backend.read_json(call, lambda body: places.problems(body, places.FOLDER))
        if isinstance(body, Response):
            return body
        if refused := backend.other_user(call, body.get("userId")):
            return refused
        parent = backend.store.folders.find(body["parentFolderId"]) if "parentFolderId" in body else None
        if refused := self._refuse_place(body, parent):
            return refused
        now = backend.clock()
        folder = backend.store.folders.create(
            Folder(
                number=0,
                id=uuid_of("folder", now, backend.dice.getrandbits(64)),
                name=body["name"],
                parent=parent.id if parent else None,
                path="",
                scope=body.get("scope", parent.scope if parent else "organization"),
                owner=backend.owner(call.authorization),
                created_at=now,
            )
        )
        return Response(201, orjson.dumps(created_folder(folder)))

    def _refuse_place(self, body: dict[str, Any], parent: Folder | None) -> Response | None:
        if "parentFolderId" not in body:
            return None
        if parent is None:
            return self.backend.fail(404, f"Parent folder with id {body['parentFolderId']} does not exist")
        if parent.depth >= DEEPEST:
            return self.backend.fail(400, "Maximum folder nesting depth reached")
        if body.get("scope", parent.scope) != parent.scope:
            return self.backend.fail(400, "Child folder scope must match parent folder scope")
        return None

    def no_folder(self, path: str) -> Response:
        """404 of a path."""
        return self.backend.fail(404, f"Folder with path {path} does not exist")


def _size(call: Call) -> int:
    return int(call.query.get("pageSize", "20"))


def _listing(call: Call, scope: str) -> FolderListing:
    query = call.query
    after, owner = query.get("cursor"), query.get("ownerId")
    return FolderListing(
        path=query.get("path"),
        scope=scope,
        owner=owner.lower() if owner else None,
        sort_field=query.get("sortField", "name"),
        descending=query.get("sortDirection") == "desc",
        after=int(after) if after else None,
    )
