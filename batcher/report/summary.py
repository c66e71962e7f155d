"""What a run did, in counts that add up, as text for people and as one JSON object for programs.

The JSON object of `batcher run --json` and `--summary FILE`:

| field | type | meaning |
|---|---|---|
| command | text | `run` |
| exitCode | integer | what the command exits with (contract 10) |
| run | text | id of this run, also in each line of the files |
| startedAt, finishedAt | text | UTC, ISO 8601 |
| elapsedSeconds | number | wall time of the run |
| inputs | texts | as named on the command line |
| baseUrl, sandbox | text, boolean | where documents were sent |
| rows | integer | rows read; equals created + failed + uncertain + notAttempted |
| created | integer | createdNow + createdBefore + reconciled + adopted |
| createdNow | integer | created by this run, with a clear answer |
| createdBefore | integer | created by an earlier run; not sent again |
| reconciled | integer | found in existence by this run after an unclear attempt |
| adopted | integer | existed under the row's identifier and matched; booked as the row's by this run |
| failed, invalid | integer | rows without a document, and how many of these are invalid rows |
| uncertain | integer | rows of which nobody knows yet |
| notAttempted | integer | toDo + undone |
| toDo | integer | rows that a further run will send |
| undone | integer | rows whose documents `batcher undo` deleted |
| changed | integer | created before, but the row differs now from what was sent (part of createdBefore) |
| otherFailures | integer | lines of the failures file whose rows these inputs do not hold; no part of rows |
| requests, requestsPerSecond | number | requests sent, retries, look-ups and preflight included |
| rate | text | the rate that was allowed, for each key |
| stopped | text or null | why the run stopped early |
| interrupted, deadlineReached, limitReached | boolean | what ended the run before its last row |
| files | object or null | `results`, `failures`, `journal`, `keptFailures` (a hand-edited failures file, or null) |
| firstFailures | objects | up to ten: key, source, line, outcome, reason, status, message, hint |
| warnings | texts | as shown |
| error | text | only if the command ended with an error; then fields that are not known are absent |
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..models import Failed, Uncertain

if TYPE_CHECKING:
    from ..config import Files

SHOWN_FAILURES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The counts and circumstances of one run; the module's table says what each means. Times are UTC.

    `rate` is for each of `keys`.
    """

    run: str
    started: str
    finished: str
    elapsed_seconds: float
    inputs: tuple[str, ...]
    base_url: str
    sandbox: bool = False
    rows: int
    created_now: int = 0
    created_before: int = 0
    reconciled: int = 0
    adopted: int = 0
    failed: int = 0
    invalid: int = 0
    uncertain: int = 0
    to_do: int = 0
    undone: int = 0
    changed: int = 0
    other_failures: int = 0
    requests: int = 0
    rate: str = ""
    keys: int = 1
    stopped: str | None = None
    interrupted: bool = False
    deadline_reached: bool = False
    limit_reached: bool = False
    files: Files | None = None
    kept_failures: Path | None = None
    first_failures: tuple[Failed | Uncertain, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def created(self) -> int:
        """All rows that have their document, whenever and however that came to be known."""
        return self.created_now + self.created_before + self.reconciled + self.adopted

    @property
    def not_attempted(self) -> int:
        """Rows that were not sent and have no document."""
        return self.to_do + self.undone

    @property
    def adds_up(self) -> bool:
        """Every row read ended in exactly one outcome, and rows are left only where something ended the run early."""
        counted = self.created + self.failed + self.uncertain + self.not_attempted
        ended_early = self.stopped is not None or self.interrupted or self.deadline_reached or self.limit_reached
        return counted == self.rows and self.invalid <= self.failed and (self.to_do == 0 or ended_early)


def exit_code(summary: Summary) -> int:
    """Contract 10: of several the first of 70, 130, 3, 5, 6, 1, 0."""
    work_remains = summary.to_do > 0
    ladder = (
        (not summary.adds_up, 70),
        (summary.interrupted, 130),
        (summary.stopped is not None, 3),
        (summary.uncertain > 0, 5),
        ((summary.deadline_reached or summary.limit_reached) and work_remains, 6),
        (summary.failed > 0, 1),
    )
    return next((code for applies, code in ladder if applies), 0)
