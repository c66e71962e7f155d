"""What is wrong with a value, in words: the value that was met, and what is allowed."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import orjson

from ..identity import KEY_LENGTH
from ..omni.fields import ALLOWED, FOLDER, IDS, KEY, OURS, Kind, Table
from ..omni.shapes import Either, Object, Text, field_at
from ..omni.tables import KINDS, ONLY_V2
from ..read.cells import Unread, is_folder, nearest
from ..read.json_text import TOO_DEEP, explain, kind_of, shown
from .normalise import IN_ITEM

_CELL_LIMIT = 32_767  # characters; spreadsheet programs cut off what is longer
_SHOWN = 60  # characters of a name that somebody chose


def of_key(value: str) -> str | None:
    """What is wrong with a row's own key (trimmed), if anything."""
    if not value:
        return f"is empty; leave it out, or give {ALLOWED[KEY]}"
    if len(value) > KEY_LENGTH:
        return f"{shown(value)} has {_characters(value)}; allowed: {ALLOWED[KEY]}"
    if not value.isprintable():
        return f"{shown(value)} contains a control character, {_odd(value, str.isprintable)}; allowed: {ALLOWED[KEY]}"
    return None


def _odd(text: str, is_plain: Callable[[str], bool]) -> str:
    """The first character that isn't plain: its code, its name and its place, since on a screen it looks like another."""
    place, odd = next((place, one) for place, one in enumerate(text, 1) if not is_plain(one))
    name = unicodedata.name(odd, "")
    return f"U+{ord(odd):04X}{' ' if name else ''}{name} at character {place}"


def _characters(text: str) -> str:
    return "1 character" if len(text) == 1 else f"{len(text)} characters"


def of_unknown(name: str, value: object, known: tuple[str, ...]) -> str:
    """A field that the API does not know. `known`: the document's, and ours."""
    if is_folder(name):
        return f"unknown field, with the value {shown(value)}; call it {FOLDER}, which takes {ALLOWED[FOLDER]}"
    if name in ONLY_V2:
        return f"{shown(value)} can't be sent: only version 2 has this field; use --api v2 (--ignore-unknown leaves it out)"
    return _of_unknown(name, value, known)


def _of_unknown(
    name: str, value: object, known: tuple[str, ...], remedy: str = "--ignore-unknown leaves it out"
) -> str:
    near = nearest(name, known)
    hint = f"did you mean {near}? " if near else ""
    return f"unknown field, with the value {shown(value)}; {hint}{remedy}"


def of_left_out(name: str, table: Table) -> str:
    """A field that `--ignore-unknown` leaves out, and what it was perhaps meant to be."""
    inner = name.removeprefix(IN_ITEM)
    near = nearest(inner, (*table.names, *OURS) if inner == name else tuple(table.item.fields))
    hint = f" (did you mean {near}?)" if near else ""
    return f"{name[:_SHOWN]}{hint}"


def of_complaint(kind: str, place: tuple[int | str, ...], value: object, table: Table) -> tuple[str, str]:
    """The field, as a path, and what is wrong with it, for a complaint of pydantic's of this kind."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part[:_SHOWN]}" for part in place).lstrip(".")
    found = field_at(table.document, place)
    allowed = "" if found is None else found.allowed
    match kind:
        case "extra_forbidden":
            return path, _of_unknown(str(place[-1]), value, *_known_beside(place, table))
        case "missing":
            return path, f"missing; required: {allowed}"
        case "string_too_short" | "string_too_long" if isinstance(value, str):
            size = f"{shown(value)} has {_characters(value)}" if value else "is empty"
            return path, f"{size}; allowed: {allowed}"
        case "string_pattern_mismatch" if found is not None and not isinstance(found.shape, Text):
            return path, f"{shown(value)} can't be a key here; allowed: numbers as text, beginning with 1"
        case "string_pattern_mismatch" if "\0" in str(value):
            return path, f"{shown(value)} contains a NUL character; is the file damaged?"
        case "string_pattern_mismatch" if path == "name" and str(value).strip():
            return path, f"{shown(value)} contains a line break; write the name on one line"
        case "string_pattern_mismatch" if path in IDS and not str(value).isascii():
            return path, f"{shown(value)} contains {_odd(str(value), str.isascii)}; allowed: {allowed}"
        case "string_pattern_mismatch":
            return path, f"{shown(value)} isn't valid; allowed: {allowed}"
        case _ if isinstance(value, Unread):
            return path, of_unread(path, value, allowed)
        case _:
            more = "; version 2 takes such an object: use --api v2" if _is_of_v2(path, value) else ""
            return path, f"must be {allowed}, but is {kind_of(value)}{more}"


def _is_of_v2(path: str, value: object) -> bool:
    return path == "queryPresentations" and isinstance(value, dict) and "data" in value


def _known_beside(place: tuple[int | str, ...], table: Table) -> tuple[tuple[str, ...], str]:
    """The fields that may stand where an unknown one stands, and what to do about it."""
    around = field_at(table.document, place[:-1])
    match None if around is None else around.shape:
        case table.item:
            return tuple(table.item.fields), "--ignore-unknown leaves it out"
        case Object(fields) | Either(object=Object(fields)):
            return tuple(fields), "leave it out"
        case _:
            return (), "leave it out"


def of_unread(name: str, text: Unread, allowed: str) -> str:
    """A cell that should hold JSON, or true or false, and does not."""
    if KINDS.get(name) is Kind.BOOLEAN:
        return f"{shown(str(text))} is not true or false"
    try:
        orjson.loads(str(text))
    except orjson.JSONDecodeError as error:
        cut = "; a spreadsheet cell can't hold more than 32,767 characters" if len(text) >= _CELL_LIMIT else ""
        return f"{shown(str(text))} is not JSON: {explain(error)}{cut}; allowed: {allowed}"
    return f"{shown(str(text))} {TOO_DEEP}"
