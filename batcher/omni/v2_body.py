"""A spec → version 2's body: the table of API.md 9. Pure, and total for what `fields_v2.py` and `v2_rules.py` let pass.

With `is_bare` nothing is made up that the spec doesn't say (empty keys, layout, automatic chart): for comparing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .fields_v2 import FILTERS

_Json = dict[str, Any]
_SAME = ("modelId", "name", "identifier", "description", "summary")
_SAME_IN_TILE = (
    *("name", "subTitle", "description", "topicName", "prefersChart"),
    *("resultConfig", "aiConfig"),
)
_QUERY: _Json = {
    "calculations": [],
    "column_totals": {},
    "fields": [],
    "fill_fields": [],
    "filters": {},
    "pivots": [],
    "row_totals": {},
    "sorts": [],
    "table": "",
    "userEditedSQL": "",
}
_NOT_IN_QUERY = ("modelId", "model_extension_id", "visConfig")  # the server puts in its own
_NOT_NULL = (*_QUERY, "join_paths_from_topic_name")
_PAIRS = {"kpi": "omni-kpi", "table": "omni-table", "funnel": "funnel", "sankey": "sankey", "map": "map"}
_BASIC = ("line", "column", "bar", "area", "point", "pie", "heatmap", "boxplot")
_NOT_ON_DASHBOARDS = ("csv", "dataset", "query-view", "dbt")
_WIDTH, _HEIGHT, _HEIGHT_OF_KPI, _COLUMNS = 12, 48, 24, 24


def body_of(spec: Mapping[str, Any], folder_id: str | None = None, *, is_bare: bool = False) -> _Json:
    """The JSON object to POST."""
    body = {name: spec[name] for name in _SAME if name in spec}
    if folder_id is not None:
        body["folderId"] = folder_id
    if tiles := _tiles(spec.get("queryPresentations"), is_bare=is_bare):
        body["queryPresentations"] = tiles
    if controls := _controls(spec):
        body["controls"] = controls
    settings = dict(spec.get("settings", {}))
    if "facetFilters" in spec:
        settings["facetFilters"] = spec["facetFilters"]
    if settings:
        body["settings"] = settings
    if "containers" in spec:
        body["containers"] = spec["containers"]
    elif tiles and not is_bare and (shown := _shown(spec)):
        body["containers"] = list(_containers(shown, tiles))
    return body


def _tiles(given: Any, *, is_bare: bool) -> _Json:
    match given:
        case {"data": data}:
            tiles = {key: None if tile is None else _own_tile(tile, is_bare=is_bare) for key, tile in data.items()}
            return {**given, "data": tiles}
        case [_, *_]:
            tiles = {str(place): _tile(item, is_bare=is_bare) for place, item in enumerate(given, 1)}
            return {"data": tiles, "order": list(tiles)}
        case _:
            return {}


def _own_tile(tile: _Json, *, is_bare: bool) -> _Json:
    query = tile.get("query")
    return tile if query is None else {**tile, "query": _query(query, is_bare=is_bare)}


def _tile(item: _Json, *, is_bare: bool) -> _Json:
    tile: _Json = {} if is_bare else {"type": "query"}
    tile |= {name: item[name] for name in _SAME_IN_TILE if name in item}
    query = tile["query"] = _query(item["query"], is_bare=is_bare)
    vis = _vis(item)
    if is_bare:
        return tile | ({"visConfig": vis} if vis else {})
    is_chosen = bool(vis.get("chartType") or vis.get("visConfig"))
    if vis:
        tile["visConfig"] = _complete(vis, query)
    return tile | {"automaticVis": not is_chosen}  # with neither, a reader sees "Item missing"


def _query(query: _Json, *, is_bare: bool) -> _Json:
    kept = {
        name: value
        for name, value in query.items()
        if name not in _NOT_IN_QUERY and not (value is None and name in _NOT_NULL)
    }
    return kept if is_bare else _QUERY | kept


def _vis(item: _Json) -> _Json:
    """What the item says of its chart, in the places where v2 has it; {} if it says nothing."""
    given = item.get("visConfig", {})
    outer = {name: value for name, value in given.items() if name not in ("visType", "config", "visConfig")}
    inner = dict(given.get("visConfig") or {})
    for name in ("visType", "config"):
        for place in (item, given):
            if place.get(name) is not None:
                inner[name] = place[name]
    if "fields" in item:
        outer.setdefault("fields", item["fields"])
    if "chartType" in item:
        outer["chartType"] = item["chartType"]
    return outer | {"visConfig": inner} if inner else outer


def _complete(vis: _Json, query: _Json) -> _Json:
    """With what v2 wants besides: the fields, a version, and the kind of chart that goes with the type."""
    chart = vis.get("chartType")
    inner = dict(vis.get("visConfig", {}))
    if "visType" not in inner and (paired := _paired(chart)) is not None:
        inner["visType"] = paired
    return {"fields": query["fields"], "version": 0} | vis | ({"visConfig": {"config": {}} | inner} if inner else {})


def _paired(chart: str | None) -> str | None:
    if chart is None:
        return None
    return _PAIRS.get(chart) or ("basic" if chart.startswith(_BASIC) else None)


def _controls(spec: Mapping[str, Any]) -> _Json:
    given, configs = spec.get("controls"), spec.get("filterConfig")
    if isinstance(given, list):
        configs = {control["id"]: control for control in given}
    elif given is not None:
        return dict(given)
    if not configs:
        return {}
    named = [name for name in spec.get("filterOrder", ()) if name in configs]
    order = list(dict.fromkeys((*named, *configs)))
    return {
        "data": {name: {"config": _without_hidden(config)} for name, config in configs.items()},
        "order": order,
    }


def _without_hidden(config: _Json) -> _Json:
    return {name: value for name, value in config.items() if name != "hidden"}


def _shown(spec: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Id and kind of each control that a filter bar is to show. v2's own controls are shown where their row says."""
    if isinstance(spec.get("controls"), dict):
        return []
    listed = {control["id"]: control for control in spec.get("controls", ())}
    configs = listed or spec.get("filterConfig", {})
    order = _controls(spec).get("order", [])
    kinds = {name: "filter" if config["type"] in FILTERS else "control" for name, config in configs.items()}
    return [(name, kinds[name]) for name in order if not configs[name].get("hidden")]


