"""What each field may hold: as types for pydantic, and in words for messages.

Source: the API's own description (`POST /api/v1/documents`). The types are TypedDicts, which pydantic checks without
building objects of them; the documents themselves stay what they are, JSON. (No `from __future__ import annotations` here:
pydantic could not find the types that are made inside of a function.)
"""

from enum import Enum
from typing import Annotated, Any, Required

from pydantic import ConfigDict, StringConstraints, with_config
from typing_extensions import TypedDict

_UUID = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
_IDENTIFIER = "^[a-z0-9]([a-z0-9_-]*[a-z0-9])?$"
_NOT_BLANK = r"\S"
MOST_OF_NAME = 254  # characters
MOST_OF_DESCRIPTION = 1024

Uuid = Annotated[str, StringConstraints(pattern=_UUID)]
Some = Annotated[str, StringConstraints(min_length=1)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=MOST_OF_NAME, pattern=_NOT_BLANK)]
Description = Annotated[str, StringConstraints(min_length=1, max_length=MOST_OF_DESCRIPTION)]
Identifier = Annotated[str, StringConstraints(min_length=2, max_length=48, pattern=_IDENTIFIER)]

_AN_ITEM = '{"name": "…", "query": {"table": "…", "fields": ["…"]}}'
ALLOWED = {
    "key": "text of 1 to 200 characters without control characters",
    "modelId": "a UUID such as 123e4567-e89b-42d3-a456-426614174000",
    "name": "text of 1 to 254 characters, not only blanks",
    "description": "text of 1 to 1024 characters (or leave it out)",
    "identifier": "2 to 48 of a-z, 0-9, - and _, without - or _ at either end (or leave it out)",
    "queryPresentations": f"a JSON array of objects like {_AN_ITEM}",
    "queryPresentations[]": f"an object like {_AN_ITEM}",
    "queryPresentations.name": "text of at least 1 character",
    "queryPresentations.query": 'an object like {"table": "…", "fields": ["…"]}',
    "queryPresentations.query.fields": 'an array of field names like ["orders.total"]',
    "queryPresentations.query.fields[]": 'a field name like "orders.total"',
    "queryPresentations.query.table": "the name of a table or view, as text",
    "queryPresentations.topicName": "text",
    "queryPresentations.description": "text",
    "queryPresentations.subTitle": "text",
    "queryPresentations.prefersChart": "true or false",
    "queryPresentations.chartType": "text",
    "queryPresentations.visConfig": 'an object like {"visType": "…", "config": {}}',
    "branchId": "a UUID such as 123e4567-e89b-42d3-a456-426614174000",
    "facetFilters": "true or false",
    "filterConfig": "JSON, an object keyed by filter id",
    "filterOrder": 'a JSON array of filter ids like ["f1", "f2"]',
    "filterOrder[]": "a filter id, as text",
    "metadata": "JSON, the dashboard's layout",
    "metadataVersion": 'text such as "2"',
}


def document_type(config: ConfigDict) -> Any:
    """The type of a document; `config` says what becomes of unknown fields, at the top and in an item."""

    @with_config(ConfigDict(extra="ignore", strict=True))  # as good as "allow" for judging, and quicker
    class Query(TypedDict):
        fields: list[str]
        table: Some

    @with_config(config)
    class QueryPresentation(TypedDict, total=False):
        name: Required[Some]
        query: Required[Query]
        topicName: str
        description: str
        subTitle: str
        prefersChart: bool
        chartType: str
        resultConfig: Any
        aiConfig: Any
        visConfig: dict[str, Any]

    @with_config(config)
    class Document(TypedDict, total=False):
        modelId: Required[Uuid]
        name: Required[Name]
        description: Description
        identifier: Identifier
        queryPresentations: list[QueryPresentation]
        branchId: Uuid
        facetFilters: bool
        filterConfig: Any
        filterOrder: list[str]
        metadata: Any
        metadataVersion: Some

    return Document


class Kind(Enum):
    """What a cell of this field holds, and so how it is read."""

    TEXT = "text"
    ARRAY = "a JSON array"
    BOOLEAN = "true or false"
    UNTYPED = "JSON"


KINDS: dict[str, Kind] = {  # in the API's own order, which is the order of a body
    "modelId": Kind.TEXT,
    "name": Kind.TEXT,
    "description": Kind.TEXT,
    "identifier": Kind.TEXT,
    "queryPresentations": Kind.ARRAY,
    "branchId": Kind.TEXT,
    "facetFilters": Kind.BOOLEAN,
    "filterConfig": Kind.UNTYPED,
    "filterOrder": Kind.ARRAY,
    "metadata": Kind.UNTYPED,
    "metadataVersion": Kind.TEXT,
}


API_FIELDS = tuple(KINDS)


JSON_FIELDS = tuple(name for name, kind in KINDS.items() if kind is not Kind.TEXT)


TRIMMED = ("modelId", "identifier", "branchId")  # ids; a name is kept as it is


KEY = "key"


ITEM_FIELDS = (
    "name",
    "query",
    "topicName",
    "description",
    "subTitle",
    "prefersChart",
    "chartType",
    "resultConfig",
    "aiConfig",
    "visConfig",
)
