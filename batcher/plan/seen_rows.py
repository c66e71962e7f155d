"""Every row as the check pass sees it: counted by where it stands, and spooled if it is to be sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain

from ..config import Files, RunSettings
from ..files.disk import Storage
from ..files.past import Past, RowState
from ..files.spool import Spool
from ..models import Spec
from ..read.sources import Source
from ..report.observers import Observer
from ..report.plan import Plan
from ..validate.check import Checked
from ..validate.checked_rows import InvalidRow, ValidRow
from .failures_input import unknown_key
from .mentions import Asked
from .missing_journal import is_unknown, put_it_back
from .same_content import Pair, find_left, name_unclaimed, pairs, refusal

SENT = (RowState.UNCERTAIN, RowState.NEW, RowState.FAILED)  # in the order in which a run comes to them
_SHOWN = 5  # places named in a warning about many rows


@dataclass(frozen=True, slots=True)
class SpooledRows:
    """The rows that a run sends, by where they stand, and those that it books as invalid."""

    valid: dict[RowState, Spool[Spec]]
    invalid: Spool[InvalidRow]

    def seal(self) -> None:
        """All rows are read. Raises UsageError if the disk does not take them."""
        self.invalid.seal()
        for specs in self.valid.values():
            specs.seal()


@contextmanager
def open_spools(storage: Storage, files: Files) -> Iterator[SpooledRows]:
    """For the block, beside the results. Nothing is made before the first row is spooled."""
    with ExitStack() as stack:
        valid = {state: Spool[Spec](storage, files.results, stack) for state in SENT}
        yield SpooledRows(valid, Spool(storage, files.results, stack))


@dataclass(slots=True)
class SeenRows:
    """Counts rows by where they stand, spools those to send, and remembers a few places to name."""

    past: Past
    spooled: SpooledRows | None
    recreate: bool
    lost: str | None  # the place of the first uncertain line that the journal knows nothing of
    is_continued: bool = False  # the input is the failures file of these files' own runs
    unknown: str | None = None  # why nothing may be sent: a line of that file has a key that the journal doesn't know
    counts: dict[RowState, int] = field(default_factory=lambda: dict.fromkeys(RowState, 0))
    places: dict[RowState, list[str]] = field(default_factory=dict)
    asked: Asked = field(default_factory=Asked)

    def see(self, row: ValidRow) -> None:
        """One valid row."""
        state = self.past.state(row.key, row.spec_hash, recreate=self.recreate)
        self.counts[state] += 1
        if state is RowState.CREATED:
            return
        if state in (RowState.CHANGED, RowState.UNDONE):
            self._remember(state, f"{row.place} ({row.name})")
            return
        if state is RowState.NEW and self.is_continued and row.is_fed_back and self.unknown is None:
            self.unknown = unknown_key(row.place, row.key, self.past.journaled.histories)
        if state is not RowState.UNCERTAIN:
            self.asked.see(row)
            if row.is_uncertain and self.lost is None and is_unknown(self.past, row.key):
                self.lost = row.place
        if self.spooled is not None:
            self.spooled.valid[state].add(row.spec())

    def _remember(self, state: RowState, place: str) -> None:
        places = self.places.setdefault(state, [])
        if len(places) < _SHOWN:
            places.append(place)

    def is_made(self, row: InvalidRow) -> bool:
        """Whether this invalid row's document exists: it is a created row that has changed, not a failed one."""
        if row.key not in self.past.created:
            return False
        self.counts[RowState.CHANGED] += 1
        problem = row.problems[0]
        what = f"{problem.field}: {problem.message}" if problem.field else problem.message
        self._remember(RowState.CHANGED, f"{row.row.place} (invalid now: {what})")
        return True

    def see_invalid(self, row: InvalidRow) -> None:
        """One invalid row."""
        if self.spooled is not None:
            self.spooled.invalid.add(row)

    def find_same(
        self, settings: RunSettings, storage: Storage, checked: Checked, sources: tuple[Source, ...], observer: Observer
    ) -> tuple[Pair, ...]:
        """The new rows that hold what a row of the files holds that is in no input any more (contract 5)."""
        claimed = self.counts[RowState.CREATED] + self.counts[RowState.CHANGED]
        is_left = claimed < len(self.past.created) or any(key not in checked.claims.keys for key in self.past.uncertain)
        is_sending = self.counts[RowState.NEW] or self.counts[RowState.FAILED]
        if self.spooled is None or not is_sending or not is_left or settings.create_again:
            return ()
        left = find_left(storage, settings.files, self.past, checked.claims.keys.__contains__, sources)
        # a row that is new by its key may have been invalid when it came: then it has failed since
        sent = chain(self.spooled.valid[RowState.NEW], self.spooled.valid[RowState.FAILED])
        found = tuple(pairs(storage, settings.files, left, sent))
        name_unclaimed(left, found, observer)
        return found

    def refusal(self, settings: RunSettings, found: tuple[Pair, ...], observer: Observer) -> str | None:
        """Why nothing may be sent, although every row is valid."""
        if self.lost is not None:
            return put_it_back(settings.files, self.lost)
        return self.unknown or refusal(settings, found, observer)

    def plan(self, settings: RunSettings, checked: Checked) -> Plan:
        """What these counts amount to."""
        counts = self.counts
        return Plan(
            rows=checked.rows,
            created=counts[RowState.CREATED] + counts[RowState.CHANGED],
            failed=counts[RowState.FAILED] + checked.invalid,
            invalid=checked.invalid,
            uncertain=counts[RowState.UNCERTAIN],
            undone=counts[RowState.UNDONE],
            to_do=counts[RowState.NEW],
            changed=counts[RowState.CHANGED],
            rate=settings.sending.rate,
            keys=max(1, len(settings.endpoint.keys)),
            limit=settings.sending.limit,
        )

    def warn(self, observer: Observer) -> Iterator[str]:
        """Name the rows that are passed over although somebody may expect otherwise."""
        for state, what in (
            (RowState.CHANGED, "created already, but changed since; not sent again"),
            (RowState.UNDONE, "deleted by undo; not created again without --recreate-undone"),
        ):
            count, places = self.counts[state], self.places.get(state, [])
            if places:
                more = count - len(places)
                text = f"{count} {'row was' if count == 1 else 'rows were'} {what}: "
                text += ", ".join(places) + (f" and {more} more" if more else "")
                observer.warning(text)
                yield text
