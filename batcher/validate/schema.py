"""The table of fields as a schema of pydantic-core, which says where a body is wrong and in which way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pydantic_core import SchemaValidator
from pydantic_core.core_schema import (
    CoreSchema,
    any_schema,
    bool_schema,
    dict_schema,
    list_schema,
    str_schema,
    typed_dict_field,
    typed_dict_schema,
)

from ..omni.fields import DOCUMENT, Anything, Array, Boolean, Object, Shape, Text

# of our own: the API takes a name of several lines, but nobody means one
_ONE_LINE = Text(1, 254, r"^[^\x00\r\n]*[^\s\x00][^\x00\r\n]*$")
_DOCUMENT = replace(DOCUMENT, fields={**DOCUMENT.fields, "name": replace(DOCUMENT.fields["name"], shape=_ONE_LINE)})


def _schema(shape: Shape) -> CoreSchema:
    match shape:
        case Text(least, most, pattern):
            return str_schema(min_length=least or None, max_length=most, pattern=pattern, strict=True)
        case Boolean():
            return bool_schema(strict=True)
        case Anything():
            return any_schema()
        case Array(element):
            return list_schema(_schema(element.shape), strict=True)
        case Object(fields, is_open) if not fields and is_open:
            return dict_schema(str_schema(strict=True), strict=True)
        case Object(fields, is_open):
            entries = {
                name: typed_dict_field(_schema(field.shape), required=field.is_required)
                for name, field in fields.items()
            }
            # what else an open object holds passes either way; to ignore it is quicker than to allow it
            return typed_dict_schema(entries, extra_behavior="ignore" if is_open else "forbid", strict=True)


# Raises pydantic-core's ValidationError for a body that is wrong, and builds no objects of what it checks. Made with the
# module: a signal while it is made would be swallowed in there and leave a validator that is wrong, and the command line
# holds signals back while it imports.
VALIDATE: Callable[[dict[str, Any]], object] = SchemaValidator(_schema(_DOCUMENT)).validate_python
