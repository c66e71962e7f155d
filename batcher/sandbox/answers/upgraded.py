"""A document that v1 made, in the shape of v2: what an instance shows whose v1 makes the advanced layout (API.md 9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_QUERY: Mapping[str, Any] = {
    "calculations": [],
    "column_totals": {},
    "fill_fields": [],
    "filters": {},
    "pivots": [],
    "row_totals": {},
    "sorts": [],
    "userEditedSQL": "",
}
_SAME = ("name", "subTitle", "description", "topicName", "prefersChart", "resultConfig", "aiConfig")


def upgraded(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The v2 body that says the same as a v1 body."""
    tiles = {str(n): _tile(tile) for n, tile in enumerate(spec.get("queryPresentations", []), 1)}
    config = spec.get("filterConfig")
    filters = config if isinstance(config, dict) else {}  # v1 takes anything
    return {
        "description": spec.get("description"),
        "queryPresentations": {"data": tiles, "order": list(tiles)},
        "controls": {
            "data": {key: {"config": config} for key, config in filters.items()},
            "order": spec.get("filterOrder", list(filters)),
        },
        "settings": {"facetFilters": spec.get("facetFilters", False)},
    }


def _tile(tile: Mapping[str, Any]) -> dict[str, Any]:
    vis = tile.get("visConfig", {})
    chart = tile.get("chartType")
    outer = {
        "chartType": chart,
        "fields": vis.get("fields", tile["query"]["fields"]),
        "version": 0,
        "visConfig": {"visType": vis.get("visType"), "config": vis.get("config", {})},
    }
    shown = {key: tile[key] for key in _SAME if key in tile}
    is_drawn = bool(vis) or chart is not None
    query = {**_QUERY, **tile["query"]}
    return shown | {
        "type": "query",
        "query": query,
        "visConfig": outer if is_drawn else None,
        "automaticVis": not is_drawn,
    }
