"""Times as the files hold them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


def stamp(now: datetime) -> str:
    """UTC, ISO 8601 with milliseconds: 2026-11-23T22:16:04.123+00:00.

    `datetime.isoformat` says the same and takes four times as long; at a thousand rows a second that shows.
    """
    utc = now if now.tzinfo is UTC else now.astimezone(UTC)
    second = _second(utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second)
    return f"{second}.{utc.microsecond // 1000:03d}+00:00"


@lru_cache(maxsize=8)
def _second(year: int, month: int, day: int, hour: int, minute: int, second: int) -> str:
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}"
