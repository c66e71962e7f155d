"""What a run is about to do, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

from ..pace.rate import Rate

LARGE_RUN = 100  # rows; from here on a first run is told of `--limit 5`


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run finds before it sends. `rows` = created + failed + uncertain + undone + to_do.

    `failed` are those of earlier runs, sent again after all others, and the `invalid` ones, which are not sent.
    `uncertain` are settled first. `changed` and `unfinished` (parts of created) differ from what was sent, and lack steps.
    `keys` multiply the rate. `steps` are requests that follow creates, `moves` those of them that v2 spares.
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
    unfinished: int = 0
    steps: int = 0
    moves: int = 0

    @property
    def creating(self) -> int:
        """Rows without a document that a run would attempt or settle, if nothing limits it."""
        return self.to_do + self.failed - self.invalid + self.uncertain

    @property
    def sending(self) -> int:
        """Rows that this run will attempt, settle or finish."""
        rows = self.creating + self.unfinished
        return rows if self.limit is None else min(rows, self.limit)

    @property
    def requests(self) -> int:
        """What that takes without any trouble: a create for each row, and the steps that follow."""
        return self._limited(self.creating + self.steps)

    def _limited(self, requests: int) -> int:
        """Of a canary's rows, as many requests as all rows have on average."""
        rows = self.creating + self.unfinished
        return requests if rows == self.sending else round(requests * self.sending / rows)

    @property
    def is_large_first(self) -> bool:
        """Whether a canary would be wise: many rows, none of them created yet, and no limit given."""
        return self.limit is None and self.created == 0 and self.sending >= LARGE_RUN

    @property
    def seconds(self) -> float | None:
        """How long that takes at the rate; None without a rate."""
        return self._seconds(self.requests)

    @property
    def seconds_with_v2(self) -> float | None:
        """How long it would take if the folder went with the create."""
        return self._seconds(self._limited(self.creating + self.steps - self.moves))

    def _seconds(self, requests: int) -> float | None:
        if self.rate is None:
            return None
        return max(0, requests - 1) * self.rate.period_seconds / (self.rate.limit * max(1, self.keys))
