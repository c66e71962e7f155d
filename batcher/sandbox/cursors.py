"""The list's cursors: where a page ended, as text that clients hand back unread."""

from __future__ import annotations

import base64
import binascii

import orjson

from .store import Document


def encode_cursor(last: Document, *, by_name: bool) -> str:
    """The cursor behind this document, in a list by name or by time."""
    place = [last.name if by_name else last.created_at, last.number]
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def decode_cursor(cursor: str, *, by_name: bool) -> tuple[str | float, int] | None:
    """The last document's name or time (seconds since 1970), and its number; None if it isn't a cursor of such a list."""
    try:
        place = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        return None
    match place:
        case [str() as name, int() as number] if by_name:
            return name, number
        case [float() | int() as at, int() as number] if not by_name:
            return at, number
        case _:
            return None
