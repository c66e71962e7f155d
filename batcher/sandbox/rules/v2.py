"""What v2 create takes (API.md 8): its schema, and what goes beyond a schema."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, cast

from . import v2_tiles
from .schema import BOOLEAN, OBJECT, STRING, STRINGS, UUID, Checker, Schema, Words, nullable, reference
from .v2_tiles import FILTER_TYPES, RECORD_KEY

MOST_TILES = 48
MOST_PAGES = 15
COLUMNS = 24
_CONTROL_TYPES = [
    "FIELD_SELECTION",
    "MULTI_FIELD_SELECTION",
    "FIELD_PICKER",
    "TOP_N",
    "PERIOD_OVER_PERIOD",
    "MULTI_FIELD_FILTER",
    "DYNAMIC_FILTER",
]


def _without(*names: str) -> Schema:
    return {"not": {"anyOf": [{"required": [name]} for name in names]}}


TILES: Schema = {
    "type": "object",
    "properties": {
        "data": {
            "type": "object",
            "propertyNames": {"pattern": RECORD_KEY},
            "additionalProperties": reference("TileV2"),
        },
        "order": STRINGS,
    },
    "additionalProperties": False,
}
CONTROL: Schema = {
    "type": ["object", "null"],
    "required": ["config"],
    "properties": {
        "config": {
            "type": "object",
            "properties": {"type": {"type": "string", "enum": FILTER_TYPES + _CONTROL_TYPES}, "fieldName": STRING},
        },
        "map": {"type": "object", "additionalProperties": {"type": ["string", "boolean"]}},
    },
    "additionalProperties": False,
}
SETTINGS: Schema = {
    "type": "object",
    "properties": {
        "crossfilterEnabled": BOOLEAN,
        "facetFilters": BOOLEAN,
        "refreshInterval": {"type": ["number", "null"]},
        "runQueriesOn": {"type": ["string", "null"], "enum": ["current-page", "all-pages", None]},
        "customText": nullable({"type": "object", "properties": {"queryError": STRING, "queryNoResults": STRING}}),
    },
}
DOCUMENT: Schema = {
    "type": "object",
    "required": ["modelId", "name"],
    "properties": {
        "modelId": UUID,
        "name": {"type": "string", "minLength": 1, "maxLength": 254},
        "identifier": {
            "type": "string",
            "minLength": 2,
            "maxLength": 48,
            "pattern": "^[a-z0-9_-]+$",
            "description": "identifier may only contain lowercase letters, numbers, hyphens and underscores",
        },
        "description": nullable(STRING),
        "folderId": nullable(UUID),
        "summary": {"type": "string", "minLength": 1, "maxLength": 255},
        "queryPresentations": TILES,
        "controls": {
            "type": "object",
            "properties": {
                "data": {"type": "object", "additionalProperties": reference("ControlV2")},
                "order": STRINGS,
            },
            "additionalProperties": False,
        },
        "settings": SETTINGS,
        "containers": {"type": ["array", "null"], "minItems": 1, "items": reference("ContainerV2")},
        "app": {"type": "object", "required": ["html"], "properties": {"html": STRING}},
    },
    "dependentSchemas": {"app": _without("containers", "controls", "settings")},
    "if": {"required": ["containers"], "properties": {"containers": {"type": "null"}}},
    "then": _without("controls", "settings"),
    "additionalProperties": False,
}
SCHEMAS: Mapping[str, Schema] = {
    "CreateDocumentV2": DOCUMENT,
    "ControlV2": CONTROL,
    "ContainerV2": OBJECT,
    **v2_tiles.SCHEMAS,
}


class NewWords(Words):
    """The dialect of the newer endpoints."""

    def wrong_type(self, at: str, expected: str, received: str) -> str:
        """A value of another type."""
        return f"{at}Invalid input: expected {expected}, received {received}"

    def missing(self, path: str, expected: str) -> str:
        """A required key that isn't there."""
        return f"{path}: Invalid input: expected {expected}, received undefined"

    def unknown(self, at: str, _prefix: str, name: str) -> str:
        """A key that the object may not have."""
        return f'{at}Unrecognized key: "{name}"'

    def bad_key(self, at: str, _name: str) -> str:
        """A record key that isn't a positive integer."""
        return f"{at}Invalid key in record"

    def too_short(self, at: str, name: str, least: int) -> str:
        """A text under its least length (characters)."""
        said = f"{name} cannot be empty" if least == 1 else f"{name} must be at least {least} characters"
        return said if at == f"{name}: " else at + said

    def too_long(self, at: str, name: str, most: int) -> str:
        """A text over its greatest length (characters)."""
        said = f"{name} must be {most} characters or fewer"
        return said if at == f"{name}: " else at + said

    def not_a_uuid(self, at: str) -> str:
        """A text that isn't a UUID."""
        return f"{at}Invalid UUID"

    def not_an_option(self, at: str, options: list[str], _received: str) -> str:
        """A text that isn't one of an enum."""
        quoted = "|".join(f'"{option}"' for option in options)
        return f"{at}Invalid option: expected one of {quoted}"


