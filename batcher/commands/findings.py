"""What `verify` says of one document: the differences from what was sent, in words, with tiles told by their names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..omni.compare import Difference, differences
from ..read.json_text import shown

_TILES = "queryPresentations"
_TILE = re.compile(r"queryPresentations\[(\d+)\](?:\.query)?(?:\.(\w+))?")
_WORDS = {
    "name": ("renamed", "is named"),
    "modelId": ("another model", "is on model"),
    "description": ("description", "has the description"),
}
_TILE_WORDS = {"name": "tile renamed", "table": "tile table", "fields": "tile fields"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that differs. `kind` is a word or two to search for, `text` goes on after the identifier.

    `is_detail`: it was sent but does not come back, so nobody can tell.
    """

    kind: str
    text: str
    is_detail: bool = False


def findings(sent: Mapping[str, Any], echoed: Mapping[str, Any]) -> Iterator[Finding]:
    """Each difference of a document from what was sent. Tiles that somebody added are not looked at."""
    tiles, echoes = sent.get(_TILES) or [], echoed.get(_TILES)
    if isinstance(echoes, list) and len(echoes) != len(tiles):
        pairs, missing = _paired(tiles, echoes)
        for tile in missing:
            there = f"{len(tiles) - len(missing)} of {len(tiles)} tiles are there"
            yield Finding("tile missing", f"lacks the tile {shown(tile.get('name'))} ({there})")
        sent = {**sent, _TILES: [tile for tile, _ in pairs]}
        echoed = {**echoed, _TILES: [echo for _, echo in pairs]}
    for difference in differences(sent, echoed):
        yield _in_words(difference, sent)


def _paired(tiles: list[Any], echoes: list[Any]) -> tuple[list[tuple[Any, Any]], list[Any]]:
    """The tiles that have the same name on both sides, in the order sent, and the others that were sent."""
    left = list(echoes)
    pairs: list[tuple[Any, Any]] = []
    missing: list[Any] = []
    for tile in tiles:
        same = next((echo for echo in left if isinstance(echo, dict) and echo.get("name") == tile.get("name")), None)
        if same is None:
            missing.append(tile)
        else:
            left.remove(same)
            pairs.append((tile, same))
    return pairs, missing


def _in_words(difference: Difference, sent: Mapping[str, Any]) -> Finding:
    part = difference.part
    if difference.is_note:
        return Finding(part, "was sent, and does not come back", is_detail=True)
    echoed, but = _value(difference.echoed), f"but {_value(difference.sent)} was sent"
    if tile := _TILE.fullmatch(part):
        number, what = int(tile[1]), tile[2] or "name"
        kind = _TILE_WORDS.get(what, f"tile {what}")
        name = shown(sent[_TILES][number].get("name"))
        if what == "name":
            return Finding(kind, f"has a tile {echoed}, {but}")
        verb = "queries" if ".query." in part else "has"
        return Finding(kind, f"{verb} {what} {echoed} in the tile {name}, {but}")
    kind, verb = _WORDS.get(part, (part, f"has {part}"))
    return Finding(kind, f"{verb} {echoed}, {but}")


def _value(value: Any) -> str:
    return "none" if value is None else shown(value)
