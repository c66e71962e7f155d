"""`openapi.json`: exactly what the sandbox serves, made from the same tables that it serves by."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from .rules import LIST_PARAMETERS, MODELS_PARAMETERS, SCHEMAS, STRING, STRINGS, UUID

OPENAPI = "/openapi.json"
DOCUMENTS = "/api/v1/documents"
DOCUMENT_PATH = "/api/v1/documents/{identifier}"
WHOAMI = "/api/v1/whoami"
MODELS = "/api/v1/models"


@cache
def description() -> dict[str, Any]:
    """The OpenAPI 3.1 description. Built once; not to be changed."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Omni documents API (batcher's sandbox)",
            "version": "1",
            "description": "A local stand-in for the parts of Omni's API that batcher uses.",
        },
        "security": [{"bearer": []}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                **SCHEMAS,
                "Created": _CREATED,
                "Document": _READ,
                "Page": _PAGE,
                "Error": {"type": "object", "properties": {"detail": STRING, "status": {"type": "integer"}}},
                "DoorError": _DOOR_ERROR,
            },
        },
    }


_HANDLE = {
    "type": "object",
    "required": ["id", "documentId"],
    "properties": {"id": UUID, "documentId": UUID, "identifier": STRING},
}
_CREATED = {
    "type": "object",
    "required": ["dashboard", "workbook"],
    "properties": {
        "dashboard": {
            "type": "object",
            "required": ["id", "dashboardId"],
            "properties": {"id": UUID, "dashboardId": UUID},
        },
        "workbook": _HANDLE,
    },
}
_READ = {
    "type": "object",
    "properties": {
        "name": STRING,
        "description": {"type": ["string", "null"]},
        "modelId": UUID,
        "queryPresentations": {"type": "array"},
        "filterConfig": {},
        "filterOrder": STRINGS,
        "facetFilters": {"type": "boolean"},
        "refreshInterval": {"type": ["integer", "null"]},
    },
}
_PAGE = {
    "type": "object",
    "required": ["records", "pageInfo"],
    "properties": {
        "records": {"type": "array", "items": {"type": "object"}},
        "pageInfo": {
            "type": "object",
            "properties": {
                "hasNextPage": {"type": "boolean"},
                "nextCursor": {"type": ["string", "null"]},
                "pageSize": {"type": "integer"},
                "totalRecords": {"type": "integer"},
            },
        },
    },
}
_DOOR_ERROR = {
    "type": "object",
    "properties": {"error": {"type": "object", "properties": {"code": {"type": "integer"}, "message": STRING}}},
}
_MEANINGS = {
    400: ("Invalid request, malformed Authorization header, or taken identifier", "Error"),
    401: ("No Authorization header", "DoorError"),
    403: ("Invalid bearer token", "DoorError"),
    404: ("No such document, model or branch", "Error"),
    413: ("Body too large", "Error"),
    415: ("Not application/json", "Error"),
    429: ("Too many requests", "Error"),
}


def _paths() -> dict[str, Any]:
    body = {"required": True, "content": {"application/json": {"schema": _ref("CreateDocument")}}}
    named = [{"name": "identifier", "in": "path", "required": True, "schema": STRING}]
    listed, models = _parameters(LIST_PARAMETERS), _parameters(MODELS_PARAMETERS)
    return {
        DOCUMENTS: {
            "post": {
                "operationId": "createDocument",
                "requestBody": body,
                "responses": _responses(201, "Created", 404, 413, 415),
            },
            "get": {"operationId": "listDocuments", "parameters": listed, "responses": _responses(200, "Page")},
        },
        DOCUMENT_PATH: {
            "get": {"operationId": "getDocument", "parameters": named, "responses": _responses(200, "Document", 404)},
            "delete": {"operationId": "deleteDocument", "parameters": named, "responses": _responses(200, None, 404)},
        },
        WHOAMI: {"get": {"operationId": "whoami", "responses": _responses(200, None, 404)}},
        MODELS: {"get": {"operationId": "listModels", "parameters": models, "responses": _responses(200, "Page")}},
        OPENAPI: {"get": {"operationId": "description", "security": [], "responses": {"200": {"description": "This"}}}},
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _parameters(parameters: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"name": name, "in": "query", "schema": dict(schema)} for name, schema in parameters.items()]


def _responses(good: int, schema: str | None, *further: int) -> dict[str, Any]:
    """The good answer, and the errors that every route may give beside its own."""
    shown = _ref(schema) if schema else {"type": "object"}
    responses = {str(good): {"description": "Done", "content": {"application/json": {"schema": shown}}}}
    for status in sorted({400, 401, 403, 429, *further}):
        meaning, shape = _MEANINGS[status]
        responses[str(status)] = {"description": meaning, "content": {"application/json": {"schema": _ref(shape)}}}
    return responses
