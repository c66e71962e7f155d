"""The server's own rules for a create's body, in the words that Omni's validation uses.

On purpose not shared with `batcher.validate`: that one is the client's, and a rule misread there must show here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_IDENTIFIER = re.compile(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?")

Check = Callable[[object], list[str]]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the body: how it is checked, and how `openapi.json` describes it."""

    check: Check
    schema: Mapping[str, Any]
    required: bool = False


def problems(body: object, *, unknown_fields: bool = False) -> list[str]:
    """Everything that is wrong with a create's body, as `path: message`; empty if it is right."""
    if not isinstance(body, dict):
        return [f"Expected object, received {_type(body)}"]
    fields = cast("dict[str, Any]", body)
    found = _check_fields(fields, DOCUMENT, "", unknown_fields=unknown_fields)
    if "metadata" in fields and "metadataVersion" not in fields:
        found.append("metadataVersion: Required when metadata is given")
    for n, presentation in enumerate(fields.get("queryPresentations") or () if not found else ()):
        found += _presentation(presentation, f"queryPresentations.{n}", unknown_fields=unknown_fields)
    return found


def _presentation(value: object, path: str, *, unknown_fields: bool) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path}: Expected object, received {_type(value)}"]
    found = _check_fields(value, PRESENTATION, f"{path}.", unknown_fields=unknown_fields)
    query = value.get("query")
    if isinstance(query, dict):
        found += _check_fields(query, QUERY, f"{path}.query.", unknown_fields=True)
    return found


def _check_fields(
    values: Mapping[str, object], fields: Mapping[str, Field], prefix: str, *, unknown_fields: bool
) -> list[str]:
    found = [f"{prefix}{name}: Required" for name, field in fields.items() if field.required and name not in values]
    for name, value in values.items():
        field = fields.get(name)
        if field is not None:
            found += [f"{prefix}{name}: {message}" for message in field.check(value)]
        elif not unknown_fields:
            found.append(f"{prefix}{name}: Unrecognized key")
    return found


def _type(value: object) -> str:
    """JavaScript's word for a JSON value."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _expect(kind: str) -> Check:
    def check(value: object) -> list[str]:
        return [] if _type(value) == kind else [f"Expected {kind}, received {_type(value)}"]

    return check


def _text(least: int, most: int) -> Check:
    def check(value: object) -> list[str]:
        if not isinstance(value, str):
            return [f"Expected string, received {_type(value)}"]
        if len(value) < least:
            return [f"String must contain at least {least} character(s)"]
        return [f"String must contain at most {most} character(s)"] if len(value) > most else []

    return check


def _uuid(value: object) -> list[str]:
    if not isinstance(value, str):
        return [f"Expected string, received {_type(value)}"]
    return [] if UUID.fullmatch(value) else ["Invalid uuid"]


def _identifier(value: object) -> list[str]:
    if wrong := _text(2, 48)(value):
        return wrong
    if _IDENTIFIER.fullmatch(str(value)):
        return []
    return ["Only lowercase letters, numbers, hyphens and underscores, and no hyphen or underscore at either end"]


def _strings(value: object) -> list[str]:
    if not isinstance(value, list):
        return [f"Expected array, received {_type(value)}"]
    return [f"Expected string, received {_type(entry)}" for entry in value if not isinstance(entry, str)][:1]


def _anything(_value: object) -> list[str]:
    return []


_STRING = {"type": "string"}
_STRINGS = {"type": "array", "items": _STRING}
_ANY: dict[str, Any] = {}

QUERY: Mapping[str, Field] = {
    "table": Field(_expect("string"), _STRING, required=True),
    "fields": Field(_strings, _STRINGS, required=True),
}
PRESENTATION: Mapping[str, Field] = {
    "name": Field(_expect("string"), _STRING, required=True),
    "query": Field(_expect("object"), {"$ref": "#/components/schemas/Query"}, required=True),
    "topicName": Field(_expect("string"), _STRING),
    "description": Field(_expect("string"), _STRING),
    "subTitle": Field(_expect("string"), _STRING),
    "prefersChart": Field(_expect("boolean"), {"type": "boolean"}),
    "chartType": Field(_expect("string"), _STRING),
    "resultConfig": Field(_anything, _ANY),
    "aiConfig": Field(_anything, _ANY),
    "visConfig": Field(_expect("object"), {"type": "object"}),
}
DOCUMENT: Mapping[str, Field] = {
    "modelId": Field(_uuid, {"type": "string", "format": "uuid"}, required=True),
    "name": Field(_text(1, 254), {"type": "string", "minLength": 1, "maxLength": 254}, required=True),
    "description": Field(_text(1, 1024), {"type": "string", "minLength": 1, "maxLength": 1024}),
    "identifier": Field(
        _identifier,
        {"type": "string", "minLength": 2, "maxLength": 48, "pattern": "^[a-z0-9]([a-z0-9_-]*[a-z0-9])?$"},
    ),
    "queryPresentations": Field(
        _expect("array"), {"type": "array", "items": {"$ref": "#/components/schemas/QueryPresentation"}}
    ),
    "branchId": Field(_uuid, {"type": "string", "format": "uuid"}),
    "facetFilters": Field(_expect("boolean"), {"type": "boolean"}),
    "filterConfig": Field(_anything, _ANY),
    "filterOrder": Field(_strings, _STRINGS),
    "metadata": Field(_anything, _ANY),
    "metadataVersion": Field(_expect("string"), _STRING),
}
