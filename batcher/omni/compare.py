"""What was sent against what is readable: the proof that a document is ours, and what `verify` reports.

Only what the API echoes can be compared. What the server adds is ignored; a part that was sent and does not come back
proves nothing either way and is a note.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_TEXTS = ("name", "description")


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
    for part in _TEXTS:
        yield from _text(part, sent.get(part), echoed)
    model_id = echoed.get("modelId")
    if model_id is None:
        yield Difference("modelId", sent.get("modelId"), None, is_note=True)
    elif str(model_id).lower() != str(sent.get("modelId")).lower():
        yield Difference("modelId", sent.get("modelId"), model_id)
    yield from _tiles(sent.get("queryPresentations"), echoed.get("queryPresentations"))
    for part in ("facetFilters", "filterOrder"):
        if sent.get(part) is not None:
            if part not in echoed:
                yield Difference(part, sent[part], None, is_note=True)
            elif echoed[part] != sent[part]:
                yield Difference(part, sent[part], echoed[part])
    for part in ("filterConfig", "metadata", "branchId"):  # free form, or never echoed: the server may rewrite them
        if sent.get(part) is not None and echoed.get(part) != sent[part]:
            yield Difference(part, sent[part], echoed.get(part), is_note=True)


def _text(part: str, sent: Any, echoed: Mapping[str, Any]) -> Iterator[Difference]:
    if part not in echoed:
        if sent is not None:
            yield Difference(part, sent, None, is_note=True)
    elif (echoed[part] or None) != (sent or None):
        yield Difference(part, sent, echoed[part])


def _tiles(sent: Any, echoed: Any) -> Iterator[Difference]:
    """Tiles in order: missing or renamed ones, and another table or other fields in a query."""
    sent = sent or []
    if not isinstance(echoed, list):
        if sent:
            yield Difference("queryPresentations", len(sent), None, is_note=True)
        return
    if len(echoed) < len(sent) or (echoed and not sent):
        yield Difference("queryPresentations", len(sent), len(echoed))
    for number, (tile, echo) in enumerate(zip(sent, echoed, strict=False)):
        part = f"queryPresentations[{number}]"
        if not isinstance(echo, dict):
            yield Difference(part, tile.get("name"), echo)
            continue
        if "name" in echo and echo["name"] != tile.get("name"):
            yield Difference(f"{part}.name", tile.get("name"), echo["name"])
        query, echoed_query = tile.get("query") or {}, echo.get("query")
        for name in ("table", "fields"):
            if not isinstance(echoed_query, dict) or name not in echoed_query:
                yield Difference(f"{part}.query.{name}", query.get(name), None, is_note=True)
            elif echoed_query[name] != query.get(name):
                yield Difference(f"{part}.query.{name}", query.get(name), echoed_query[name])
