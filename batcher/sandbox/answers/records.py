"""The records of lists: documents, folders, labels, models; and the page around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from ..store import Document, Folder, Label
from .ids import iso, uuid_of


def page(records: Sequence[Mapping[str, Any]], *, cursor: str | None, size: int, total: int) -> bytes:
    """One page of a list; `cursor` leads to the next, None if this is the last."""
    info = {"hasNextPage": cursor is not None, "nextCursor": cursor, "pageSize": size, "totalRecords": total}
    return orjson.dumps({"records": records, "pageInfo": info})


def document_record(
    document: Document, base_url: str, folder: Folder | None, labels: Sequence[Label] | None
) -> dict[str, Any]:
    """One line of the list of documents; labels only where they were asked for."""
    record = {
        "identifier": document.identifier,
        "name": document.name,
        "connectionId": uuid_of("connection", document.model_id),
        "deleted": False,
        "folder": None if folder is None else _folder_of_document(folder),
        "hasDashboard": True,
        "owner": {"id": document.owner, "name": "Sandbox User"},
        "scope": document.scope,
        "type": "document",
        "updatedAt": iso(document.created_at),
        "url": f"{base_url}/dashboards/{document.identifier}",
    }
    if labels is not None:
        record["labels"] = [label.name for label in labels]
    return record


def _folder_of_document(folder: Folder) -> dict[str, Any]:
    """A document's folder: its path begins without a slash, unlike that of a folder's own record (API.md 11)."""
    return {"id": folder.id, "name": folder.name, "path": folder.path, "scope": folder.scope}


def created_folder(folder: Folder) -> dict[str, Any]:
    """The answer to a folder's create."""
    return {
        "id": folder.id,
        "name": folder.name,
        "path": f"/{folder.path}",
        "scope": folder.scope,
        "ownerId": folder.owner,
    }


def folder_record(folder: Folder, base_url: str) -> dict[str, Any]:
    """One line of the list of folders."""
    return created_folder(folder) | {"url": f"{base_url}/f/{folder.id}"}


def label_record(label: Label, uses: int) -> dict[str, Any]:
    """One label."""
    return {
        "name": label.name,
        "color": label.color,
        "description": label.description,
        "homepage": label.homepage,
        "verified": label.verified,
        "usage_count": uses,
    }


def model_record(model_id: str) -> dict[str, Any]:
    """One line of the list of models, with everything that the vendor requires of it."""
    created = iso(1_767_225_600.0)  # the models of a sandbox were always there
    return {
        "id": model_id,
        "name": f"model {model_id[:8]}",
        "modelKind": "SHARED",
        "connectionId": uuid_of("connection", model_id),
        "baseModelId": None,
        "createdAt": created,
        "updatedAt": created,
        "deletedAt": None,
    }
