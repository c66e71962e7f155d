"""What a reader of a document sees, whichever version made it: filters, pages of tiles, and what is not shown and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from ..answers.state import state_of, tiles_in_order
from ..rules.v2 import nodes_of
from ..store import Document

_WIDEST = 24
_HALF = 12


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile: a query's, or a text's. `width` is in columns of 24; `chart` is the API's word for its chart."""

    name: str
    width: int = _HALF
    sub_title: str | None = None
    description: str | None = None
    chart: str | None = None
    topic: str | None = None
    query: Mapping[str, Any] | None = None
    text: str | None = None
    is_missing: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter that the reader can set, and what it is set to."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page of a dashboard."""

    name: str
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True)
class View:
    """All of it. `notes` tell what is stored but not shown."""

    filters: tuple[Filter, ...]
    sheets: tuple[Sheet, ...]
    notes: tuple[str, ...] = ()


def view_of(document: Document) -> View:
    """The view of a document."""
    return _view_of_v2(document) if document.api == "v2" else _view_of_v1(orjson.loads(document.body))


def words_of(value: object) -> str:
    """A filter, or any JSON, in short: `EQUALS complete, shipped`."""
    if isinstance(value, Mapping) and "kind" in value:
        values = value.get("values", value.get("left_side", ""))
        return f"{value['kind']} {', '.join(map(str, values)) if isinstance(values, list) else values}".strip()
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _view_of_v1(spec: Mapping[str, Any]) -> View:
    """Every tile in its order, two in a row: the classic layout."""
    shown = []
    for tile in spec.get("queryPresentations", []):
        vis = tile.get("visConfig", {})
        shown.append(_tile(tile, tile.get("chartType", vis.get("visType"))))
    config = spec.get("filterConfig")
    filters = config if isinstance(config, dict) else {}
    order = dict.fromkeys([key for key in spec.get("filterOrder", []) if key in filters] + list(filters))
    notes = ["It brings its own layout (metadata), which this page doesn't follow."] if "metadata" in spec else []
    return View(tuple(_filter(key, filters[key]) for key in order), (Sheet("", tuple(shown)),), tuple(notes))


def _view_of_v2(document: Document) -> View:
    state = state_of(document)
    tiles = dict(tiles_in_order(state))
    if "containers" not in state:
        tabs = tuple(_tile_of_v2(tile) for tile in tiles.values())
        return View((), (Sheet("Workbook", tabs),), ("It is a workbook without a dashboard: these are its tabs.",))
    nodes = list(nodes_of(state["containers"]))
    placed = [str(node["id"]) for node in nodes if node.get("type") in {"filter", "control"} and "id" in node]
    controls = state["controls"]["data"]
    sheets = tuple(_sheets(state["containers"], tiles))
    hidden = [_filter(key, controls[key]["config"]).name for key in controls if key not in placed]
    unplaced = [
        tile["name"] or key for key, tile in tiles.items() if key not in _tile_keys(nodes) and tile["type"] != "blank"
    ]
    notes = []
    if hidden:
        notes.append(f"These filters apply, but no container shows them: {', '.join(hidden)}.")
    if unplaced:
        notes.append(f"These tiles are stored, but no container shows them: {', '.join(unplaced)}.")
    return View(tuple(_filter(key, controls[key]["config"]) for key in placed if key in controls), sheets, tuple(notes))


def _sheets(containers: list[Any], tiles: Mapping[str, Mapping[str, Any]]) -> Iterator[Sheet]:
    for page in containers:
        if page.get("containerType") == "page":
            yield Sheet(str(page.get("name", "")), tuple(_placed(page, tiles)))


def _placed(page: Mapping[str, Any], tiles: Mapping[str, Mapping[str, Any]]) -> Iterator[Tile]:
    """The tiles of a page in the order in which they stand there."""
    for node in nodes_of(page.get("container")):
        if node.get("style") != "tile" and "gridPosition" not in node:
            continue
        inner = list(nodes_of(node.get("children")))
        width = _width(node.get("gridPosition"))
        for key in dict.fromkeys(_tile_keys([node, *inner])):
            yield _tile_of_v2(tiles[key], width) if key in tiles else Tile(f"tile {key}", width, is_missing=True)
        for text in inner:
            if text.get("type") == "inline-text":
                yield Tile("", width, text=str(text.get("content", "")))


def _tile_keys(nodes: list[dict[str, Any]]) -> list[str]:
    return [str(node["id"]) for node in nodes if node.get("type") == "query" and "id" in node]


def _width(place: object) -> int:
    width = place.get("w") if isinstance(place, dict) else None
    return int(width) if isinstance(width, int | float) and 0 < width <= _WIDEST else _HALF


def _tile_of_v2(tile: Mapping[str, Any], width: int = _HALF) -> Tile:
    vis = tile["visConfig"] or {}
    chart = vis.get("chartType") or (vis.get("visConfig") or {}).get("visType")
    return _tile(tile, chart, width, is_missing=not chart and not tile["automaticVis"])


def _tile(tile: Mapping[str, Any], chart: str | None, width: int = _HALF, *, is_missing: bool = False) -> Tile:
    return Tile(
        name=tile["name"],
        width=width,
        sub_title=tile.get("subTitle"),
        description=tile.get("description"),
        chart=chart if isinstance(chart, str) else None,
        topic=tile.get("topicName"),
        query=tile.get("query"),
        is_missing=is_missing,
    )


def _filter(key: str, config: object) -> Filter:
    if not isinstance(config, dict):
        return Filter(key, words_of(config))
    name = config.get("label") or config.get("fieldName") or key
    return Filter(str(name), words_of(config))
