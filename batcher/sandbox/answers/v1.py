"""What v1 answers to a create and to a read (API.md 2 and 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from ..store import Document
from .ids import ORGANIZATION, iso, uuid_of
from .state import state_of, tiles_in_order


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
    spec = _as_v1(document) if document.api == "v2" else orjson.loads(document.body)
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


def _as_v1(document: Document) -> dict[str, Any]:
    """A document that v2 made, as v1 shows it: tiles in order, controls as filters, no layout."""
    state = state_of(document)
    controls = state.get("controls", {"data": {}, "order": []})
    return {
        "description": state["description"],
        "queryPresentations": [_tile_as_v1(tile) for _, tile in tiles_in_order(state)],
        "filterConfig": {key: control["config"] for key, control in controls["data"].items()},
        "filterOrder": controls["order"],
        "facetFilters": state.get("settings", {}).get("facetFilters", False),
    }


def _tile_as_v1(tile: Mapping[str, Any]) -> dict[str, Any]:
    outer = tile["visConfig"] or {}
    inner = outer.get("visConfig") or {}
    shown = {key: tile[key] for key in ("name", "description", "subTitle", "topicName", "prefersChart", "query")}
    vis = {"visType": inner.get("visType"), "config": inner.get("config", {}), "fields": outer.get("fields", [])}
    return shown | {"chartType": outer.get("chartType"), "visConfig": vis, "resultConfig": tile["resultConfig"]}