def problems(body: object, *, unknown_fields: bool = False) -> list[str]:
    """Everything that is wrong with a create's body; empty if it is right. String filters are no problem of it."""
    found = list(Checker(NewWords(), SCHEMAS, unknown_fields).problems(body, DOCUMENT))
    if found:
        return found
    spec = cast("dict[str, Any]", body)
    return [*_tile_problems(spec), *_control_problems(spec), *_layout_problems(spec)]


def string_filter(spec: Mapping[str, Any]) -> str | None:
    """The first filter of a tile's query that is a string: the server stumbles over it, after all validation."""
    tiles = spec.get("queryPresentations", {}).get("data", {}).values()
    queries = ((tile or {}).get("query") or {} for tile in tiles)
    filters = (value for query in queries for value in query.get("filters", {}).values())
    return next((value for value in filters if isinstance(value, str)), None)


def _tile_problems(spec: dict[str, Any]) -> Iterator[str]:
    sent = spec.get("queryPresentations", {})
    tiles = {key: tile for key, tile in sent.get("data", {}).items() if tile is not None}
    if len(tiles) > MOST_TILES:
        yield f"A single patch may carry at most {MOST_TILES} query presentations."
    for key, tile in tiles.items():
        yield from v2_tiles.type_problems(tile, f"queryPresentations.data.{key}")
    unknown = [key for key in sent.get("order", []) if key not in tiles]
    if unknown:
        yield f"order references unknown query presentation IDs: {', '.join(unknown)}"


def _control_problems(spec: dict[str, Any]) -> Iterator[str]:
    sent = spec.get("controls", {})
    controls = {key: control for key, control in sent.get("data", {}).items() if control is not None}
    for key, control in controls.items():
        if "hidden" in control["config"]:
            yield f'controls.data["{key}"].config carries hidden, which is not supported'
    unknown = [key for key in sent.get("order", []) if key not in controls]
    if unknown:
        yield f"order references unknown control IDs: {', '.join(unknown)}"


def _layout_problems(spec: dict[str, Any]) -> Iterator[str]:
    if "app" in spec:
        yield from (
            f"{name} cannot be combined with app" for name in ("containers", "controls", "settings") if name in spec
        )
    if "containers" not in spec:
        return
    containers = spec["containers"]
    if containers is None:
        yield from (
            f"{name} needs a dashboard, but containers is null" for name in ("controls", "settings") if name in spec
        )
        return
    if sum(container.get("containerType") == "page" for container in containers) > MOST_PAGES:
        yield f"containers: at most {MOST_PAGES} pages"
    nodes = list(nodes_of(containers))
    keys = Counter(str(node["instanceKey"]) for node in nodes if "instanceKey" in node)
    yield from (f"containers: instanceKey {key} is not unique" for key, times in keys.items() if times > 1)
    for node in nodes:
        place = node.get("gridPosition")
        if isinstance(place, dict) and _number(place.get("x")) + _number(place.get("w")) > COLUMNS:
            yield f"containers: {node.get('instanceKey')}: x + w must be at most {COLUMNS}"


def nodes_of(nodes: object) -> Iterator[dict[str, Any]]:
    """Every object of a tree of containers, outer ones first."""
    waiting = [nodes]
    while waiting:
        match waiting.pop():
            case dict() as node:
                yield cast("dict[str, Any]", node)
                waiting += [node.get("container"), node.get("children")]
            case list() as several:
                waiting += reversed(several)
            case _:
                pass


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else 0.0
