"""JSON text → an object; with the doubts that a quick parser leaves: keys given twice, numbers rounded."""

from __future__ import annotations

import json
from collections import Counter
from typing import NoReturn

import orjson

TOO_DEEP = "is nested more than 250 levels deep"  # then it can't be written again
_DIGITS = bytes(48 if 48 <= code <= 57 else 32 for code in range(256))
_LONG_NUMBER = b"0" * 19  # only integers of 19 digits and more can fall outside of 64 bits


class BrokenJson(ValueError):  # noqa: N818 - named after the thing
    """The text cannot be taken for what it says; the message tells why, for a person."""


def parse_object(raw: bytes) -> dict[str, object]:
    """The object in `raw`. Raises BrokenJson."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BrokenJson(f"is not JSON: {explain(error)}") from None
    try:
        written = orjson.dumps(value)
    except TypeError:
        raise BrokenJson(TOO_DEEP) from None
    if type(value) is not dict:
        raise BrokenJson(f"must be a JSON object {{…}}, but is {kind_of(value)}")
    if written != raw and (doubt := doubt_of(raw, written)):
        raise BrokenJson(doubt)
    return value


def explain(error: orjson.JSONDecodeError) -> str:
    """The parser's complaint, with the place counted from 1."""
    return f"{error.msg.split(': line ')[0]}, at character {error.pos + 1}"


def doubt_of(raw: bytes, written: bytes) -> str | None:
    """Why a value that was parsed from `raw`, and `written` again, is not what the text says; None if it is.

    The quick test: without keys given twice both texts hold the same number of colons.
    """
    if _LONG_NUMBER in raw.translate(_DIGITS) or raw.count(b":") != written.count(b":") or b"\\u003" in raw:
        return _slow_doubt(raw)
    return None


def _slow_doubt(raw: bytes) -> str | None:
    try:
        json.loads(raw, object_pairs_hook=_once, parse_int=_small)
    except BrokenJson as doubt:
        return str(doubt)
    except RecursionError:
        return TOO_DEEP
    return None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise BrokenJson(f"has the key {shown(twice)} twice in one object; keep one of them")
    return found


def _small(digits: str) -> int:
    if len(digits) > 20 or not -(1 << 63) <= int(digits) < 1 << 64:
        _too_large(digits)
    return int(digits)


def _too_large(digits: str) -> NoReturn:
    raise BrokenJson(f"holds the number {digits[:30]}, which has too many digits to be sent unchanged; make it text")


def shown(value: object, most: int = 60) -> str:
    """A value for a message: as JSON, shortened to about `most` characters."""
    if isinstance(value, str) and len(value) > most:
        return f'"{_plain(value[:most])}…"'
    try:
        text = orjson.dumps(value).decode()
    except TypeError:
        text = _plain(_in_python(value))
    return text if len(text) <= most + 2 else f"{text[:most]}…"


def _in_python(value: object) -> str:
    try:
        return repr(value)
    except RecursionError:
        return f"a value that {TOO_DEEP}"


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text).replace('"', "'")


def kind_of(value: object) -> str:
    """What JSON calls a value of this type, for messages."""
    match value:
        case None:
            return "null"
        case bool():
            return f"the boolean {shown(value)}"
        case int() | float():
            return f"the number {shown(value)}"
        case str():
            return f"the text {shown(value)}"
        case list():
            return f"an array, {shown(value)}"
        case _:
            return f"an object, {shown(value)}"
