"""The bodies of the sandbox's answers: errors in Omni's shapes, and documents as the API shows them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from http.client import responses
from typing import Any

import orjson

from .calls import Response
from .store import Document

ORGANIZATION = "8d3f6a1e-52c4-4b0e-9a57-0c1f6b7e2d90"


class ErrorShape(StrEnum):
    """The shapes that Omni's error bodies are met in; the application's own errors can be asked for in each."""

    DETAIL = "detail"  # {"detail": "Bad Request: modelId: Required", "status": 400}
    NESTED = "nested"  # {"error": {"code": 400, "message": "..."}}
    PLAIN = "plain"  # {"error": "...", "success": false}
    CODED = "coded"  # {"error": "bad_request", "message": "..."}


def error_body(shape: ErrorShape, status: int, message: str) -> bytes:
    """The application's error in one of the shapes that are met. A 400 says so itself, as Omni's does."""
    if status == HTTPStatus.BAD_REQUEST and shape is ErrorShape.DETAIL:
        message = f"Bad Request: {message}"
    match shape:
        case ErrorShape.DETAIL:
            return orjson.dumps({"detail": message, "status": status})
        case ErrorShape.NESTED:
            return orjson.dumps({"error": {"code": status, "message": message}})
        case ErrorShape.PLAIN:
            return orjson.dumps({"success": False, "error": message})
        case ErrorShape.CODED:
            code = responses.get(status, "error").lower().replace(" ", "_")
            return orjson.dumps({"error": code, "message": message})


def auth_error(status: int, message: str) -> Response:
    """An answer of the authentication in front of the application: always the nested shape."""
    return Response(status, orjson.dumps({"error": {"code": status, "message": message}}))


def fault_error(status: int, shape: ErrorShape) -> Response:
    """An error asked for by a fault: a gateway's page, the firewall's word, the door's, or the application's."""
    phrase = responses.get(status, f"Status {status}")
    match status:
        case 401:
            return auth_error(status, "Invalid bearer token")
        case 429:
            body = orjson.dumps({"error": "Too Many Requests"})
            return Response(status, body, headers=(("X-Omni-Waf-Action", "block"),))
        case 502 | 504:
            page = f"<html><head><title>{status} {phrase}</title></head><body><h1>{status} {phrase}</h1></body></html>"
            return Response(status, page.encode(), "text/html")
        case _:
            return Response(status, error_body(shape, status, phrase))


def iso(seconds: float) -> str:
    """`2026-07-01T09:30:00.123Z` for seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def uuid_of(*parts: object) -> str:
    """A UUID that is always the same for the same parts, so that it need not be stored."""
    text = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=16).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def created_answer(document: Document, spec: Mapping[str, Any]) -> bytes:
    """The whole answer to a create, about 1.8 KB for one query presentation."""
    at = iso(document.created_at)
    presentations = spec.get("queryPresentations") or []
    return orjson.dumps(
        {"dashboard": _dashboard(document, spec, at, len(presentations)), "workbook": _workbook(document, at)}
    )


def bare_answer(document: Document) -> bytes:
    """The four fields that Omni promises, and no others."""
    dashboard = {"id": document.dashboard_id, "dashboardId": document.dashboard_id}
    return orjson.dumps(
        {"dashboard": dashboard, "workbook": {"id": document.workbook_id, "documentId": document.workbook_id}}
    )


def _dashboard(document: Document, spec: Mapping[str, Any], at: str, tiles: int) -> dict[str, Any]:
    version = spec.get("metadataVersion")
    return {
        "id": document.dashboard_id,
        "dashboardId": document.dashboard_id,
        "createdAt": at,
        "updatedAt": at,
        "metadata": spec.get("metadata") or _layout(tiles),
        "metadataVersion": int(version) if isinstance(version, str) and version.isdecimal() else 2,
        "refreshInterval": None,
        "facetFilters": spec.get("facetFilters", False),
        "organizationId": ORGANIZATION,
        "workbookId": document.workbook_id,
        "creatorId": document.owner,
        "updaterId": document.owner,
        "queryPresentationCollectionId": uuid_of("collection", document.dashboard_id),
    }


def _layout(tiles: int) -> dict[str, Any]:
    """Two tiles a row, as Omni lays out what came without a layout."""
    shown = range(min(tiles, 200))
    places = [{"i": str(n + 1), "x": n % 2 * 12, "y": n // 2 * 39, "w": 12, "h": 39, "static": False} for n in shown]
    return {
        "layouts": {"lg": places},
        "textTiles": [],
        "hiddenTiles": [],
        "tileSettings": {str(n + 1): {"hideTitle": False, "hideDescription": True, "showLegend": True} for n in shown},
        "tileFilterMap": {str(n + 1): {"filters": {}, "ignoredFilters": []} for n in shown},
        "tileControlMap": {str(n + 1): {"controls": []} for n in shown},
    }


def _workbook(document: Document, at: str) -> dict[str, Any]:
    return {
        "id": document.workbook_id,
        "documentId": document.workbook_id,
        "createdAt": at,
        "updatedAt": at,
        "deletedAt": None,
        "publishedAt": at,
        "isDraft": False,
        "identifier": document.identifier,
        "name": document.name,
        "lastItemIndex": 1,
        "ephemeral": False,
        "organizationRole": None,
        "organizationAccessBoost": False,
        "publicRole": None,
        "publicAccessBoost": False,
        "canAnalyze": True,
        "canDownload": True,
        "canDrill": True,
        "canSchedule": True,
        "canUpload": True,
        "canViewWorkbook": True,
        "canUseTimezoneOverride": True,
        "organizationId": ORGANIZATION,
        "ownerId": document.owner,
        "updaterId": document.owner,
        "folderId": None,
        "originDocumentId": None,
    }


def read_answer(document: Document, name: str) -> bytes:
    """The answer to a read: no identifier in it, as the API has it."""
    spec = orjson.loads(document.body)
    return orjson.dumps(
        {
            "name": name,
            "description": spec.get("description"),
            "modelId": document.model_id,
            "queryPresentations": spec.get("queryPresentations", []),
            "filterConfig": spec.get("filterConfig", {}),
            "filterOrder": spec.get("filterOrder", []),
            "facetFilters": spec.get("facetFilters", False),
            "refreshInterval": None,
        },
    )


def list_record(document: Document, base_url: str) -> dict[str, Any]:
    """One line of the list."""
    return {
        "identifier": document.identifier,
        "name": document.name,
        "connectionId": uuid_of("connection", document.model_id),
        "deleted": False,
        "folder": None,
        "hasDashboard": True,
        "labels": [],
        "owner": {"id": document.owner, "name": "Sandbox User"},
        "scope": "restricted",
        "type": "document",
        "updatedAt": iso(document.created_at),
        "url": f"{base_url}/dashboards/{document.identifier}",
    }
