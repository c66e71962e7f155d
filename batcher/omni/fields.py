"""One table of the fields of a document: what each may hold, and how that is said to a person.

Whatever judges or reads a row is made from this table: the types that pydantic-core checks (`validate/schema.py`), the
fast path, how cells are read, the words of messages. To add a field is to add its line here.
Source: the API's own description of `POST /api/v1/documents` (API.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

_UUID = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
_IDENTIFIER = "^[a-z0-9]([a-z0-9_-]*[a-z0-9])?$"
NO_NUL = r"^[^\x00]*$"
NOT_BLANK = r"^[^\x00]*[^\s\x00][^\x00]*$"  # and no NUL either


@dataclass(frozen=True, slots=True)
class Text:
    """Text of `least` to `most` characters that matches `pattern`, a regular expression."""

    least: int = 0
    most: int | None = None
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Boolean:
    """true or false."""


@dataclass(frozen=True, slots=True)
class Anything:
    """Any JSON; the API does not say more."""


@dataclass(frozen=True, slots=True)
class Array:
    """A JSON array of such elements."""

    element: Field


@dataclass(frozen=True, slots=True)
class Object:
    """A JSON object. With `is_open` the API may know more fields than these."""

    fields: Mapping[str, Field] = field(default_factory=dict)
    is_open: bool = False


Shape = Text | Boolean | Anything | Array | Object


@dataclass(frozen=True, slots=True)
class Field:
    """What a field may hold, and the same in words, for messages.

    `is_id`: blanks around it mean nothing, whatever it is read from. `needs`: the field that must be there, too.
    """

    shape: Shape
    allowed: str = ""
    is_required: bool = False
    is_id: bool = False
    needs: str | None = None


_AN_ITEM = '{"name": "…", "query": {"table": "…", "fields": ["…"]}}'
_A_UUID = "a UUID such as 123e4567-e89b-42d3-a456-426614174000"

_QUERY = Object(
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
_ITEM = Object(
    {
        "name": Field(Text(1), "text of at least 1 character", is_required=True),
        "query": Field(_QUERY, 'an object like {"table": "…", "fields": ["…"]}', is_required=True),
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
            Array(Field(_ITEM, f"an object like {_AN_ITEM}")), f"a JSON array of objects like {_AN_ITEM}"
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


class Kind(Enum):
    """What a cell of this field holds, and so how it is read."""

    TEXT = "text"
    BOOLEAN = "true or false"
    JSON = "JSON"
    UNTYPED = "any JSON"


def _kind(shape: Shape) -> Kind:
    match shape:
        case Text():
            return Kind.TEXT
        case Boolean():
            return Kind.BOOLEAN
        case Array() | Object():
            return Kind.JSON
        case Anything():
            return Kind.UNTYPED


def _words(path: str, shape: Shape) -> Iterator[tuple[str, str]]:
    """What is allowed at each path inside: `queryPresentations[]`, `queryPresentations.query.table`."""
    match shape:
        case Array(element):
            yield f"{path}[]", element.allowed
            yield from _words(path, element.shape)
        case Object(fields):
            for name, entry in fields.items():
                inner = f"{path}.{name}" if path else name
                yield inner, entry.allowed
                yield from _words(inner, entry.shape)
        case Text() | Boolean() | Anything():
            pass


API_FIELDS = tuple(DOCUMENT.fields)
ITEM_FIELDS = tuple(_ITEM.fields)
KINDS = {name: _kind(entry.shape) for name, entry in DOCUMENT.fields.items()}
JSON_FIELDS = tuple(name for name, kind in KINDS.items() if kind is not Kind.TEXT)
UNTYPED_FIELDS = frozenset(name for name, kind in KINDS.items() if kind is Kind.UNTYPED)
IDS = tuple(name for name, entry in DOCUMENT.fields.items() if entry.is_id)
ALLOWED = {KEY: "text of 1 to 200 characters without control characters", **dict(_words("", DOCUMENT))}
