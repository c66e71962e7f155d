"""Answers that name another document than the one that was asked for, or one that this run has booked already.

A proxy that delivers one answer twice, or a server that doesn't keep to the identifiers that it's given: what the attempt
did is unclear, and the run can't go on. Nothing else is created from then on; each such row is looked up; then it stops.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import StopReason
from ..models import Outcome
from ..omni.verdicts import Made, Unclear
from ..reasons import Reason
from .reconcile import Reconciler
from .requester import Requester
from .row_progress import RowProgress

_STOP = (
    "{place}: the answer to its create names {made!r}, {why}. With this server, or something on the way to it, "
    "batcher can't be sure to create each document once and to tell them apart, so it stopped sending. {after}"
)
_RENAMED = "but {asked_for!r} was requested"
_TWICE = "which another row of this run already has"
_AFTER = "To go on without that protection, use --no-fill-identifiers."
_AFTER_TWICE = "Check what's in front of the server (a proxy that repeats answers?)."


@dataclass(frozen=True, slots=True)
class Misnamed:
    """Unclear: this answer is not the row's own, or the server made something else."""

    made: Made


class Misnaming:
    """Shared by all workers of a run."""

    def __init__(self, requester: Requester, reconciler: Reconciler) -> None:
        self._requester = requester
        self._reconciler = reconciler
        self._named: set[str] = set()  # by the answers to this run's creates, if rows leave the choice to the server
        self.rows: set[str] = set()  # those that are looked up now

    def takes(self, identifier: str, asked_for: str | None) -> bool:
        """Whether a create's answer may be the row's. If not, the connection that it came on carries nothing more."""
        if identifier == asked_for or (asked_for is None and identifier not in self._named):
            if not self._reconciler.settings.fill_identifiers:
                self._named.add(identifier)
            return True
        self._requester.transport.drop_kept()  # another answer may be on its way there
        return False

    async def settle(self, progress: RowProgress, misnamed: Misnamed) -> Outcome:
        """Look the row up; the last such row stops the run."""
        made, asked_for = misnamed.made, progress.identifier
        why = _TWICE if asked_for is None else _RENAMED.format(asked_for=asked_for)
        progress.last = Unclear(Reason.BAD_RESPONSE, made.status, f"the answer names {made.identifier!r}, {why}")
        self.rows.add(progress.key)
        try:
            return await self._reconciler.settle_misnamed(progress, made)
        finally:
            self.rows.discard(progress.key)
            if not self.rows:
                after = _AFTER_TWICE if asked_for is None else _AFTER
                message = _STOP.format(place=progress.spec.place, made=made.identifier, why=why, after=after)
                self._requester.stop(message, StopReason.WRONG_DOCUMENT)
