"""The paths, each with what it takes and what it may answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..rules import queries
from ..rules.schema import STRING, reference
from . import paths

_MEANINGS = {
    400: ("Invalid request, malformed Authorization header, or taken identifier", ("Error", "DoorError")),
    401: ("No Authorization header", ("DoorError",)),
    403: ("Invalid bearer token, or not allowed", ("DoorError", "Error")),
    404: ("No such document, model, branch, folder or label", ("Error",)),
    409: ("It exists already", ("Error",)),
    410: ("This endpoint has been removed", ("Gone",)),
    413: ("Body too large", ("Error",)),
    415: ("Not application/json", ("Error",)),
    422: ("It exists, in a form that this version does not show", ("Error",)),
    429: ("Too many requests", ("WallError",)),
    500: ("A filter that is a string", ("Error",)),
}
_BODY = (413, 415)  # of whatever takes a body


def paths_of(*, no_v1: bool, no_v2: bool) -> dict[str, Any]:
    """Path and method to operation."""
    v1 = {} if no_v1 else {"post": _operation("createDocument", 201, "Created", 404, *_BODY, body="CreateDocument")}
    v1_read = {} if no_v1 else {"get": _operation("getDocument", 200, "Document", 404)}
    described: dict[str, dict[str, Any]] = {
        paths.DOCUMENTS: v1 | {"get": _operation("listDocuments", 200, "Documents", query=queries.DOCUMENTS)},
        paths.DOCUMENT: v1_read
        | {
            "delete": _operation("deleteDocument", 200, "Done", 404),
            "put": _operation("putDocument", 410, "Gone", deprecated=True),
            "patch": _operation("patchDocument", 410, "Gone", deprecated=True),
        },
        **_placing(),
        **_places(),
        paths.WHOAMI: {"get": _operation("whoami", 200, "Whoami", 404)},
        paths.MODELS: {"get": _operation("listModels", 200, "Models", query=queries.MODELS)},
        **({} if no_v2 else _v2()),
        paths.OPENAPI: {"get": {"operationId": "description", "security": [], "responses": {"200": _JUST_JSON}}},
    }
    return {path: _with_names(path, methods) for path, methods in described.items()}


_JUST_JSON = {"description": "This", "content": {"application/json": {"schema": {"type": "object"}}}}


def _v2() -> dict[str, Any]:
    create = _operation("createDocumentV2", 201, "CreatedV2", 404, 500, *_BODY, body="CreateDocumentV2")
    return {
        paths.DOCUMENTS_V2: {"post": create},
        paths.DOCUMENT_V2: {"get": _operation("getDocumentV2", 200, "DocumentV2", 404, 422, query=queries.PRETTY)},
    }


def _placing() -> dict[str, Any]:
    change = _operation("changeLabels", 200, "DocumentLabels", 404, *_BODY, body="ChangeLabels", query=queries.AS_USER)
    return {
        paths.MOVE: {"put": _operation("moveDocument", 200, "Done", 404, *_BODY, body="MoveDocument")},
        paths.DOCUMENT_LABELS: {"patch": change},
        paths.DOCUMENT_LABEL: {
            "put": _operation("addLabel", 204, None, 404, query=queries.AS_USER),
            "delete": _operation("removeLabel", 204, None, 404, query=queries.AS_USER),
        },
    }


def _places() -> dict[str, Any]:
    create_label = _operation("createLabel", 201, "Label", 409, *_BODY, body="CreateLabel", query=queries.AS_USER)
    return {
        paths.FOLDERS: {
            "get": _operation("listFolders", 200, "Folders", 404, query=queries.FOLDERS),
            "post": _operation("createFolder", 201, "FolderCreated", 404, *_BODY, body="CreateFolder"),
        },
        paths.LABELS: {"get": _operation("listLabels", 200, "Labels"), "post": create_label},
        paths.LABEL: {"get": _operation("getLabel", 200, "Label", 404)},
    }


def _operation(
    name: str,
    good: int,
    schema: str | None,
    *further: int,
    body: str | None = None,
    query: queries.Parameters = queries.NONE,
    deprecated: bool = False,
) -> dict[str, Any]:
    operation: dict[str, Any] = {"operationId": name, "responses": _responses(good, schema, *further)}
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": reference(body)}}}
    if query:
        operation["parameters"] = [
            {"name": name, "in": "query", "schema": dict(schema)} for name, schema in query.items()
        ]
    if deprecated:
        operation["deprecated"] = True
    return operation


def _responses(good: int, schema: str | None, *further: int) -> dict[str, Any]:
    """The good answer, and the errors that every route may give beside its own."""
    shown = {"content": {"application/json": {"schema": reference(schema)}}} if schema else {}
    responses: dict[str, Any] = {str(good): {"description": "Done", **shown}}
    for status in sorted({400, 401, 403, 429, *further}):
        meaning, shapes = _MEANINGS[status]
        schemas = [reference(shape) for shape in shapes]
        content = {"application/json": {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}}
        responses[str(status)] = {"description": meaning, "content": content}
    return responses


def _with_names(path: str, methods: Mapping[str, Any]) -> dict[str, Any]:
    names = [name for name in ("identifier", "label") if f"{{{name}}}" in path]
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {**STRING, "minLength": 1}} for name in names
    ]
    return {**({"parameters": parameters} if parameters else {}), **methods}