def _containers(shown: Iterable[tuple[str, str]], tiles: _Json) -> Iterator[_Json]:
    """A filter bar and a grid: without them controls work but can't be seen."""
    yield {
        "instanceKey": "filter-bar",
        "containerType": "stack",
        "direction": "row",
        "children": [
            {"type": kind, "id": name, "instanceKey": f"control-{place}"} for place, (name, kind) in enumerate(shown, 1)
        ],
    }
    grid = {"containerType": "grid", "instanceKey": "page-1-grid", "children": list(_stacks(tiles))}
    yield {"containerType": "page", "instanceKey": "page-1", "name": "Page 1", "container": grid}


def _stacks(tiles: _Json) -> Iterator[_Json]:
    """The tiles of a dashboard, two in a row of the grid."""
    data = tiles["data"]
    keys = dict.fromkeys((*(key for key in tiles.get("order", ()) if key in data), *data))
    x = y = lowest = 0
    for key in keys:
        tile = data[key]
        if tile is None or tile.get("type") in _NOT_ON_DASHBOARDS:
            continue
        is_kpi = (tile.get("visConfig") or {}).get("chartType") == "kpi"
        height = _HEIGHT_OF_KPI if is_kpi else _HEIGHT
        yield _stack(key, tile.get("name", ""), {"x": x, "y": y, "w": _WIDTH, "h": height})
        lowest = max(lowest, y + height)
        x = (x + _WIDTH) % _COLUMNS
        y = lowest if x == 0 else y


def _stack(key: str, name: str, place: _Json) -> _Json:
    title = {"type": "query", "as": "metadata", "format": "name", "id": key, "padding": [0, 0, 2, 0]}
    chart = {"type": "query", "as": "chart", "id": key}
    return {
        "containerType": "stack",
        "style": "tile",
        "name": name,
        "fillSpace": True,
        "metadata": {"attachedQueryKey": key},
        "gridPosition": place,
        "instanceKey": f"tile-{key}",
        "children": [title | {"instanceKey": f"tile-{key}-name"}, chart | {"instanceKey": f"tile-{key}-chart"}],
    }
