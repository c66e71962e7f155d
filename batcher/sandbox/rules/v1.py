"""What v1 create takes (API.md 2)."""

from __future__ import annotations

from collections.abc import Mapping

from .schema import ANYTHING, BOOLEAN, OBJECT, STRING, STRINGS, UUID, Checker, Schema, Words, nullable, reference

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
        "query": reference("Query"),
        "topicName": STRING,
        "description": STRING,
        "subTitle": STRING,
        "prefersChart": BOOLEAN,
        "chartType": STRING,
        "resultConfig": ANYTHING,
        "aiConfig": ANYTHING,
        "visConfig": OBJECT,
    },
    "additionalProperties": False,
}
DOCUMENT: Schema = {
    "type": "object",
    "required": ["modelId", "name"],
    "properties": {
        "modelId": UUID,
        "name": {"type": "string", "minLength": 1, "maxLength": 254},
        "description": nullable({"type": "string", "minLength": 1, "maxLength": 1024}),
        "identifier": {
            "type": "string",
            "minLength": 2,
            "maxLength": 48,
            "pattern": "^[a-z0-9]([a-z0-9_-]*[a-z0-9])?$",
            "description": "Only lowercase letters, numbers, hyphens and underscores, "
            "and no hyphen or underscore at either end",
        },
        "queryPresentations": {"type": "array", "items": reference("QueryPresentation")},
        "branchId": UUID,
        "facetFilters": BOOLEAN,
        "filterConfig": ANYTHING,
        "filterOrder": STRINGS,
        "metadata": ANYTHING,
        "metadataVersion": STRING,
    },
    "dependentRequired": {"metadata": ["metadataVersion"]},
    "additionalProperties": False,
}
SCHEMAS: Mapping[str, Schema] = {"CreateDocument": DOCUMENT, "QueryPresentation": PRESENTATION, "Query": QUERY}


def problems(body: object, *, unknown_fields: bool = False) -> list[str]:
    """Everything that is wrong with a create's body, as `path: message`; empty if it is right.

    With `unknown_fields` a field that the API doesn't know is not a problem.
    """
    messages = list(Checker(Words(), SCHEMAS, unknown_fields).problems(body, DOCUMENT))
    if isinstance(body, dict) and "metadata" in body and "metadataVersion" not in body:
        messages.append("metadataVersion: Required when metadata is given")
    return messages
