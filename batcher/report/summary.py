"""What a run did, in counts that add up, as text for people and as one JSON object for programs.

`README.md` beside this file documents the object field by field.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..config import Files
from ..errors import StopReason
from ..models import ApiVersion, Failure, word_of
from .failure_groups import FailureGroup
from .json_fields import fields_of

SHOWN_FAILURES = 10
_FIELDS = (  # that are in the object as they are here
    "elapsed_seconds inputs base_url sandbox rows created created_now created_before reconciled adopted unfinished "
    "failed invalid uncertain not_attempted to_do undone changed other_failures requests rate api stopped stopped_reason "
    "interrupted deadline_reached limit_reached warnings"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The counts and circumstances of one run; README.md says what each means. Times are UTC.

    `rate` is for each of `keys`. `held_back`: of `invalid`, the rows whose content was created under another key.
    `first_failures` are of this run, `failures` all that there are now.
    `links` lead to the first documents of a canary.
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
    unfinished: int = 0
    unreached: int = 0
    has_folders: bool = False
    failed: int = 0
    invalid: int = 0
    held_back: int = 0
    uncertain: int = 0
    to_do: int = 0
    undone: int = 0
    changed: int = 0
    other_failures: int = 0
    requests: int = 0
    rate: str = ""
    api: ApiVersion = ApiVersion.V1
    keys: int = 1
    stopped: str | None = None
    stop_reason: StopReason | None = None
    foreign_writer: bool = False
    interrupted: bool = False
    deadline_reached: bool = False
    limit_reached: bool = False
    files: Files | None = None
    kept_failures: Path | None = None
    first_failures: tuple[Failure, ...] = ()
    failures: tuple[FailureGroup, ...] = ()
    links: tuple[str, ...] = ()
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
    def stopped_reason(self) -> StopReason | None:
        """What ended the run before each row had its outcome; None if nothing did."""
        if not self.adds_up:
            return StopReason.INTERNAL
        return self.stop_reason if self.to_do or self.interrupted or self.stopped is not None else None

    @property
    def adds_up(self) -> bool:
        """Every row read ended in exactly one outcome, and rows are left only where something ended the run early."""
        counted = self.created + self.failed + self.uncertain + self.not_attempted
        ended_early = self.stopped is not None or self.interrupted or self.deadline_reached or self.limit_reached
        parts_fit = self.invalid <= self.failed and self.unreached <= self.unfinished <= self.created
        return counted == self.rows and parts_fit and (self.to_do == 0 or ended_early)


def exit_code(summary: Summary) -> int:
    """Contract 10: of several the first of 70, 130, 4, 3, 5, 6, 1, 0."""
    work_remains = summary.to_do > 0 or summary.unreached > 0
    ladder = (
        (not summary.adds_up, 70),
        (summary.interrupted, 130),
        (summary.foreign_writer, 4),
        (summary.stopped is not None, 3),
        (summary.uncertain > 0, 5),
        ((summary.deadline_reached or summary.limit_reached) and work_remains, 6),
        (summary.failed > 0 or summary.unfinished > 0, 1),
    )
    return next((code for applies, code in ladder if applies), 0)


def summary_object(summary: Summary) -> dict[str, object]:
    """The fields that README.md documents, without `command` and `exitCode`."""
    return {
        "run": summary.run,
        "startedAt": summary.started,
        "finishedAt": summary.finished,
        **fields_of(summary, _FIELDS),
        "requestsPerSecond": round(requests_per_second(summary), 3),
        "files": files_object(summary.files, summary),
        "firstFailures": [_failure_object(failure) for failure in summary.first_failures[:SHOWN_FAILURES]],
    }


def files_object(files: Files | None, summary: Summary | None = None) -> dict[str, object] | None:
    """The names of the files."""
    if files is None:
        return None
    names = {name: str(path) for name, path in fields_of(files, "results failures journal").items()}
    names |= {"sheet": str(files.sheet)} if files.sheet else {}
    kept = summary.kept_failures if summary else None
    return {**names, "keptFailures": str(kept) if kept else None}


def _failure_object(failure: Failure) -> dict[str, object]:
    return fields_of(failure, "key source line reason status message hint") | {"outcome": word_of(failure)}


def requests_per_second(summary: Summary) -> float:
    """Over the intervals between requests, of which there is one less than requests."""
    return max(0, summary.requests - 1) / summary.elapsed_seconds if summary.elapsed_seconds > 0 else 0.0
