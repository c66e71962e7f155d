"""Checks a value against the part of JSON Schema that the rules use, and says what is wrong in the API's own words."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

Schema = Mapping[str, Any]

ANYTHING: Schema = {}
BOOLEAN: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "number"}
STRING: Schema = {"type": "string"}
STRINGS: Schema = {"type": "array", "items": STRING}
OBJECT: Schema = {"type": "object"}
UUID: Schema = {"type": "string", "format": "uuid"}

LET_STRINGS_PASS = "x-strings-crash"  # noqa: S105 - a string here is no problem of the schema: the server stumbles over it later
_UUID_FORM = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    return {**schema, "type": [schema["type"], "null"]}


def reference(name: str) -> Schema:
    """A reference to one of the named schemas, as `openapi.json` writes it."""
    return {"$ref": f"#/components/schemas/{name}"}


class Words:
    """What the API says to each kind of problem, in the dialect of its older endpoints. `at` is `path: ` or empty."""

    def wrong_type(self, at: str, expected: str, received: str) -> str:
        """A value of another type."""
        return f"{at}Expected {expected}, received {received}"

    def missing(self, path: str, _expected: str) -> str:
        """A required key that isn't there."""
        return f"{path}: Required"

    def unknown(self, _at: str, prefix: str, name: str) -> str:
        """A key that the object may not have."""
        return f"{prefix}{name}: Unrecognized key"

    def bad_key(self, at: str, name: str) -> str:
        """A key of a record that isn't of the form of its keys."""
        return f"{at}Invalid key in record: {name}"

    def too_short(self, at: str, _name: str, least: int) -> str:
        """A text under its least length (characters)."""
        return f"{at}String must contain at least {least} character(s)"

    def too_long(self, at: str, _name: str, most: int) -> str:
        """A text over its greatest length (characters)."""
        return f"{at}String must contain at most {most} character(s)"

    def not_a_uuid(self, at: str) -> str:
        """A text that isn't a UUID."""
        return f"{at}Invalid uuid"

    def bad_form(self, at: str, _name: str, schema: Schema) -> str:
        """A text that its pattern doesn't match; the schema's `description` says what is allowed."""
        return f"{at}{schema.get('description', 'Invalid')}"

    def not_an_option(self, at: str, options: list[str], received: str) -> str:
        """A text that isn't one of an enum."""
        return f"{at}Invalid enum value. Expected {' | '.join(map(repr, options))}, received '{received}'"

    def too_few(self, at: str, least: int) -> str:
        """An array with too few items."""
        return f"{at}Array must contain at least {least} element(s)"

    def too_many(self, at: str, most: int) -> str:
        """An array with too many items."""
        return f"{at}Array must contain at most {most} element(s)"


@dataclass(frozen=True, slots=True)
class Checker:
    """Checks values. `schemas` are those that a `$ref` names; with `unknown_fields` unknown keys are no problem."""

    words: Words
    schemas: Mapping[str, Schema]
    unknown_fields: bool = False

    def problems(self, value: object, schema: Schema, path: str = "") -> Iterator[str]:
        """Everything that is wrong with a value, in the order in which it stands there."""
        if "$ref" in schema:
            schema = self.schemas[schema["$ref"].rpartition("/")[2]]
        at = f"{path}: " if path else ""
        if isinstance(value, str) and LET_STRINGS_PASS in schema:
            return
        if "type" in schema and not _has_type(value, schema["type"]):
            yield self.words.wrong_type(at, _expected(schema), type_word(value))
        elif isinstance(value, str):
            if (message := text_problem(self.words, path, value, schema)) is not None:
                yield message
        elif isinstance(value, list):
            yield from self._item_problems(value, schema, path)
        elif isinstance(value, dict):
            yield from self._field_problems(cast("dict[str, Any]", value), schema, path)

    def _item_problems(self, items: list[Any], schema: Schema, path: str) -> Iterator[str]:
        at = f"{path}: " if path else ""
        if len(items) < schema.get("minItems", 0):
            yield self.words.too_few(at, schema["minItems"])
        if len(items) > schema.get("maxItems", math.inf):
            yield self.words.too_many(at, schema["maxItems"])
        for n, item in enumerate(items):
            yield from self.problems(item, schema.get("items", ANYTHING), f"{path}.{n}" if path else str(n))

    def _field_problems(self, values: dict[str, Any], schema: Schema, path: str) -> Iterator[str]:
        at, prefix = (f"{path}: ", f"{path}.") if path else ("", "")
        known = cast("Mapping[str, Schema]", schema.get("properties", {}))
        for name in schema.get("required", ()):
            if name not in values:
                yield self.words.missing(prefix + name, self._expected_of(known.get(name, ANYTHING)))
        others, key_form = schema.get("additionalProperties", True), schema.get("propertyNames", ANYTHING)
        for name, value in values.items():
            if name in known:
                yield from self.problems(value, known[name], prefix + name)
            elif "pattern" in key_form and not re.fullmatch(key_form["pattern"], name):
                yield self.words.bad_key(at, name)
            elif isinstance(others, Mapping):
                yield from self.problems(value, others, prefix + name)
            elif not others and not self.unknown_fields:
                yield self.words.unknown(at, prefix, name)

    def _expected_of(self, schema: Schema) -> str:
        return _expected(self.schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema)


def text_problem(words: Words, path: str, text: str, schema: Schema) -> str | None:
    """What is wrong with a text."""
    at, name = f"{path}: " if path else "", path.rpartition(".")[2]
    if "enum" in schema and text not in schema["enum"]:
        return words.not_an_option(at, [option for option in schema["enum"] if option is not None], text)
    if len(text) < schema.get("minLength", 0):
        return words.too_short(at, name, schema["minLength"])
    if len(text) > schema.get("maxLength", math.inf):
        return words.too_long(at, name, schema["maxLength"])
    if schema.get("format") == "uuid" and not _UUID_FORM.fullmatch(text):
        return words.not_a_uuid(at)
    if "pattern" in schema and not re.fullmatch(schema["pattern"], text):
        return words.bad_form(at, name, schema)
    return None


def _expected(schema: Schema) -> str:
    kind = schema.get("type", "value")
    word = kind if isinstance(kind, str) else kind[0]
    return "number" if word == "integer" else str(word)


def _has_type(value: object, allowed: str | list[str]) -> bool:
    words = (allowed,) if isinstance(allowed, str) else allowed
    word = type_word(value)
    if word == "number" and "integer" in words:
        return "number" in words or float(cast("float", value)).is_integer()
    return word in words


def type_word(value: object) -> str:
    """JavaScript's word for a JSON value."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"
