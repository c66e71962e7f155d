"""Before the first request: what earlier runs left, every row checked, and what is therefore to be done."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..config import RunSettings
from ..errors import InvalidInput
from ..files.csv_form import is_csv
from ..files.failures import Form, is_edited, is_left_open, is_stale
from ..files.lines import on_disk
from ..files.past import Past, RowState, read_past
from ..models import Spec, stamp
from ..read.read import layout_of
from ..read.sources import Source
from ..report.observers import Observer
from ..report.plan import Plan
from ..runtime import Runtime
from ..validate.check import Checked, ValidRow, check, read_specs
from .asked import Asked
from .lost_journal import Forgotten, attempts_beside
from .repair_input import is_fed_back

SHOWN = 5  # places named in a warning about many rows


@dataclass(slots=True)
class Survey:
    """What a run finds. `counts` are the valid rows by standing; `booked` how many of them got a new outcome since.

    `unwritten` are the invalid rows that the disk did not take.
    """

    sources: tuple[Source, ...]
    past: Past
    checked: Checked
    plan: Plan
    form: Form
    base_url: str
    started: str
    begun: float
    counts: dict[RowState, int]
    orphans: list[str]
    is_left_open: bool = False
    asked: Asked = field(default_factory=Asked)
    refusal: str | None = None  # why nothing may be sent although every row is fine
    warnings: list[str] = field(default_factory=list)
    booked: dict[RowState, int] = field(default_factory=dict)
    unwritten: int = 0
    identifiers: dict[str, str] = field(default_factory=dict)  # by key, of attempts that a lost journal knew
    kept_failures: Path | None = None

    @property
    def has_work(self) -> bool:
        """Whether anything must be sent, looked up or written."""
        return bool(self.plan.sending or self.orphans or self.plan.invalid or self.is_left_open)

    def count(self, state: RowState) -> int:
        """Valid rows of this standing."""
        return self.counts.get(state, 0)

    def is_input(self, key: str) -> bool:
        """Whether a row of this run has this key."""
        return key in self.checked.claims.keys

    def specs(self, settings: RunSettings, state: RowState) -> Generator[Spec]:
        """The valid rows of one standing, read again; each is proven to be the row that was checked."""
        recreate = settings.sending.recreate_undone
        for spec in read_specs(self.sources, settings.reading, self.checked):
            if self._state(spec, recreate=recreate) is state:
                yield spec

    def _state(self, spec: Spec, *, recreate: bool) -> RowState:
        return self.past.state(spec.key, lambda: spec.spec_hash, recreate=recreate)


def survey(settings: RunSettings, sources: tuple[Source, ...], runtime: Runtime, observer: Observer) -> Survey:
    """Read the past, check every row, and plan. Raises UsageError or InvalidInput; writes nothing."""
    started, begun = stamp(runtime.now()), runtime.timer()
    base_url = "sandbox" if settings.endpoint.sandbox else settings.endpoint.base_url
    past = read_past(runtime.storage, settings.files, base_url, settings.sending.namespace)
    files = settings.files
    beside = {} if is_fed_back(settings) else attempts_beside(runtime.storage, files.failures, past)
    identifiers: dict[str, str] = {}
    forgotten = Forgotten(past, settings.sending, identifiers.__setitem__, beside)
    states = _RowStates(past, forgotten, recreate=settings.sending.recreate_undone)
    checked = check(
        sources,
        settings.reading,
        on_problem=observer.problem,
        on_row=states.see,
        on_warning=observer.warning,
        expected=len(past.created),
    )
    if checked.invalid and not settings.skip_invalid:
        raise InvalidInput(
            f"{checked.invalid} of {checked.rows} rows are not valid; nothing was sent or written. "
            "Mend them, or leave them out with --skip-invalid."
        )
    histories = past.journaled.histories
    others = [key for key in histories if key not in checked.claims.keys]
    orphans = [key for key in others if histories[key].may_be_orphan]
    untold = sum(histories[key].is_open or histories[key].failure is not None for key in others)
    plan = replace(states.plan(settings, checked), other_failures=untold)
    form = Form(layout_of(sources, settings.reading)) if is_csv(files.failures) else Form()
    written = (runtime.storage, files.failures, files.journal, past.journaled, form)
    is_open = is_left_open(*written) or (not plan.sending and is_stale(*written))
    is_open = is_open or any(histories[key].is_unreported for key in others)
    found = Survey(sources, past, checked, plan, form, base_url, started, begun, states.counts, orphans, is_open)
    found.identifiers = identifiers
    found.asked = states.asked
    found.refusal = states.forgotten.refusal(files)
    _name_rows(found, states, observer)
    return found


@dataclass(slots=True)
class _RowStates:
    """Counts rows by where they stand, and remembers a few places to name."""

    past: Past
    forgotten: Forgotten
    recreate: bool
    counts: dict[RowState, int] = field(default_factory=dict)
    places: dict[RowState, list[str]] = field(default_factory=dict)
    asked: Asked = field(default_factory=Asked)

    def see(self, row: ValidRow) -> None:
        """One valid row."""
        state = self.past.state(row.key, row.spec_hash, recreate=self.recreate)
        self.counts[state] = self.counts.get(state, 0) + 1
        if state is RowState.CREATED:
            return
        if state in (RowState.NEW, RowState.FAILED):
            self.asked.see(row)
            self.forgotten.see(row, row.unclear_attempt, state)
        if state in (RowState.CHANGED, RowState.UNDONE):
            places = self.places.setdefault(state, [])
            if len(places) < SHOWN:
                places.append(f"{row.place} ({row.name})")

    def plan(self, settings: RunSettings, checked: Checked) -> Plan:
        """What these counts amount to."""
        count = self.counts.get
        return Plan(
            rows=checked.rows,
            created=count(RowState.CREATED, 0) + count(RowState.CHANGED, 0),
            failed=count(RowState.FAILED, 0) + checked.invalid,
            invalid=checked.invalid,
            uncertain=count(RowState.UNCERTAIN, 0),
            undone=count(RowState.UNDONE, 0),
            to_do=count(RowState.NEW, 0),
            changed=count(RowState.CHANGED, 0),
            rate=settings.sending.rate,
            keys=max(1, len(settings.endpoint.keys)),
            limit=settings.sending.limit,
        )


def _name_rows(found: Survey, states: _RowStates, observer: Observer) -> None:
    """Rows that are passed over although somebody may expect otherwise."""
    for state, what in (
        (RowState.CHANGED, "created already, but changed since; not sent again"),
        (RowState.UNDONE, "deleted by undo; not created again without --recreate-undone"),
    ):
        places = states.places.get(state, [])
        if places:
            more = found.count(state) - len(places)
            text = f"{found.count(state)} {'row was' if found.count(state) == 1 else 'rows were'} {what}: "
            text += ", ".join(places) + (f" and {more} more" if more else "")
            found.warnings.append(text)
            observer.warning(text)


def keep_edited(settings: RunSettings, runtime: Runtime, found: Survey) -> None:
    """A failures file that somebody edited, and that is not the input, is kept before anything is written to it."""
    files = settings.files
    journaled, form = found.past.journaled, found.form
    if is_fed_back(settings) or not is_edited(runtime.storage, files.failures, files.journal, journaled, form):
        return
    found.kept_failures = files.failures.with_name(f"{files.failures.stem}.{runtime.run_id}{files.failures.suffix}")
    with on_disk(found.kept_failures, "write"):
        runtime.storage.copy(files.failures, found.kept_failures)
