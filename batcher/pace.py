"""The pace: at most N requests start in any window; being written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `limit` request starts in any `period_seconds`."""

    limit: int
    period_seconds: float
