"""What a field may hold: the words in which the tables of fields (`fields.py`, `fields_v2.py`) are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Text:
    """Text of `least` to `most` characters that matches `pattern`, a regular expression."""

    least: int = 0
    most: int | None = None
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Number:
    """A number, whole or not."""


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


@dataclass(frozen=True, slots=True)
class Map:
    """A JSON object with keys of the user's choice that match `pattern`, and such values."""

    value: Field
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Either:
    """An array of one kind, or an object of another."""

    array: Array
    object: Object


Shape = Text | Number | Boolean | Anything | Array | Object | Map | Either


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
    is_nullable: bool = False


def field_at(shape: Shape, place: tuple[int | str, ...]) -> Field | None:
    """The field at a place inside: `("queryPresentations", 0, "name")`; None where no table says anything."""
    found: Field | None = None
    for part in place:
        found = _inside(shape, part)
        if found is None:
            return None
        shape = found.shape
    return found


def _inside(shape: Shape, part: int | str) -> Field | None:
    match shape:
        case Either(array, object_):
            return _inside(array if isinstance(part, int) else object_, part)
        case Array(element):
            return element
        case Map(value):
            return value
        case Object(fields):
            return fields.get(str(part))
        case Text() | Number() | Boolean() | Anything():
            return None
