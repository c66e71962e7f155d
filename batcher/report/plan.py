"""What a run is about to do, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

from ..pace.rate import Rate

LARGE_RUN = 100  # rows; from here on a first run is told of `--limit 5`


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run finds before it sends. `rows` = created + failed + uncertain + undone + to_do.

    `failed` are those of earlier runs, sent again after all others, and the `invalid` ones, which are not sent.
    `uncertain` are settled first. `changed` (part of created) differ from what was sent. `keys` multiply the rate.
    """

    rows: int
    created: int = 0
    failed: int = 0
    invalid: int = 0
    uncertain: int = 0
    undone: int = 0
    to_do: int = 0
    changed: int = 0
    other_failures: int = 0
    rate: Rate | None = None
    keys: int = 1
    limit: int | None = None

    @property
    def sending(self) -> int:
        """Rows that this run will attempt or settle."""
        rows = self.to_do + self.failed - self.invalid + self.uncertain
        return rows if self.limit is None else min(rows, self.limit)

    @property
    def is_large_first(self) -> bool:
        """Whether a canary would be wise: many rows, none of them created yet, and no limit given."""
        return self.limit is None and self.created == 0 and self.sending >= LARGE_RUN

    @property
    def seconds(self) -> float | None:
        """How long that takes at the rate, one request for each row; None without a rate."""
        if self.rate is None:
            return None
        return max(0, self.sending - 1) * self.rate.period_seconds / (self.rate.limit * max(1, self.keys))
