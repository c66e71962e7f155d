"""What version 2 can't carry, or refuses, beyond what its table of fields says (API.md 8 and 9): what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .fields_v2 import FILTERS, MOST_PAGES, MOST_TILES

_Finding = tuple[str, str]  # field, message
_COLUMNS = 24  # of a grid
_SHOWN = 60  # characters of a name that somebody chose
_NO_TEXT = 'isn\'t a filter that v2 takes; write an object like {"type": "string", "kind": "EQUALS", "values": ["…"]}'
_ONLY_OF = {
    "sourceQueryPresentationKey": ("linked",),
    "editingModelObjectName": ("dataset", "query-view"),
    "editingModelObjectNameChange": ("dataset", "query-view"),
    "fileUploadId": ("csv", "spreadsheet"),
}


def problems(body: Mapping[str, Any]) -> Iterator[_Finding]:
    """Each field of a body that v2 can't take, whatever else is wrong with it, and why."""
    yield from _left_behind(body)
    yield from _said_twice(body)
    yield from _of_tiles(body.get("queryPresentations"))
    yield from _of_filters(body)
    yield from _of_controls(body.get("controls"))
    if "containers" in body:
        yield from _of_containers(body["containers"])


def _left_behind(body: Mapping[str, Any]) -> Iterator[_Finding]:
    if body.get("metadata"):
        yield (
            "metadata",
            "v2 takes no layout metadata; leave it out (v2 lays the tiles out), give containers, or use --api v1",
        )
    elif "metadataVersion" in body:
        yield "metadataVersion", "v2 takes no layout metadata; leave it out, or use --api v1"
    if "branchId" in body:
        yield "branchId", "v2 can't create on a branch; leave it out, or use --api v1"


def _said_twice(body: Mapping[str, Any]) -> Iterator[_Finding]:
    for old in ("filterConfig", "filterOrder"):
        if old in body and "controls" in body:
            yield old, "controls says this too; keep one of the two"
    if "facetFilters" in body and "facetFilters" in _object(body.get("settings")):
        yield "facetFilters", "settings says this too; keep one of the two"


def _of_tiles(tiles: Any) -> Iterator[_Finding]:
    field = "queryPresentations"
    data = _object(_object(tiles).get("data"))
    listed = list(enumerate(tiles)) if isinstance(tiles, list) else []
    places = [(f"{field}[{number}]", _object(tile)) for number, tile in listed]
    places += [(f"{field}.data.{key[:_SHOWN]}", _object(tile)) for key, tile in data.items() if tile is not None]
    if len(places) > MOST_TILES:
        yield field, f"{len(places)} tiles; v2 takes at most {MOST_TILES} in one document: split it, or use --api v1"
    for key in _strange(_object(tiles).get("order"), data):
        yield f"{field}.order", f"{_quoted(key)} isn't a key of data"
    for place, tile in places:
        yield from _of_nested_filters(f"{place}.query.filters", _object(_object(tile.get("query")).get("filters")))
        if isinstance(tiles, dict):
            yield from _of_kind(place, tile)


def _of_kind(place: str, tile: Mapping[str, Any]) -> Iterator[_Finding]:
    """What a tile of v2's own shape may have, by its type."""
    kind = tile.get("type")
    for name, kinds in _ONLY_OF.items():
        if name in tile and kind not in kinds:
            yield f"{place}.{name}", f"a tile of type {_quoted(str(kind))} has none; leave it out"
    if kind == "linked" and "sourceQueryPresentationKey" not in tile:
        yield f"{place}.sourceQueryPresentationKey", "missing; a linked tile names the key of its source"


def _of_nested_filters(place: str, filters: Mapping[str, Any]) -> Iterator[_Finding]:
    """Filters inside composite ones, however deep; the table knows the outer ones."""
    left = [(f"{place}.{name[:_SHOWN]}", outer) for name, outer in filters.items()]
    while left:
        outer_place, outer = left.pop(0)
        inner = _object(outer).get("filters")
        for number, one in enumerate(inner if isinstance(inner, list) else _object(inner).values()):
            inner_place = f"{outer_place}.filters[{number}]"
            if isinstance(one, dict):
                left.append((inner_place, one))
            else:
                yield inner_place, _NO_TEXT


def _of_filters(body: Mapping[str, Any]) -> Iterator[_Finding]:
    configs, order = _object(body.get("filterConfig")), body.get("filterOrder")
    for name, config in configs.items():
        yield from _unbound(f"filterConfig.{name[:_SHOWN]}", _object(config))
    for name in _strange(order, configs) if "controls" not in body else ():
        yield "filterOrder", f"{_quoted(name)} isn't a filter of filterConfig"


def _of_controls(controls: Any) -> Iterator[_Finding]:
    if isinstance(controls, list):
        for number, control in enumerate(controls):
            yield from _unbound(f"controls[{number}]", _object(control))
        ids = [control.get("id") for control in controls if isinstance(control, dict)]
        if len({str(one) for one in ids}) < len(ids):
            yield "controls", "two controls have one id"
        return
    data = _object(_object(controls).get("data"))
    for name, control in data.items():
        place = f"controls.data.{name[:_SHOWN]}.config"
        config = _object(_object(control).get("config"))
        yield from _unbound(place, config)
        if "hidden" in config:
            yield (
                f"controls.data.{name}.config.hidden",
                "v2 has no such setting; a control that no container names is hidden",
            )
    for name in _strange(_object(controls).get("order"), data):
        yield "controls.order", f"{_quoted(name)} isn't a key of data"


def _unbound(place: str, config: Mapping[str, Any]) -> Iterator[_Finding]:
    if config.get("type") in FILTERS and not config.get("fieldName"):
        yield f"{place}.fieldName", "missing; without it v2 silently binds the filter to nothing"


def _of_containers(containers: Any) -> Iterator[_Finding]:
    if not containers:
        yield "containers", "is empty; leave it out, and v2 lays the tiles out"
    nodes = list(_nodes("containers", containers))
    pages = sum(node.get("containerType") == "page" for _, node in nodes)
    if pages > MOST_PAGES:
        yield "containers", f"{pages} pages; v2 takes at most {MOST_PAGES}"
    seen: set[Any] = set()
    for place, node in nodes:
        key = node.get("instanceKey")
        if isinstance(key, str) and key in seen:
            yield f"{place}.instanceKey", f"{_quoted(key)} is another container's too; each needs its own"
        seen.add(key if isinstance(key, str) else None)
        x, width = (_object(node.get("gridPosition")).get(name) for name in ("x", "w"))
        if isinstance(x, int | float) and isinstance(width, int | float) and x + width > _COLUMNS:
            yield f"{place}.gridPosition", f"x + w is {x + width}; the grid has {_COLUMNS} columns"


def _nodes(place: str, node: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every container and child, however deep, with its place."""
    left = [(place, node)]
    while left:
        place, node = left.pop(0)
        if isinstance(node, list):
            left += [(f"{place}[{number}]", one) for number, one in enumerate(node)]
        elif isinstance(node, dict):
            yield place, node
            left += [(f"{place}.{name}", node[name]) for name in ("children", "container") if name in node]


def _quoted(name: str) -> str:
    return f'"{name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"}"'


def _strange(order: Any, known: Mapping[str, Any]) -> Iterator[str]:
    """The names in an order that aren't known."""
    return (name for name in (order if isinstance(order, list) else ()) if isinstance(name, str) and name not in known)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
