"""What folders, labels, and a document's move and labels take (API.md 11 and 12)."""

from __future__ import annotations

from collections.abc import Mapping

from .queries import SCOPE
from .schema import BOOLEAN, STRING, STRINGS, UUID, Checker, Schema, Words, nullable

FOLDER: Schema = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "parentFolderId": UUID,
        "scope": SCOPE,
        "userId": UUID,
        "breadcrumbRoot": STRING,
    },
    "additionalProperties": False,
}
LABEL: Schema = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 2, "maxLength": 25},
        "color": nullable({"type": "string", "maxLength": 9}),
        "description": nullable({"type": "string", "maxLength": 500}),
        "homepage": BOOLEAN,
        "verified": BOOLEAN,
    },
    "additionalProperties": False,
}
MOVE: Schema = {
    "type": "object",
    "required": ["folderPath"],
    "properties": {"folderPath": nullable(STRING), "scope": SCOPE},
    "additionalProperties": False,
}
CHANGE_LABELS: Schema = {
    "type": "object",
    "properties": {"add": STRINGS, "remove": STRINGS},
    "anyOf": [
        {"required": [field], "properties": {field: {"type": "array", "minItems": 1}}} for field in ("add", "remove")
    ],
    "additionalProperties": False,
}
SCHEMAS: Mapping[str, Schema] = {
    "CreateFolder": FOLDER,
    "CreateLabel": LABEL,
    "MoveDocument": MOVE,
    "ChangeLabels": CHANGE_LABELS,
}


def problems(body: object, schema: Schema) -> list[str]:
    """Everything that is wrong with one of these bodies; empty if it is right."""
    return list(Checker(Words(), SCHEMAS).problems(body, schema))


def label_problems(body: object) -> list[str]:
    """The same for a change of a document's labels: at least one name, and none in both lists."""
    found = problems(body, CHANGE_LABELS)
    if found or not isinstance(body, dict):
        return found
    add, remove = ({name.casefold() for name in body.get(field, [])} for field in ("add", "remove"))
    if not add and not remove:
        return ["At least one label is required in add or remove"]
    return [f'"{name}" is in both add and remove' for name in sorted(add & remove)]
