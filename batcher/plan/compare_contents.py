"""The rows to send, compared by content with the documents that no row holds: before the first request (contract 5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import merge

from ..config import RunSettings
from ..files.disk import Storage
from ..files.failures_view import outcome_at
from ..files.past import RowState
from ..models import Spec
from ..omni.v1 import V1
from ..read.sources import Source
from ..reasons import Reason
from ..report.observers import Observer
from ..validate.check import Checked
from ..validate.checked_rows import InvalidRow
from .content_messages import name_unclaimed, problem_of, warn_of_moved, warn_of_others
from .documents_left import Left, find_left
from .pairs import Kind, Pair, Same, Sought
from .same_content import Seeking, answered
from .seen_rows import SENT, SeenRows, SpooledRows

_NEW = (RowState.NEW, RowState.FAILED)  # a row that is new may have been invalid when it came: then it has failed since


@dataclass(frozen=True, slots=True)
class Comparison:
    """What it needs: what the check pass saw, and of what. `only_failures`: the input is these files' own failures file."""

    settings: RunSettings
    storage: Storage
    seen: SeenRows
    spooled: SpooledRows
    checked: Checked
    sources: Sequence[Source]
    only_failures: bool

    def compare(self, observer: Observer) -> Same:
        """Which rows are which, as far as the options answer; documents that no row has any more are told. Raises UsageError."""
        same = self._compare(observer) if self._is_needed() else Same()
        return same if same.unanswered else replace(same, holding=(*same.holding, *self._displaced(same)))

    def _compare(self, observer: Observer) -> Same:
        left = self._left()
        seeking = self._seeking(left)
        found = seeking.pairs(self._new())
        same = answered(self.settings, found, seeking.moves(found))
        if not same.unanswered:
            warn_of_moved(same.moved, observer)
        if self.is_part or not self._has_new():
            return same
        warn_of_others(left, observer)
        base_url = self.settings.endpoint.base_url
        url = V1(base_url).url if base_url and not self.settings.endpoint.sandbox else str
        return name_unclaimed(left, same, self.seen.past.journaled.named, url, observer)

    @property
    def is_part(self) -> bool:
        """Whether the rows are some of those of other inputs, in a failures file or a sheet: all of these are compared."""
        return self.only_failures or self.seen.has_sheet

    def _displaced(self, same: Same) -> Iterator[Pair]:
        """Rows that another row has kept from the key they should have: they keep the one they got, in whatever order."""
        claims, paired = self.checked.claims, {pair.key for pair in same.holding}
        for key in claims.displaced:
            if key not in paired:
                yield Pair(Kind.MOVED, key, claims.own_keys[key], "", 0, key)

    def _is_needed(self) -> bool:
        counts, past, keys = self.seen.counts, self.seen.past, self.checked.claims.keys
        if len(self.spooled.changed) > (0 if self.settings.rekey else 1) and not self.is_part:
            return True
        if not self._has_new():
            return False
        return (
            self.is_part
            or counts[RowState.CREATED] + counts[RowState.CHANGED] < len(past.created)
            or len(self.spooled.changed) > 0
            or any(
                (history.is_open or history.failure is not None or history.is_undone) and key not in keys
                for key, history in past.journaled.histories.items()
            )
        )

    def _has_new(self) -> bool:
        return any(self.seen.counts[state] for state in _NEW) or next(self._edited(), None) is not None

    def _left(self) -> Left:
        is_claimed, has_changed = self.checked.claims.keys.__contains__, self.seen.changed.__contains__
        sources = None if self.is_part else self.sources
        return find_left(self.storage, self.settings.files, self.seen.past, sources, is_claimed, has_changed)

    def _seeking(self, left: Left) -> Seeking:
        return Seeking(
            self.storage,
            self.settings.files.journal,
            left,
            lambda: {row.key: row for row in self.spooled.changed},
            self.checked.claims.own_keys,
            self.checked.claims.keys.__contains__,
            self.seen.past,
            self.is_part,
        )

    def _new(self) -> Iterator[Sought]:
        """The rows that may be others by their key alone, in input order.

        A failures file as the input holds no other rows of its run, so each is the row of its key, if it's as it was sent.
        """
        places = {source.name: number for number, source in enumerate(self.sources)}
        spools = (self.spooled.valid[state] for state in _NEW)
        for spec in merge(*spools, self._edited(), key=lambda spec: (places.get(spec.source, 0), spec.line)):
            failure = self.seen.past.history_of(spec.key).failure if self.only_failures else None
            if failure is None:
                yield Sought.by(spec)
            else:
                failed = outcome_at(self.storage, self.settings.files.journal, failure)
                place, is_held_back = f"{failed.source}:{failed.line}", failed.reason is Reason.SAME_CONTENT
                yield Sought.by(spec, place, is_held_back=is_held_back)

    def _edited(self) -> Iterator[Spec]:
        """Rows with an unclear attempt of something else: they, too, may be others by their key alone."""
        if not self.only_failures:
            yield from (spec for spec in self.spooled.valid[RowState.UNCERTAIN] if spec.key in self.seen.changed)

    def hold_back(self, pairs: Sequence[Pair], observer: Observer) -> None:
        """With --skip-invalid these rows are not sent, but booked as failed, or stay uncertain. Raises UsageError."""
        held = {pair.key: pair for pair in pairs}
        for state in SENT:
            for spec in self.spooled.take_out(state, lambda spec: spec.key in held):
                problem = problem_of(held[spec.key])
                observer.problem(problem)
                self.seen.counts[state] -= 1
                self.checked.invalid += 1
                self.spooled.invalid.add(InvalidRow(spec.row, spec.key, (problem,), Reason.SAME_CONTENT))
        self.spooled.invalid.seal()
