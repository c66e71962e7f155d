"""The server's own rules for a create's body and for queries, in the words that Omni's validation uses.

The rules are JSON schemas: `openapi.json` shows them as they are, and `problems` checks by them. On purpose not shared
with `batcher.validate`: that one is the client's, and a rule misread there must show here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

Schema = Mapping[str, Any]

_UUID_FORM = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_CHARACTERS = "Only lowercase letters, numbers, hyphens and underscores, and no hyphen or underscore at either end"

ANYTHING: Schema = {}
BOOLEAN: Schema = {"type": "boolean"}
STRING: Schema = {"type": "string"}
STRINGS: Schema = {"type": "array", "items": STRING}
UUID: Schema = {"type": "string", "format": "uuid"}

QUERY: Schema = {
    "type": "object",
    "required": ["table", "fields"],
    "properties": {"table": STRING, "fields": STRINGS},
    "additionalProperties": True,
}
PRESENTATION: Schema = {
    "type": "object",
    "required": ["name", "query"],
    "properties": {
        "name": STRING,
        "query": {"$ref": "#/components/schemas/Query"},
        "topicName": STRING,
        "description": STRING,
        "subTitle": STRING,
        "prefersChart": BOOLEAN,
        "chartType": STRING,
        "resultConfig": ANYTHING,
        "aiConfig": ANYTHING,
        "visConfig": {"type": "object"},
    },
    "additionalProperties": False,
}
DOCUMENT: Schema = {
    "type": "object",
    "required": ["modelId", "name"],
    "properties": {
        "modelId": UUID,
        "name": {"type": "string", "minLength": 1, "maxLength": 254},
        "description": {"type": "string", "minLength": 1, "maxLength": 1024},
        "identifier": {
            "type": "string",
            "minLength": 2,
            "maxLength": 48,
            "pattern": "^[a-z0-9]([a-z0-9_-]*[a-z0-9])?$",
        },
        "queryPresentations": {"type": "array", "items": {"$ref": "#/components/schemas/QueryPresentation"}},
        "branchId": UUID,
        "facetFilters": BOOLEAN,
        "filterConfig": ANYTHING,
        "filterOrder": STRINGS,
        "metadata": ANYTHING,
        "metadataVersion": STRING,
    },
    "additionalProperties": False,
}
SCHEMAS: Mapping[str, Schema] = {"CreateDocument": DOCUMENT, "QueryPresentation": PRESENTATION, "Query": QUERY}

_PAGE_SIZE: Schema = {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
LIST_PARAMETERS: Mapping[str, Schema] = {
    "pageSize": _PAGE_SIZE,
    "cursor": STRING,
    "sortField": {"type": "string", "enum": ["name", "favorites", "updatedAt", "visits"], "default": "updatedAt"},
    "sortDirection": {"type": "string", "enum": ["asc", "desc"]},
    "folderId": UUID,
    "creatorId": UUID,
    "labels": STRING,
}
MODELS_PARAMETERS: Mapping[str, Schema] = {"pageSize": _PAGE_SIZE, "cursor": STRING, "modelId": UUID}


def problems(body: object, *, unknown_fields: bool = False) -> list[str]:
    """Everything that is wrong with a create's body, as `path: message`; empty if it is right.

    With `unknown_fields` a field that the API doesn't know is not a problem.
    """
    messages = list(_problems(body, DOCUMENT, "", unknown_fields=unknown_fields))
    if isinstance(body, dict) and "metadata" in body and "metadataVersion" not in body:
        messages.append("metadataVersion: Required when metadata is given")
    return messages


def query_problem(query: Mapping[str, str], parameters: Mapping[str, Schema]) -> str | None:
    """What is wrong with a query's first wrong parameter."""
    for name, value in query.items():
        schema = parameters.get(name)
        message = "Unrecognized parameter" if schema is None else _parameter_problem(value, schema)
        if message is not None:
            return f"{name}: {message}"
    return None


def _problems(value: object, schema: Schema, path: str, *, unknown_fields: bool) -> Iterator[str]:
    if "$ref" in schema:
        schema = SCHEMAS[schema["$ref"].rpartition("/")[2]]
    prefix = f"{path}: " if path else ""
    if "type" in schema and _type(value) != schema["type"]:
        yield f"{prefix}Expected {schema['type']}, received {_type(value)}"
    elif isinstance(value, str):
        if (message := _text_problem(value, schema)) is not None:
            yield f"{prefix}{message}"
    elif isinstance(value, list) and "items" in schema:
        for n, item in enumerate(value):
            yield from _problems(item, schema["items"], f"{path}.{n}", unknown_fields=unknown_fields)
    elif isinstance(value, dict) and "properties" in schema:
        yield from _field_problems(value, schema, f"{path}." if path else "", unknown_fields=unknown_fields)


def _field_problems(values: dict[str, Any], schema: Schema, prefix: str, *, unknown_fields: bool) -> Iterator[str]:
    known = cast("Mapping[str, Schema]", schema["properties"])
    yield from (f"{prefix}{name}: Required" for name in schema["required"] if name not in values)
    for name, value in values.items():
        if name in known:
            yield from _problems(value, known[name], prefix + name, unknown_fields=unknown_fields)
        elif not unknown_fields and not schema["additionalProperties"]:
            yield f"{prefix}{name}: Unrecognized key"


def _text_problem(text: str, schema: Schema) -> str | None:
    if len(text) < schema.get("minLength", 0):
        return f"String must contain at least {schema['minLength']} character(s)"
    if len(text) > schema.get("maxLength", math.inf):
        return f"String must contain at most {schema['maxLength']} character(s)"
    if schema.get("format") == "uuid" and not _UUID_FORM.fullmatch(text):
        return "Invalid uuid"
    if "pattern" in schema and not re.fullmatch(schema["pattern"], text):
        return _CHARACTERS
    return None


def _parameter_problem(text: str, schema: Schema) -> str | None:
    if schema["type"] == "integer":
        least, most = schema["minimum"], schema["maximum"]
        is_right = text.isdecimal() and least <= int(text) <= most
        return None if is_right else f"Expected a number from {least} to {most}, received {text}"
    if "enum" in schema and text not in schema["enum"]:
        return f"Invalid enum value. Expected {' | '.join(map(repr, schema['enum']))}, received '{text}'"
    return _text_problem(text, schema)


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
