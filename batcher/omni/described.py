"""What an instance's own OpenAPI description says of creating documents (API.md 7)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson

from ..models import ApiVersion

_DOCUMENTS = re.compile(r"/v\d+/documents/?$")


@dataclass(frozen=True, slots=True)
class Offer:
    """Whether one version's create is offered, and for how long; `has_other`: the other version's is."""

    is_offered: bool
    is_deprecated: bool = False
    has_other: bool = False


def offer_of(described: bytes, version: ApiVersion) -> Offer | None:
    """What is offered of this version; None if the description doesn't speak of documents at all."""
    match _json(described):
        case {"paths": dict(paths)}:
            creates = {
                str(path).rstrip("/"): methods for path, methods in paths.items() if _DOCUMENTS.search(str(path))
            }
        case _:
            return None
    if not creates:
        return None
    own = _of_version(creates, version)
    deprecated = [
        one["post"].get("deprecated") for one in own if isinstance(one, dict) and isinstance(one.get("post"), dict)
    ]
    has_other = any(map(_offers, _of_version(creates, version.other)))
    return Offer(any(map(_offers, own)), any(flag is True for flag in deprecated), has_other)


def _of_version(creates: dict[str, Any], version: ApiVersion) -> list[Any]:
    return [methods for path, methods in creates.items() if path.endswith(f"/{version}/documents")]


def _offers(methods: Any) -> bool:
    """Whether there is a POST among these, or may be one."""
    return not isinstance(methods, dict) or "post" in methods or "$ref" in methods


def _json(text: bytes) -> Any | None:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
