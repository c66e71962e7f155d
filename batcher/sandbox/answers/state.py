"""A document's published state, as v2 shows it (API.md 8 and 10).

A v2 create's tiles are merged with the seed, every key is there, and without containers there is an automatic layout.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from ..store import Document
from .ids import uuid_of
from .upgraded import upgraded

SEED: Mapping[str, Any] = {"type": "blank", "name": "Query 1", "automaticVis": True}  # a new document starts with it
EVERY_KEY: Mapping[str, Any] = {  # of a tile that is read
    "aiConfig": None,
    "automaticVis": None,
    "description": None,
    "filterOrder": [],
    "isSql": None,
    "name": "",
    "prefersChart": False,
    "query": None,
    "resultConfig": {},
    "subTitle": None,
    "topicName": None,
    "type": "query",
    "visConfig": None,
    "sourceQueryPresentationKey": None,
}
_SETTINGS: Mapping[str, Any] = {
    "crossfilterEnabled": False,
    "facetFilters": False,
    "refreshInterval": None,
    "runQueriesOn": None,
    "customText": None,
}
_NOT_PLACED = {"csv", "dataset", "query-view", "dbt", "blank"}


def state_of(document: Document) -> dict[str, Any]:
    """The published state of a document, as a read shows it; what v1 made is shown as if it were upgraded."""
    body = orjson.loads(document.body)
    sent = upgraded(body) if document.api == "v1" else body
    model = uuid_of("workbook model", document.dashboard_id)
    tiles = _tiles(sent.get("queryPresentations", {}), model, seed=SEED if document.api == "v2" else None)
    state = {
        "name": document.name,
        "description": sent.get("description"),
        "modelId": document.model_id,
        "workbookModelId": model,
        "queryPresentations": tiles,
    }
    if sent.get("containers", ...) is None:
        return state  # a workbook without a dashboard
    controls = _without_null(sent.get("controls", {}).get("data", {}))
    return state | {
        "controls": {"data": controls, "order": sent.get("controls", {}).get("order", list(controls))},
        "settings": {key: sent.get("settings", {}).get(key, value) for key, value in _SETTINGS.items()},
        "containers": sent.get("containers") or _automatic_layout(tiles),
    }


def is_app(document: Document) -> bool:
    """Whether it is an HTML app, which the documents API does not show."""
    return "app" in orjson.loads(document.body)


def tiles_in_order(state: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Record key and tile: those that the order names, then the others as they were stored."""
    data, order = state["queryPresentations"]["data"], state["queryPresentations"]["order"]
    named = dict.fromkeys([*order, *data])
    return [(key, data[key]) for key in named]


def _tiles(sent: Mapping[str, Any], model: str, *, seed: Mapping[str, Any] | None) -> dict[str, Any]:
    """A tile sent at "1" is merged into the seed, which keeps its automaticVis; null there drops the seed."""
    data: dict[str, Any] = {"1": seed} | sent.get("data", {})
    if seed is not None and data["1"] is not None:
        data["1"] = {**seed, **data["1"], "automaticVis": True}
    kept = _without_null(data)
    return {
        "data": {key: _read_tile(tile, model) for key, tile in kept.items()},
        "order": sent.get("order", list(kept)),
    }


def _read_tile(tile: Mapping[str, Any], model: str) -> dict[str, Any]:
    read = {**EVERY_KEY, **tile}
    if read["query"] is not None:
        known = {key: value for key, value in read["query"].items() if key != "model_extension_id"}
        read["query"] = known | {"modelId": model}
    return read


def _without_null(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value is not None}


def _automatic_layout(tiles: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every tile that a dashboard can show on the first page, two in a row. Controls are not placed."""
    keys = [key for key in tiles["order"] if tiles["data"][key]["type"] not in _NOT_PLACED]
    stacks = [_stack(key, tiles["data"][key]["name"], n) for n, key in enumerate(keys)]
    grid = {"containerType": "grid", "instanceKey": "page-1-grid", "children": stacks}
    return [{"instanceKey": "page-1", "containerType": "page", "name": "Page 1", "container": grid}]


def _stack(key: str, name: str, n: int) -> dict[str, Any]:
    return {
        "containerType": "stack",
        "style": "tile",
        "name": name,
        "fillSpace": True,
        "metadata": {"attachedQueryKey": key},
        "gridPosition": {"x": n % 2 * 12, "y": n // 2 * 48, "w": 12, "h": 48},
        "instanceKey": f"tile-{key}",
        "children": [
            {"type": "query", "as": "metadata", "format": "name", "id": key, "instanceKey": f"tile-{key}-name"},
            {"type": "query", "as": "chart", "id": key, "instanceKey": f"tile-{key}-chart"},
        ],
    }
