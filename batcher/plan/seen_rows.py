"""Every row as the check pass sees it: counted by where it stands, and spooled if it is to be sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from ..compact_map import Fingerprints
from ..config import Files, RunSettings
from ..files.disk import Storage
from ..files.due_steps import kinds_for
from ..files.past import Past, RowState
from ..files.spool import Spool, spool_of_specs
from ..identity import content_hash, name_key
from ..models import Spec
from ..placement import NO_PLACEMENT, steps_of
from ..report.plan import Plan
from ..validate.check import Checked
from ..validate.checked_rows import InvalidRow, ValidRow
from ..validate.validate import own_key
from .failures_input import sheet_beside, unknown_key
from .mentions import Asked
from .missing_journal import is_unknown, put_it_back
from .pairs import Sought
from .shared_names import SharedNames
from .sheet import SheetRows

SENT = (
    RowState.UNCERTAIN,
    RowState.UNFINISHED,
    RowState.NEW,
    RowState.FAILED,
)  # in the order in which a run comes to them
_NOTE = "changed since its document was created; the document was not updated"
_SHOWN = 5  # places named in a warning about many rows


@dataclass(frozen=True, slots=True)
class SpooledRows:
    """The rows that a run sends, by where they stand, those that it books as invalid, and those that have changed.

    `changed` are rows whose key is that of a document, or perhaps of one, which was sent with something else.
    """

    valid: dict[RowState, Spool[Spec]]
    invalid: Spool[InvalidRow]
    changed: Spool[Sought]
    sheet: SheetRows | None = None

    def take_out(self, state: RowState, is_out: Callable[[Spec], bool]) -> Iterator[Spec]:
        """The rows of which this is true, which are not to be sent after all. Raises UsageError."""
        kept = self.valid[state].emptied()
        for spec in self.valid[state]:
            if is_out(spec):
                yield spec
            else:
                kept.add(spec)
        kept.seal()
        self.valid[state] = kept

    def clear(self) -> None:
        """All rows will be read anew."""
        self.invalid.clear()
        self.changed.clear()
        for specs in self.valid.values():
            specs.clear()

    def seal(self) -> None:
        """All rows are read. Raises UsageError if the disk does not take them."""
        self.invalid.seal()
        self.changed.seal()
        if self.sheet is not None:
            self.sheet.rows.seal()
        for specs in self.valid.values():
            specs.seal()


@contextmanager
def open_spools(storage: Storage, files: Files) -> Iterator[SpooledRows]:
    """For the block, beside the results. Nothing is made before the first row is spooled."""
    with ExitStack() as stack:
        valid = {state: spool_of_specs(storage, files.results, stack) for state in SENT}
        sheet = None if files.sheet is None else SheetRows.beside(storage, files.results, stack)
        yield SpooledRows(valid, Spool(storage, files.results, stack), Spool(storage, files.results, stack), sheet)


@dataclass(slots=True)
class SeenRows:
    """Counts rows by where they stand, spools those to send, and remembers a few places to name."""

    past: Past
    spooled: SpooledRows
    recreate: bool
    lost: str | None  # the place of the first uncertain line that the journal knows nothing of
    is_beside: bool = False  # there are several inputs
    is_continued: bool = False  # the failures file of these files' own runs is an input
    has_sheet: bool = False  # a row came from a sheet
    unknown: str | None = None  # why nothing may be sent: a line of that file has a key that the journal doesn't know
    counts: dict[RowState, int] = field(default_factory=lambda: dict.fromkeys(RowState, 0))
    places: dict[RowState, list[str]] = field(default_factory=dict)
    changed: Fingerprints = field(default_factory=Fingerprints)  # keys of the rows in `spooled.changed`
    shared: SharedNames = field(init=False)
    has_past: bool = field(init=False)
    asked: Asked = field(default_factory=Asked)
    is_v2: bool = False
    applies_steps: bool = False  # created rows that go elsewhere now lack these steps

    def __post_init__(self) -> None:
        """Nothing seen yet."""
        self.shared = SharedNames(self.past)
        self.has_past = bool(len(self.past.created) or self.past.journaled.histories)

    def see(self, row: ValidRow) -> None:
        """One valid row."""
        state = self.past.state(row.key, row.spec_hash, recreate=self.recreate)
        if state is RowState.CHANGED and self.applies_steps:
            asks = row.placement != NO_PLACEMENT
            is_other = self.past.has_other_placement(row.key, row.spec_hash(), asks_for_one=asks)
            state = RowState.UNFINISHED if is_other else state
        self.counts[state] += 1
        if self.spooled.sheet is not None:
            self.spooled.sheet.add(row.row, row.key, note=_NOTE if state is RowState.CHANGED else "")
        if row.content is None and row.is_sheet:
            self._judge_sheet(row.place, own_key(row.row) if row.is_fed_back else None)
        if row.content is None and row.is_fed_back:
            self._check_key(row.place, own_key(row.row), state)
        if state is RowState.CREATED:
            return
        if self.has_past:
            self.shared.see(row)
        if row.placement != NO_PLACEMENT and state not in (RowState.CHANGED, RowState.UNDONE):
            self._see_placement(row, state)
        if state is RowState.UNFINISHED:
            self.spooled.valid[state].add(row.spec())
            return
        if state in (RowState.CHANGED, RowState.UNDONE):
            self._remember(state, f"{row.place} ({row.name})")
            if state is RowState.CHANGED:
                self._keep_changed(row)
            return
        if state is RowState.UNCERTAIN:
            sent = {attempt.spec_hash for attempt in self.past.history_of(row.key).unclear}
            if row.spec_hash() not in sent:
                self._keep_changed(row)
        else:
            self.asked.see(row)
            if row.is_uncertain and self.lost is None and is_unknown(self.past, row.key):
                self.lost = row.place
        self.spooled.valid[state].add(row.spec())

    def _see_placement(self, row: ValidRow, state: RowState) -> None:
        self.asked.see_placement(row)
        due = self.past.journaled.steps.due.get(row.key) if state is RowState.UNFINISHED else None
        is_new = state is not RowState.UNFINISHED
        kinds = steps_of(row.placement, goes_with_create=self.is_v2) if is_new else kinds_for(row.placement, due)
        self.asked.count_steps(kinds, is_new=is_new)

    def _keep_changed(self, row: ValidRow) -> None:
        self.changed.add(row.key, 1)
        named = name_key(row.model_id, row.name)
        content, placement = content_hash(row.body), row.placement
        self.spooled.changed.add(Sought(row.key, row.source, row.line, content, named, placement=placement))

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
        self.changed.add(row.key, 1)
        self.spooled.changed.add(Sought(row.key, row.row.source, row.row.line, "", ""))  # like no document
        self._add_invalid(row)
        return True

    def see_invalid(self, row: InvalidRow) -> None:
        """One invalid row. Booked under a key that the journal doesn't know it would be a row of its own, once it is fixed."""
        self.spooled.invalid.add(row)
        self._add_invalid(row)
        own = own_key(row.row) if row.row.is_fed_back and row.row.refused_as is None else None
        if row.row.is_sheet:
            self._judge_sheet(row.row.place, own)
        elif own is not None:
            self._check_key(row.row.place, own, self.past.state(own, str))

    def _add_invalid(self, row: InvalidRow) -> None:
        if self.spooled.sheet is not None:
            problems = (f"{one.field}: {one.message}" if one.field else one.message for one in row.problems)
            self.spooled.sheet.add(row.row, row.key, problem="; ".join(problems))

    def _judge_sheet(self, place: str, key: str | None) -> None:
        """Nothing is sent on the word of a sheet: a key of its own making would be another row. None: it's a new row."""
        self.has_sheet = True
        if self.unknown is None and self.is_beside:
            self.unknown = sheet_beside(place)
        elif self.unknown is None and key is not None and not self.past.has_had(key):
            self.unknown = unknown_key(place, key, self.past)

    def _check_key(self, place: str, key: str | None, state: RowState) -> None:
        """A key that came back in the failures file of these files' own runs, as it stands there."""
        if key is None or not self.is_continued or self.unknown is not None:
            return
        if state is RowState.NEW or not self.past.has_had(key):
            self.unknown = unknown_key(place, key, self.past)

    def refusal(self, files: Files) -> str | None:
        """Why nothing may be sent, although every row is valid: a journal or a key is missing."""
        return self.unknown if self.lost is None else put_it_back(files, self.lost)

    def plan(self, settings: RunSettings, checked: Checked) -> Plan:
        """What these counts amount to."""
        counts = self.counts
        return Plan(
            rows=checked.rows,
            created=counts[RowState.CREATED] + counts[RowState.CHANGED] + counts[RowState.UNFINISHED],
            unfinished=counts[RowState.UNFINISHED],
            steps=self.asked.steps,
            moves=self.asked.moves,
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

    def warnings(self) -> Iterator[str]:
        """Name the rows that are passed over although somebody may expect otherwise."""
        for state, what in (
            (RowState.CHANGED, "already created, but changed since; not sent again"),
            (RowState.UNDONE, "deleted by undo; not created again without --recreate-undone"),
        ):
            count, places = self.counts[state], self.places.get(state, [])
            if places:
                more = count - len(places)
                text = f"{count} {'row was' if count == 1 else 'rows were'} {what}: "
                text += ", ".join(places) + (f" and {more} more" if more else "")
                yield text
