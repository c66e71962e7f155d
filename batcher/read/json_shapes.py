"""JSON that holds rows in another shape than its name says: told once, with what to do (contract 4)."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from itertools import chain, islice

import orjson

from ..errors import UsageError
from ..omni.fields import API_FIELDS, KEY
from .broken import Broken
from .json_text import shown

_KNOWN = frozenset((*API_FIELDS, KEY))
_decode = json.JSONDecoder(parse_int=float).raw_decode
_ARRAY = "this is a JSON array, not one object per line"
_OTHERWISE = "read it with --format json"
Records = Iterator[tuple[int, "bytes | Broken"]]


def one_a_line(source: str, records: Records) -> Records:
    """The lines of a JSON Lines file. Raises UsageError if the first ones show that it is JSON of another shape."""
    first = list(islice((record for record in records if isinstance(record[1], Broken) or record[1].strip()), 2))
    if first and (shape := _shape_of([text for _, text in first])):
        raise UsageError(f"{source}:{first[0][0]}: {shape}; {_OTHERWISE}")
    return chain(first, records)


def _shape_of(first: list[bytes | Broken]) -> str | None:
    """What the first two lines are, if the file isn't one object per line."""
    texts = [text.decode("utf-8", "replace").strip() for text in first if not isinstance(text, Broken)]
    if len(texts) != len(first):
        return None
    try:
        _, end = _decode(texts[0])
    except (json.JSONDecodeError, RecursionError):
        if texts[0].startswith("["):
            return _ARRAY if texts[0] == "[" or len(texts) == 1 or not texts[1].endswith("}") else None
        if not texts[0].startswith("{"):
            return None
        is_row = len(texts) == 1 or texts[1].startswith("{")  # then the first is broken, and only the first
        return None if is_row else "this object is spread over several lines, not one object per line"
    if texts[0].startswith("["):
        return _ARRAY if len(texts) == 1 else None
    return "several objects are joined in one line" if texts[0][end:].lstrip().startswith("{") else None


def rows_inside(fields: Mapping[str, object]) -> str | None:
    """What is wrong with an object that is no row but holds rows, as exports of APIs do."""
    if not fields.keys().isdisjoint(_KNOWN):
        return None
    for name, value in fields.items():
        if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            rows = "1 object" if len(value) == 1 else f"{len(value):,} objects"
            return (
                f"isn't a row, but holds {rows} under {shown(name)}; take them out first, as with "
                f"jq {_jq(name)} FILE > rows.json"
            )
    return None


def _jq(name: str) -> str:
    """The jq filter for a field, as a word of a shell."""
    return f".{name}" if name.isidentifier() else shlex.quote(f".[{orjson.dumps(name).decode()}]")
