"""Ids and times as the API writes them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

ORGANIZATION = "8d3f6a1e-52c4-4b0e-9a57-0c1f6b7e2d90"


def iso(seconds: float) -> str:
    """`2026-07-01T09:30:00.123Z` for seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def uuid_of(*parts: object) -> str:
    """A UUID that is always the same for the same parts, so that it need not be stored."""
    text = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=16).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
