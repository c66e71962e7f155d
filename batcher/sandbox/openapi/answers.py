"""The schemas of the answers."""

from __future__ import annotations

from collections.abc import Mapping

from ..answers.state import EVERY_KEY
from ..rules.queries import SCOPE
from ..rules.schema import ANYTHING, BOOLEAN, OBJECT, STRING, STRINGS, UUID, Schema, nullable, reference
from ..rules.v2_tiles import TILE

_INTEGER: Schema = {"type": "integer"}
_TIME: Schema = {"type": "string", "format": "date-time"}


def _all_of(**properties: Schema) -> Schema:
    """An object in which each of these is there, and nothing else."""
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }


def _page_of(record: str) -> Schema:
    info = _all_of(hasNextPage=BOOLEAN, nextCursor=nullable(STRING), pageSize=_INTEGER, totalRecords=_INTEGER)
    return _all_of(records={"type": "array", "items": reference(record)}, pageInfo=info)


def _beside(schema: Schema, **optional: Schema) -> Schema:
    """The same object, in which these may be there, too."""
    return {**schema, "properties": {**schema["properties"], **optional}}


_DATA: Schema = {"type": "object", "required": ["data", "order"], "properties": {"data": OBJECT, "order": STRINGS}}
_FOLDER = _all_of(id=UUID, name=STRING, path=STRING, scope=SCOPE, ownerId=UUID)
_DOCUMENT_RECORD = _all_of(
    identifier=STRING,
    name=STRING,
    connectionId=UUID,
    deleted=BOOLEAN,
    folder=nullable(_all_of(id=UUID, name=STRING, path=STRING, scope=SCOPE)),
    hasDashboard=BOOLEAN,
    owner=_all_of(id=UUID, name=STRING),
    scope=SCOPE,
    type=STRING,
    updatedAt=_TIME,
    url=STRING,
)
_COUNTS = _all_of(documents=_INTEGER, folders=_INTEGER, favorites=_INTEGER)
_FOLDER_RECORD = _all_of(**_FOLDER["properties"], url=STRING)
_TILE_READ: Schema = {
    **TILE,
    "type": "object",
    "required": sorted(EVERY_KEY),
    "properties": {
        **TILE["properties"],
        "name": STRING,
        "sourceQueryPresentationKey": nullable(TILE["properties"]["sourceQueryPresentationKey"]),
    },
}
_TILES_READ: Schema = {
    **_DATA,
    "properties": {"data": {"type": "object", "additionalProperties": _TILE_READ}, "order": STRINGS},
}

SCHEMAS: Mapping[str, Schema] = {
    "Created": {
        "type": "object",
        "required": ["dashboard", "workbook"],
        "properties": {
            "dashboard": {
                "type": "object",
                "required": ["id", "dashboardId"],
                "properties": {"id": UUID, "dashboardId": UUID},
            },
            "workbook": {
                "type": "object",
                "required": ["id", "documentId"],
                "properties": {"id": UUID, "documentId": UUID, "identifier": STRING},
            },
        },
    },
    "Document": _all_of(
        name=STRING,
        description=nullable(STRING),
        modelId=UUID,
        queryPresentations={"type": "array", "items": OBJECT},
        filterConfig=ANYTHING,
        filterOrder=STRINGS,
        facetFilters=BOOLEAN,
        refreshInterval=nullable(_INTEGER),
    ),
    "CreatedV2": _all_of(identifier=STRING, name=STRING, description=nullable(STRING)),
    "DocumentV2": {
        "type": "object",
        "required": ["name", "description", "modelId", "workbookModelId", "queryPresentations"],
        "properties": {
            "name": STRING,
            "description": nullable(STRING),
            "modelId": UUID,
            "workbookModelId": UUID,
            "queryPresentations": _TILES_READ,
            "controls": _DATA,
            "settings": OBJECT,
            "containers": {"type": "array", "items": OBJECT},
        },
        "additionalProperties": False,
    },
    "DocumentRecord": _beside(_DOCUMENT_RECORD, labels=STRINGS),
    "Documents": _page_of("DocumentRecord"),
    "FolderCreated": _FOLDER,
    "FolderRecord": _beside(_FOLDER_RECORD, labels=STRINGS, _count=_COUNTS),
    "Folders": _page_of("FolderRecord"),
    "Label": _all_of(
        name=STRING,
        color=nullable(STRING),
        description=nullable(STRING),
        homepage=BOOLEAN,
        verified=BOOLEAN,
        usage_count=_INTEGER,
    ),
    "Labels": _all_of(labels={"type": "array", "items": reference("Label")}),
    "DocumentLabels": _all_of(labels=STRINGS),
    "Model": _all_of(
        id=UUID,
        name=nullable(STRING),
        modelKind=STRING,
        connectionId=UUID,
        baseModelId=nullable(UUID),
        createdAt=_TIME,
        updatedAt=_TIME,
        deletedAt=nullable(_TIME),
    ),
    "Models": _page_of("Model"),
    "Done": _all_of(success={"const": True}),
    "Whoami": _all_of(user=_all_of(id=UUID, membershipId=UUID), keyScope=STRING, orgRole=STRING, rolesByModel=OBJECT),
    "Error": {"type": "object", "required": ["detail", "status"], "properties": {"detail": STRING, "status": _INTEGER}},
    "DoorError": _all_of(error=_all_of(code=_INTEGER, message=STRING)),
    "WallError": _all_of(error=STRING),
    "Gone": _all_of(detail=STRING),
}
