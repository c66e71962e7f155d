"""A spec and a document as read back, in one shape, so that `compare.py` can tell where they differ.

The version that the document was read through decides (contract 13). Of a spec only what it says is compared, not what its
body has besides: v2 made that up, or the server may have made it otherwise when v1 created the document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from ..models import ApiVersion
from . import compare
from .compare import TILES, Difference
from .v2_body import body_of
from .verdicts import Document

Pair = tuple[Mapping[str, Any], Mapping[str, Any]]
_SEED = "1"  # the record key of the tile that every document of v2's begins with


def pair_of(sent: bytes, document: Document) -> Pair:
    """What was sent (a spec as JSON) and what is readable, alike in shape."""
    spec, echoed = orjson.loads(sent), dict(document.fields)
    if document.version is ApiVersion.V2:
        spec, echoed = _sent_of(spec), echoed | {TILES: _echoed_tiles(echoed.get(TILES))}
    else:
        spec = _as_v1(spec)
    tiles, echoes = spec.get(TILES) or [], echoed.get(TILES)
    if isinstance(echoes, list) and isinstance(tiles, list) and len(echoes) > len(tiles):
        echoed[TILES] = [echo for echo in echoes if not _is_blank(echo)]  # a seed that nobody made use of
    return spec, echoed


def differences(sent: bytes, document: Document) -> Iterator[Difference]:
    """Each part of what was sent that reads differently, or doesn't come back."""
    return compare.differences(*pair_of(sent, document))


def is_match(sent: bytes, document: Document) -> bool:
    """Whether everything readable equals what was sent (contract 7). A document without a name proves nothing."""
    return compare.is_match(*pair_of(sent, document))


def _sent_of(spec: Mapping[str, Any]) -> dict[str, Any]:
    body = body_of(spec, is_bare=True)
    body.pop("summary", None)  # a note for the audit trail, never read back
    if "filterOrder" not in spec and not isinstance(spec.get("controls"), dict):
        body.get("controls", {}).pop("order", None)
    if TILES in body:
        body[TILES] = [tile for tile in _in_order(body[TILES]) if tile is not None]
    return body


def _as_v1(spec: dict[str, Any]) -> dict[str, Any]:
    """v2's own shapes as v1 reads them; what v1 has no place for stays, and doesn't come back."""
    tiles, controls = spec.get(TILES), spec.get("controls")
    if isinstance(tiles, dict):
        spec = spec | {TILES: [_tile_as_v1(tile) for tile in _in_order(tiles) if tile is not None]}
    if isinstance(controls, dict):
        configs = {name: control["config"] for name, control in controls["data"].items() if control is not None}
        spec = spec | {"filterConfig": configs}
    return spec


def _tile_as_v1(tile: Mapping[str, Any]) -> dict[str, Any]:
    outer = dict(tile.get("visConfig") or {})
    inner, chart = outer.pop("visConfig", {}), outer.pop("chartType", None)
    return {**tile, "chartType": chart, "visConfig": outer | inner or None}


def _echoed_tiles(tiles: Any) -> Any:
    if not isinstance(tiles, dict) or not isinstance(tiles.get("data"), dict):
        return tiles
    return [_with_config(tile) for tile in _in_order(tiles) if tile is not None]


def _in_order(tiles: Mapping[str, Any]) -> Iterator[Any]:
    """Those that the order names, then the others. The seed is automatic whatever is sent."""
    data, order = tiles["data"], tiles.get("order")
    named = [key for key in (order if isinstance(order, list) else ()) if isinstance(key, str) and key in data]
    for key in dict.fromkeys((*named, *data)):
        tile = data[key]
        if key == _SEED and isinstance(tile, dict):
            tile = {name: value for name, value in tile.items() if name != "automaticVis"}
        yield tile


def _with_config(tile: Any) -> Any:
    """Older instances read the inner `visConfig` back flat: what is next to its type is its `config`."""
    match tile:
        case {"visConfig": {"visConfig": {"visType": kind, **rest}}} if rest and "config" not in rest:
            return {**tile, "visConfig": tile["visConfig"] | {"visConfig": {"visType": kind, "config": rest}}}
        case _:
            return tile


def _is_blank(tile: Any) -> bool:
    return isinstance(tile, dict) and tile.get("query") is None
