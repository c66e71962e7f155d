"""What the world writes down while a life is lived: inputs, processes, intents, counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import orjson

from batcher.config import Files
from batcher.errors import BatcherError
from batcher.models import Problem
from batcher.report.summary import Summary

from .schedule import Run, SimRow

FILES = Files(
    results=Path("boards.results.jsonl"),
    failures=Path("boards.failures.jsonl"),
    journal=Path("boards.journal.jsonl"),
)


# Whose request leaves. Rows may be wholly identical, and an intent may be left without a request: a body does not tell.
SENDING: ContextVar[str] = ContextVar("SENDING")


class Broken(AssertionError):  # noqa: N818 - named after what happened to a law
    """A law was broken. The text tells the seed, the law, and the story so far."""


@dataclass(frozen=True, slots=True)
class Input:
    """One row as a run is given it: its key is set where the row brings one (its own, or a failures line's)."""

    row: SimRow
    key: str | None


@dataclass(slots=True, kw_only=True)
class Start:
    """One process: what it was given, and how it ended."""

    number: int
    run: Run
    inputs: tuple[Input, ...] = ()
    texts: dict[str, bytes] = field(default_factory=dict)  # the same by input, as bytes
    began_at: float
    is_calm: bool
    keys: dict[str, Input] = field(default_factory=dict)
    created_before: frozenset[str] = frozenset()
    held_before: frozenset[str] = frozenset()
    reads_failures: bool = False
    rekey: bool = False
    create_again: bool = False
    skip_invalid: bool = True
    died: bool = False
    disk_faults: int = 0
    was_interrupted: bool = False
    summary: Summary | None = None
    error: BatcherError | None = None
    crash: BaseException | None = None
    problems: list[Problem] = field(default_factory=list)  # that it told of rows
    warnings: list[str] = field(default_factory=list)

    @property
    def has_work_left(self) -> bool:
        """Whether it left rows to a later run."""
        return self.summary is None or self.summary.to_do > 0

    @property
    def was_finished(self) -> bool:
        """Whether it ran to its own end: not killed, not interrupted, not stopped."""
        return self.summary is not None and self.summary.stopped is None and not self.summary.interrupted


@dataclass(frozen=True, slots=True)
class Intent:
    """An intent as it lies in the journal, durable."""

    key: str
    identifier: str | None
    body: dict[str, Any]


@dataclass(slots=True)
class Tally:
    """What the long run adds up. `duplicates` and `losses` stay 0, or the seed fails."""

    lives: int = 0
    processes: int = 0
    crashes: int = 0
    power_cuts: int = 0
    interrupts: int = 0
    posts: int = 0
    reads: int = 0
    documents: int = 0
    reconciled: int = 0
    uncertain: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """Add another's counts to these."""
        for name in (one.name for one in fields(self)):
            mine = getattr(self, name)
            if isinstance(mine, Counter):
                mine.update(getattr(other, name))
            else:
                setattr(self, name, mine + getattr(other, name))


def whole_lines(data: bytes) -> list[dict[str, Any]]:
    """The lines of a file that end with a newline."""
    return [orjson.loads(line) for line in data[: data.rfind(b"\n") + 1].splitlines()]


def run_id(start: Start) -> str:
    """How the run calls itself."""
    return f"run{start.number}"


def row_of(spec: dict[str, Any]) -> SimRow:
    """The row that a failures line's `spec` came from, as it was read then."""
    marker, version, *refuse = str(spec["description"]).split(" ")
    return SimRow(
        number=int(marker.removeprefix("row:")),
        name=spec["name"],
        model_id=spec["modelId"],
        identifier=spec.get("identifier"),
        version=int(version.removeprefix("v")),
        refuse=int(refuse[0].removeprefix("refuse:")) if refuse else None,
        is_broken="facetFilters" in spec,
        folder=spec.get("folder"),
        labels=tuple(spec.get("labels", ())),
    )


def line_of(row: SimRow) -> bytes:
    """The row's line in an input."""
    fields: dict[str, object] = {"key": row.key} if row.key else {}
    fields |= {"modelId": row.model_id, "name": row.name, "description": row.description}
    if row.identifier:
        fields["identifier"] = row.identifier
    if row.is_broken:
        fields["facetFilters"] = "perhaps"
    if row.folder is not None:
        fields["folder"] = row.folder
    if row.labels:
        fields["labels"] = row.labels
    return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)


def describe(run: Run) -> str:
    """A run in one line."""
    sending = run.sending
    said: list[Any] = [
        f"concurrency {sending.concurrency}",
        f"attempts {sending.max_attempts}",
        f"rate {sending.rate}",
        "fill" if sending.fill_identifiers else "no fill",
        sending.api,
    ]
    said += [name for name in ("adopt_existing", "resend_uncertain") if getattr(sending, name)]
    said += [name for name in ("makes_places", "applies_steps") if getattr(run, name)]
    said += [f"limit {sending.limit}"] if sending.limit else []
    for name in (
        "crash",
        "interrupt_seconds",
        "second_interrupt_seconds",
        "room_bytes",
        "failing_sync",
        "edits",
        "ending",
    ):
        value = getattr(run, name)
        said += [f"{name} {value}"] if value not in (None, ()) else []
    said += ["from failures"] if run.from_failures else []
    return ", ".join(map(str, said))


def brief(summary: Summary | None) -> str:
    """A summary in one line."""
    if summary is None:
        return "no summary"
    counts = f"created {summary.created}, failed {summary.failed}, uncertain {summary.uncertain}, to do {summary.to_do}"
    return f"{counts} of {summary.rows}" + (f"; stopped: {summary.stopped}" if summary.stopped else "")


def keys_of(lines: Sequence[dict[str, Any]]) -> Counter[str]:
    """How often each key stands in these lines."""
    return Counter(str(line["key"]) for line in lines)
