"""Which parameters each list takes, and what is wrong with a query."""

from __future__ import annotations

from collections.abc import Mapping

from .schema import STRING, UUID, Schema, Words, text_problem

Parameters = Mapping[str, Schema]

PAGE_SIZE: Schema = {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
CURSOR: Schema = {"type": "string", "pattern": "^[0-9]{1,18}$", "description": "Invalid cursor"}
DIRECTION: Schema = {"type": "string", "enum": ["asc", "desc"]}
SCOPE: Schema = {"type": "string", "enum": ["organization", "restricted"]}

DOCUMENTS: Parameters = {
    "pageSize": PAGE_SIZE,
    "cursor": CURSOR,
    "sortField": {"type": "string", "enum": ["name", "favorites", "updatedAt", "visits"], "default": "updatedAt"},
    "sortDirection": DIRECTION,
    "folderId": UUID,
    "creatorId": UUID,
    "labels": STRING,
    "include": {"type": "string", "pattern": "^(_count|labels)(,(_count|labels))*$"},
}
MODELS: Parameters = {
    "pageSize": PAGE_SIZE,
    "cursor": STRING,
    "modelId": UUID,
    "modelKind": {"type": "string", "enum": ["SCHEMA", "SHARED", "SHARED_EXTENSION", "WORKBOOK", "BRANCH"]},
}
FOLDERS: Parameters = {
    "pageSize": PAGE_SIZE,
    "cursor": CURSOR,
    "path": STRING,
    "scope": SCOPE,
    "ownerId": UUID,
    "labels": STRING,
    "include": {
        "type": "string",
        "pattern": "^(_count|labels|onlySharedWithMe)(,(_count|labels|onlySharedWithMe))*$",
    },
    "sortField": {"type": "string", "enum": ["name", "path", "favorites", "createdAt", "updatedAt"], "default": "name"},
    "sortDirection": DIRECTION,
    "userId": UUID,
}
AS_USER: Parameters = {"userId": UUID}
PRETTY: Parameters = {"pretty": STRING}
NONE: Parameters = {}


def problem(query: Mapping[str, str], parameters: Parameters) -> str | None:
    """What is wrong with a query's first wrong parameter."""
    for name, value in query.items():
        if name not in parameters:
            return f"Unrecognized key(s) in object: '{name}'"
        if (message := _parameter_problem(name, value, parameters[name])) is not None:
            return message
    return None


def _parameter_problem(name: str, text: str, schema: Schema) -> str | None:
    if schema["type"] == "integer":
        least, most = schema["minimum"], schema["maximum"]
        if not (text.isascii() and text.isdecimal() and int(text[:10]) >= least):
            return f"{name}: Expected a number from {least} to {most}, received {text}"
        return "Page size cannot exceed 100" if int(text[:10]) > most else None
    return text_problem(Words(), name, text, schema)
