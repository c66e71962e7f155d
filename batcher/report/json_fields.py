"""Values as fields of the JSON objects that `README.md` beside this file documents."""

from __future__ import annotations


def fields_of(value: object, names: str) -> dict[str, object]:
    """These attributes of a value, in this order and under their names in camelCase; seconds are rounded to 1 ms."""
    return {_camel_case(name): _rounded(getattr(value, name)) for name in names.split()}


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _rounded(value: object) -> object:
    return round(value, 3) if isinstance(value, float) else value
