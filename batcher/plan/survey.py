"""Before the first request: what earlier runs left, every row checked, and what is therefore to be done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..compact_map import Fingerprints
from ..config import Files, RunSettings
from ..errors import InvalidInput
from ..files.csv_form import is_csv
from ..files.disk import Storage
from ..files.failures_view import Form, is_current, is_edited
from ..files.lines import on_disk
from ..files.past import Past, RowState, read_past
from ..files.spool import Spool
from ..models import Spec, stamp
from ..read.read import layout_of
from ..read.sources import Source
from ..report.observers import Observer
from ..report.plan import Plan
from ..runtime import Runtime
from ..validate.check import Checked, InvalidRow, ValidRow, check
from .failures_input import as_journaled, is_fed_back
from .mentions import Asked
from .missing_journal import is_uncertain_beside, is_unknown, put_it_back

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a run finds. `absent` are keys with something to look up or to say whose rows are not in the input.

    `is_current`: the failures file says all that it must, and nothing else.
    """

    past: Past
    plan: Plan
    keys: Fingerprints = field(repr=False)  # of all rows of the inputs
    asked: Asked
    absent: tuple[str, ...]
    refusal: str | None  # why nothing may be sent although every row is valid
    warnings: tuple[str, ...]
    form: Form
    is_edited: bool  # the failures file holds something that batcher did not write
    is_current: bool
    base_url: str
    started: str
    begun: float

    @property
    def has_work(self) -> bool:
        """Whether anything must be sent, looked up or written."""
        return bool(self.plan.sending or self.absent or self.plan.invalid or not self.is_current)

    def is_input(self, key: str) -> bool:
        """Whether a row of this run has this key."""
        return key in self.keys


def survey(
    settings: RunSettings,
    sources: tuple[Source, ...],
    runtime: Runtime,
    observer: Observer,
    spooled: SpooledRows | None = None,
) -> Survey:
    """Read the past, check every row, and plan; rows to send go into `spooled`. Raises UsageError or InvalidInput."""
    started, begun = stamp(runtime.now()), runtime.timer()
    base_url = "sandbox" if settings.endpoint.sandbox else settings.endpoint.base_url
    past = read_past(runtime.storage, settings.files, base_url, settings.sending.namespace)
    files = settings.files
    is_input = is_fed_back(settings)
    form = Form(layout_of(sources, settings.reading)) if is_csv(files.failures) else Form()
    on_disk_now = (runtime.storage, files.failures, files.journal)
    edited = is_edited(*on_disk_now, past.journaled, form)
    current = past.journaled.header is None or is_current(*on_disk_now, past.journaled.histories, form)
    lost = past.journaled.header is None and not is_input and is_uncertain_beside(runtime.storage, files.failures)
    rows = _Rows(past, spooled, recreate=settings.sending.recreate_undone, lost=str(files.failures) if lost else None)
    with ExitStack() as stack:
        if is_input and not edited and not current:
            killed = as_journaled(sources, runtime.storage, files, past.journaled, form)
            sources = stack.enter_context(killed)
        checked = _check_all(settings, sources, rows, observer)
    histories = past.journaled.histories
    others = [history for key, history in histories.items() if key not in checked.claims.keys]
    untold = sum(history.is_open or history.failure is not None for history in others)
    plan = replace(rows.plan(settings, checked), other_failures=untold)
    return Survey(
        past=past,
        plan=plan,
        keys=checked.claims.keys,
        asked=rows.asked,
        absent=tuple(
            key for key in histories if histories[key].may_be_settled_absent and key not in checked.claims.keys
        ),
        refusal=None if rows.lost is None else put_it_back(files, rows.lost),
        warnings=tuple(rows.warn(observer)),
        form=form,
        is_edited=edited,
        is_current=current and not any(history.is_unreported for history in others),
        base_url=base_url,
        started=started,
        begun=begun,
    )


def _check_all(settings: RunSettings, sources: tuple[Source, ...], rows: _Rows, observer: Observer) -> Checked:
    """Every row into `rows`. Raises InvalidInput if the invalid ones are not to be skipped."""
    checked = check(
        sources,
        settings.reading,
        on_problem=observer.problem,
        on_row=rows.see,
        on_invalid=rows.see_invalid,
        on_warning=observer.warning,
        expected=len(rows.past.created),
    )
    if checked.invalid and not settings.skip_invalid:
        raise InvalidInput(
            f"{checked.invalid} of {checked.rows} rows are not valid; nothing was sent or written. "
            "Fix them, or skip them with --skip-invalid."
        )
    if rows.spooled is not None:
        rows.spooled.seal()
    return checked


@dataclass(slots=True)
class _Rows:
    """Counts rows by where they stand, spools those to send, and remembers a few places to name."""

    past: Past
    spooled: SpooledRows | None
    recreate: bool
    lost: str | None  # the place of the first uncertain line that the journal knows nothing of
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
            places = self.places.setdefault(state, [])
            if len(places) < _SHOWN:
                places.append(f"{row.place} ({row.name})")
            return
        if state is not RowState.UNCERTAIN:
            self.asked.see(row)
            if row.is_uncertain and self.lost is None and is_unknown(self.past, row.key):
                self.lost = row.place
        if self.spooled is not None:
            self.spooled.valid[state].add(row.spec())

    def see_invalid(self, row: InvalidRow) -> None:
        """One invalid row."""
        if self.spooled is not None:
            self.spooled.invalid.add(row)

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


def keep_edited(settings: RunSettings, runtime: Runtime, survey: Survey) -> Path | None:
    """A failures file that somebody edited, and that is not the input, is kept before anything is written to it."""
    failures = settings.files.failures
    if is_fed_back(settings) or not survey.is_edited:
        return None
    kept = failures.with_name(f"{failures.stem}.{runtime.run_id}{failures.suffix}")
    with on_disk(kept, "write"):
        runtime.storage.copy(failures, kept)
    return kept
