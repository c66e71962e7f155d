"""One table of the fields of a document: what each may hold, and how that is said to a person.

Whatever judges or reads a row is made from this table: the types that pydantic-core checks (`validate/schema.py`), the
fast path, how cells are read, the words of messages. To add a field is to add its line here. Version 2 of the API has a
table of its own, made from this one (`fields_v2.py`).
Source: the API's own description of `POST /api/v1/documents` (API.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .shapes import Anything, Array, Boolean, Either, Field, Map, Number, Object, Shape, Text

_UUID = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
_IDENTIFIER = "^[a-z0-9]([a-z0-9_-]*[a-z0-9])?$"
NO_NUL = r"^[^\x00]*$"
NOT_BLANK = r"^[^\x00]*[^\s\x00][^\x00]*$"  # and no NUL either


AN_ITEM = '{"name": "…", "query": {"table": "…", "fields": ["…"]}}'
_A_UUID = "a UUID such as 123e4567-e89b-42d3-a456-426614174000"

QUERY = Object(
    {
        "fields": Field(
            Array(Field(Text(), 'a field name like "orders.total"')),
            'an array of field names like ["orders.total"]',
            is_required=True,
        ),
        "table": Field(Text(1), "the name of a table or view, as text", is_required=True),
    },
    is_open=True,
)
ITEM = Object(
    {
        "name": Field(Text(1), "text of at least 1 character", is_required=True),
        "query": Field(QUERY, 'an object like {"table": "…", "fields": ["…"]}', is_required=True),
        "topicName": Field(Text(), "text"),
        "description": Field(Text(), "text"),
        "subTitle": Field(Text(), "text"),
        "prefersChart": Field(Boolean(), "true or false"),
        "chartType": Field(Text(), "text"),
        "resultConfig": Field(Anything()),
        "aiConfig": Field(Anything()),
        "visConfig": Field(Object(is_open=True), 'an object like {"visType": "…", "config": {}}'),
    }
)
DOCUMENT = Object(  # in the API's own order, which is the order of a body
    {
        "modelId": Field(Text(pattern=_UUID), _A_UUID, is_required=True, is_id=True),
        "name": Field(Text(1, 254, NOT_BLANK), "text of 1 to 254 characters, not just spaces", is_required=True),
        "description": Field(Text(1, 1024, NO_NUL), "text of 1 to 1024 characters (or leave it out)"),
        "identifier": Field(
            Text(2, 48, _IDENTIFIER),
            "2 to 48 of a-z, 0-9, - and _, without - or _ at either end (or leave it out)",
            is_id=True,
        ),
        "queryPresentations": Field(
            Array(Field(ITEM, f"an object like {AN_ITEM}")), f"a JSON array of objects like {AN_ITEM}"
        ),
        "branchId": Field(Text(pattern=_UUID), _A_UUID, is_id=True),
        "facetFilters": Field(Boolean(), "true or false"),
        "filterConfig": Field(Anything(), "JSON, an object keyed by filter id"),
        "filterOrder": Field(
            Array(Field(Text(), "a filter id, as text")), 'a JSON array of filter ids like ["f1", "f2"]'
        ),
        "metadata": Field(Anything(), "JSON, the dashboard's layout", needs="metadataVersion"),
        "metadataVersion": Field(Text(1), 'text such as "2"'),
    }
)
KEY = "key"  # ours, never sent
FOLDER, LABELS = "folder", "labels"  # ours, too: where the document goes, which no body holds
_A_FOLDER = "a path such as Sales/EMEA, or a folder's UUID"
_LABELS = 'labels of 2 to 25 characters, as a JSON array like ["q3", "finance"], or in a cell as q3; finance'


class Kind(Enum):
    """What a cell of this field holds, and so how it is read."""

    TEXT = "text"
    BOOLEAN = "true or false"
    JSON = "JSON"
    UNTYPED = "any JSON"
    LIST = "texts with ; between them, or a JSON array"


def kind_of(shape: Shape) -> Kind:
    """How a cell of this shape is read."""
    match shape:
        case Text():
            return Kind.TEXT
        case Boolean():
            return Kind.BOOLEAN
        case Array() | Object() | Map() | Either() | Number():
            return Kind.JSON
        case Anything():
            return Kind.UNTYPED


@dataclass(frozen=True, slots=True)
class Table:
    """The fields that a row may have under one version of the API, in the order of a body; and those of a tile."""

    document: Object
    item: Object

    @property
    def names(self) -> tuple[str, ...]:
        """The fields of a document."""
        return tuple(self.document.fields)


V1 = Table(DOCUMENT, ITEM)
API_FIELDS = V1.names
ITEM_FIELDS = tuple(ITEM.fields)
UNTYPED_FIELDS = frozenset(name for name, entry in DOCUMENT.fields.items() if kind_of(entry.shape) is Kind.UNTYPED)
IDS = tuple(name for name, entry in DOCUMENT.fields.items() if entry.is_id)
OURS = {KEY: Kind.TEXT, FOLDER: Kind.TEXT, LABELS: Kind.LIST}
ALLOWED = {
    KEY: "text of 1 to 200 characters without control characters",
    FOLDER: _A_FOLDER,
    LABELS: _LABELS,
    **{name: entry.allowed for name, entry in DOCUMENT.fields.items()},
}
