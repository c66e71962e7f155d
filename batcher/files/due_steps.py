"""What created rows still lack: their steps, by key, from the journal's lines (contract 14).

As with `key_history.py` the journal's reader and the ledger follow the lines by the same rules, so that a run knows at
every moment what a later one would read. A row that lacks nothing is forgotten, so memory holds the unfinished ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, assert_never

from ..identity import BODY_DIGITS, HASH_DIGITS, fingerprint
from ..models import Unfinished
from ..placement import Placement, StepKind, steps_of
from ..reasons import Reason
from .journal_lines import FailureLine, Intent
from .step_lines import Making, PlaceMade, StepDone, StepsDue

_PLACED = (1 << 4 * (HASH_DIGITS - BODY_DIGITS)) - 1  # those of them that stand for folder and labels


class DueSteps(NamedTuple):
    """A created row's missing steps, `kinds`, in their order, and what they bring about.

    `failure` is the offset (bytes) of its failures line in the journal. `is_refused`: that line says that a step was
    refused, or its attempts are used up; otherwise nothing has come to it.
    """

    placement: Placement
    kinds: tuple[StepKind, ...]
    failure: int | None = None
    is_refused: bool = False


def kinds_for(placement: Placement, due: DueSteps | None) -> tuple[StepKind, ...]:
    """The steps of a created row that asks for this now: those that are missing, and those that bring about something else."""
    if due is None:
        return steps_of(placement)
    new = {StepKind.FOLDER} if placement.folder != due.placement.folder else set[StepKind]()
    new |= {StepKind.LABELS} if placement.labels != due.placement.labels else set()
    return tuple(kind for kind in steps_of(placement) if kind in due.kinds or kind in new)


@dataclass(slots=True)
class StepsLeft:
    """All rows' missing steps. `placed`: for rows whose steps were changed, what is kept of the hash of these.

    `making`: folders (by path, without case) of which nobody knows whether they were made.
    """

    due: dict[str, DueSteps] = field(default_factory=dict)
    placed: dict[str, int] = field(default_factory=dict)
    making: dict[tuple[StepKind, str], Making] = field(default_factory=dict)

    def copy(self) -> StepsLeft:
        """The same, to go on from."""
        return StepsLeft(dict(self.due), dict(self.placed), dict(self.making))

    def take(
        self,
        line: StepsDue | StepDone | Making | PlaceMade | FailureLine,
        offset: int,
        is_created: Callable[[str], bool],
    ) -> None:
        """The next line of the journal, which begins at `offset`."""
        match line:
            case StepsDue():
                if is_created(line.key):
                    self.change(line)
            case StepDone():
                self.done(line)
            case FailureLine():
                self.fail(line, offset)
            case Making():
                self.making[line.kind, line.name.casefold()] = line
            case PlaceMade():
                self.making.pop((line.kind, line.name.casefold()), None)
            case _:
                assert_never(line)

    def intended(self, intent: Intent) -> None:
        """What a row that is created was sent with."""
        self.owe(intent.key, intent.placement, intent.steps)

    def owe(self, key: str, placement: Placement, kinds: tuple[StepKind, ...]) -> None:
        """A row was created now, and these steps follow."""
        self.placed.pop(key, None)
        if kinds:
            self.due[key] = DueSteps(placement, kinds)
        else:
            self.due.pop(key, None)

    def change(self, line: StepsDue) -> None:
        """Its steps are others now. A failures line that it has holds until they are done."""
        self.placed[line.key] = fingerprint(line.spec_hash) & _PLACED
        before = self.due.pop(line.key, None)
        if line.due:
            self.due[line.key] = DueSteps(line.placement, line.due, before.failure if before else None)

    def done(self, line: StepDone) -> None:
        """One is done."""
        before = self.due.get(line.key)
        if before is None:
            return
        kinds = tuple(kind for kind in before.kinds if kind is not line.step)
        if kinds:
            self.due[line.key] = before._replace(kinds=kinds)
        else:
            del self.due[line.key]

    def fail(self, line: FailureLine, offset: int) -> None:
        """It was booked as unfinished."""
        before, outcome = self.due.get(line.key), line.outcome
        if before is not None and isinstance(outcome, Unfinished):
            is_refused = outcome.reason is not Reason.INTERRUPTED
            self.due[line.key] = before._replace(failure=offset, is_refused=is_refused)

    def forget(self, key: str) -> None:
        """Undo deleted its document."""
        self.due.pop(key, None)
        self.placed.pop(key, None)

    def sent_of(self, key: str, sent: int) -> int:
        """What is kept of the hash of a created row's spec, as its steps have made it; `sent` is of its create."""
        placed = self.placed.get(key) if self.placed and sent else None
        return sent if placed is None else (sent & ~_PLACED) | placed


def has_other_body(sent: int, spec_hash: str) -> bool:
    """Whether a row with this hash differs from what was created in more than folder and labels."""
    return sent != 0 and sent & ~_PLACED != fingerprint(spec_hash) & ~_PLACED


def has_other_placement(sent: int, spec_hash: str) -> bool:
    """Whether it differs in folder or labels. Of a row with other content nobody can tell: its own digits say nothing."""
    return sent != 0 and sent & _PLACED != fingerprint(spec_hash) & _PLACED
