"""The world's clock: seconds since the world began, and what a calendar shows then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(2026, 3, 1, tzinfo=UTC)


def wall_clock(seconds: float) -> datetime:
    """The date and time, UTC."""
    return EPOCH + timedelta(seconds=seconds)
