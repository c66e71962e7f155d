"""What was sent against what is readable: the proof that a document is ours, and what `verify` reports.

Whatever was sent and is echoed must be equal, all the way down: dashboards that share their names and tiles differ only in
their filters. What the server adds is ignored; a part that was sent and does not come back proves nothing and is a note.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

TILES = "queryPresentations"
_OF_NOBODY_ELSE: dict[str, Any] = {"description": None, TILES: None}  # not sent, yet there: somebody else's content
_OF_NO_OTHER_QUERY: dict[str, Any] = {"filters": None, "sorts": None, "pivots": None}
_AS_TEXT = (
    "modelId",
    "branchId",
    "metadataVersion",
)  # UUIDs in any case; a version is sent as text, answered as number
_FILTERS = re.compile(r"queryPresentations\[\d+\]\.query\.filters")
_ENTRIES = re.compile(
    rf"filterConfig|controls\.data|{_FILTERS.pattern}"
)  # keyed by the user's names, so an entry is content


@dataclass(frozen=True, slots=True)
class Difference:
    """One part that differs. `is_note`: it was sent but does not come back, so nobody can tell."""

    part: str
    sent: Any
    echoed: Any
    is_note: bool = False


def is_match(sent: Mapping[str, Any], echoed: Mapping[str, Any]) -> bool:
    """Whether everything readable equals what was sent (contract 7). Without its name a document proves nothing."""
    return "name" in echoed and not any(not difference.is_note for difference in differences(sent, echoed))


def differences(sent: Mapping[str, Any], echoed: Mapping[str, Any]) -> Iterator[Difference]:
    """Each part of what was sent that reads differently, or does not come back."""
    fields = _OF_NOBODY_ELSE | {name: value for name, value in sent.items() if name != "identifier"}
    if isinstance(tiles := fields[TILES] or [], list):  # else they are of another version's shape, and equal nothing
        fields[TILES] = [_with_whole_query(tile) for tile in tiles] or None
    return _compared("", fields, dict(echoed))


def _with_whole_query(tile: Mapping[str, Any]) -> Mapping[str, Any]:
    query = tile.get("query")
    return tile if query is None else {**tile, "query": _OF_NO_OTHER_QUERY | query}


def _compared(part: str, sent: Any, echoed: Any) -> Iterator[Difference]:
    """One function for objects and arrays, so that a body of any depth that can be sent is compared."""
    match sent, echoed:
        case dict(), dict() if _FILTERS.fullmatch(part) is None or echoed.keys() <= sent.keys():
            for name, value in sent.items():
                inner = f"{part}.{name}" if part else name
                if name in echoed:
                    yield from _compared(inner, value, echoed[name])
                elif value is not None:
                    yield Difference(inner, value, None, is_note=_ENTRIES.fullmatch(part) is None)
        case list(), list() if len(sent) == len(echoed) and any(isinstance(one, dict | list) for one in sent):
            for number, (one, other) in enumerate(zip(sent, echoed, strict=True)):
                yield from _compared(f"{part}[{number}]", one, other)
        case _:
            if not _is_equal(part, sent, echoed):
                yield Difference(part, sent, echoed)


def _is_equal(part: str, sent: Any, echoed: Any) -> bool:
    """An empty value is as good as another one: what was left out may come back as null, "" or []."""
    if part in _AS_TEXT and not isinstance(echoed, dict | list):  # which may be nested too deeply to be text
        return str(sent).lower() == str(echoed).lower()
    return bool(sent == echoed or (_is_empty(sent) and _is_empty(echoed)))


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})
