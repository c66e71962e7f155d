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
    found: Any
    is_note: bool = False


def is_match(sent: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Whether everything readable equals what was sent (contract 7). Without its name a document proves nothing."""
    return "name" in found and not any(not one.is_note for one in differences(sent, found))


def differences(sent: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[Difference]:
    """Each part of what was sent that reads differently, or does not come back."""
    for part in _TEXTS:
        yield from _text(part, sent.get(part), found)
    model_id = found.get("modelId")
    if model_id is None:
        yield Difference("modelId", sent.get("modelId"), None, is_note=True)
    elif str(model_id).lower() != str(sent.get("modelId")).lower():
        yield Difference("modelId", sent.get("modelId"), model_id)
    yield from _tiles(sent.get("queryPresentations"), found.get("queryPresentations"))
    for part in ("facetFilters", "filterOrder"):
        if sent.get(part) is not None:
            if part not in found:
                yield Difference(part, sent[part], None, is_note=True)
            elif found[part] != sent[part]:
                yield Difference(part, sent[part], found[part])
    for part in ("filterConfig", "metadata", "branchId"):  # free form, or never echoed: the server may rewrite them
        if sent.get(part) is not None and found.get(part) != sent[part]:
            yield Difference(part, sent[part], found.get(part), is_note=True)


def _text(part: str, sent: Any, found: Mapping[str, Any]) -> Iterator[Difference]:
    if part not in found:
        if sent is not None:
            yield Difference(part, sent, None, is_note=True)
    elif (found[part] or None) != (sent or None):
        yield Difference(part, sent, found[part])


def _tiles(sent: Any, found: Any) -> Iterator[Difference]:
    """Tiles in order: missing or renamed ones, and another table or other fields in a query."""
    sent = sent or []
    if not isinstance(found, list):
        if sent:
            yield Difference("queryPresentations", len(sent), None, is_note=True)
        return
    if len(found) < len(sent) or (found and not sent):
        yield Difference("queryPresentations", len(sent), len(found))
    for number, (mine, theirs) in enumerate(zip(sent, found, strict=False)):
        part = f"queryPresentations[{number}]"
        if not isinstance(theirs, dict):
            yield Difference(part, mine.get("name"), theirs)
            continue
        if "name" in theirs and theirs["name"] != mine.get("name"):
            yield Difference(f"{part}.name", mine.get("name"), theirs["name"])
        query, read = mine.get("query") or {}, theirs.get("query")
        for name in ("table", "fields"):
            if not isinstance(read, dict) or name not in read:
                yield Difference(f"{part}.query.{name}", query.get(name), None, is_note=True)
            elif read[name] != query.get(name):
                yield Difference(f"{part}.query.{name}", query.get(name), read[name])
