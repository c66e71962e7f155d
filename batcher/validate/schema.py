"""The tables of fields as schemas of pydantic-core, which says where a body is wrong and in which way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic_core import SchemaValidator
from pydantic_core.core_schema import (
    CoreSchema,
    any_schema,
    bool_schema,
    dict_schema,
    float_schema,
    list_schema,
    nullable_schema,
    str_schema,
    tagged_union_schema,
    typed_dict_field,
    typed_dict_schema,
)

from ..models import ApiVersion
from ..omni.shapes import Anything, Array, Boolean, Either, Field, Map, Number, Object, Shape, Text
from ..omni.tables import TABLES

# of our own: the API takes a name of several lines, but nobody means one
_ONE_LINE = Text(1, 254, r"^[^\x00\r\n]*[^\s\x00][^\x00\r\n]*$")
_MOST_ELEMENTS = 1001  # one more than the problems that are told of a row
_ARRAY, _OBJECT = "<array>", "<object>"  # in the place of a complaint: which of the two it was read as


def _schema(shape: Shape, *, is_quick: bool) -> CoreSchema:
    of_field, of_shape = partial(_of_field, is_quick=is_quick), partial(_schema, is_quick=is_quick)
    match shape:
        case Text(least, most, pattern):
            return str_schema(min_length=least or None, max_length=most, pattern=pattern, strict=True)
        case Number():
            return float_schema(strict=True)
        case Boolean():
            return bool_schema(strict=True)
        case Anything():
            return any_schema()
        case Array(element):
            return list_schema(of_field(element), strict=True, fail_fast=is_quick)
        case Map(value, pattern):
            return dict_schema(str_schema(pattern=pattern, strict=True), of_field(value), strict=True)
        case Either(array, object_):
            choices = {_ARRAY: of_shape(array), _OBJECT: of_shape(object_)}
            return tagged_union_schema(choices, lambda value: _OBJECT if isinstance(value, dict) else _ARRAY)
        case Object(fields, is_open) if not fields and is_open:
            return dict_schema(str_schema(strict=True), strict=True)
        case Object(fields, is_open):
            entries = {
                name: typed_dict_field(of_field(entry), required=entry.is_required) for name, entry in fields.items()
            }
            # what else an open object holds passes either way; to ignore it is quicker than to allow it
            return typed_dict_schema(entries, extra_behavior="ignore" if is_open else "forbid", strict=True)


def _of_field(entry: Field, *, is_quick: bool) -> CoreSchema:
    inner = _schema(entry.shape, is_quick=is_quick)
    return nullable_schema(inner) if entry.is_nullable else inner


def _validate(document: Object, *, is_quick: bool) -> Callable[[dict[str, Any]], object]:
    fields = {**document.fields, "name": replace(document.fields["name"], shape=_ONE_LINE)}
    return SchemaValidator(_schema(replace(document, fields=fields), is_quick=is_quick)).validate_python


def place_of(loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Where in the body a complaint is."""
    return tuple(part for part in loc if part not in (_ARRAY, _OBJECT, "[key]"))


# By version. Raises pydantic-core's ValidationError for a body that is wrong, and builds no objects of what it checks. Made
# with the module: a signal while it is made would be swallowed in there and leave a validator that is wrong, and the
# command line holds signals back while it imports.
VALIDATE: Mapping[ApiVersion, Callable[[dict[str, Any]], object]] = {
    version: _validate(table.document, is_quick=False) for version, table in TABLES.items()
}
# The same for whoever asks only whether it's wrong: of a list it names the first place, so a million don't fill the memory.
QUICK: Mapping[ApiVersion, Callable[[dict[str, Any]], object]] = {
    version: _validate(table.document, is_quick=True) for version, table in TABLES.items()
}


def beginning(value: Any, levels: int = 6) -> Any:
    """The value with few elements in each list, as deep as the tables of fields go."""
    match value:
        case list() if levels:
            return [beginning(element, levels - 1) for element in value[:_MOST_ELEMENTS]]
        case dict() if levels:
            return {name: beginning(inner, levels - 1) for name, inner in value.items()}
        case _:
            return value
