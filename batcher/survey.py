"""Before the first request: what earlier runs left, every row checked, and what is therefore to be done."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from .batch import Batch, Tally
from .check import Checked, check, read_specs
from .config import Files, RunSettings
from .drain import Drain, End
from .errors import InvalidInput, Locked, UsageError
from .failures import Form, Held, is_edited, is_left_open, journaled_lines
from .hints import HINTS
from .identity import spec_hash
from .ledger import Ledger
from .lines import on_disk
from .models import Failed, Problem, Reason, Row, Spec
from .past import Past, Standing, read_past
from .preflight import Asked
from .read import as_read, layout_of
from .reporter import Plan, Reporter
from .rows.decode import Source
from .summary import Summary
from .table import is_csv
from .tidy import tidy
from .way import stamp
from .world import World

SHOWN = 5  # places named in a warning about many rows


@dataclass(slots=True)
class Survey:
    """What a run finds. `counts` are the valid rows by standing; `booked` how many of them got a new outcome since."""

    sources: tuple[Source, ...]
    past: Past
    checked: Checked
    plan: Plan
    form: Form
    base_url: str
    started: str
    begun: float
    counts: dict[Standing, int]
    orphans: list[str]
    is_left_open: bool = False
    asked: Asked = field(default_factory=Asked)
    warnings: list[str] = field(default_factory=list)
    booked: dict[Standing, int] = field(default_factory=dict)
    kept_failures: Path | None = None

    @property
    def has_work(self) -> bool:
        """Whether anything must be sent, looked up or written."""
        return bool(self.plan.sending or self.orphans or self.plan.invalid or self.is_left_open)

    def count(self, standing: Standing) -> int:
        """Valid rows of this standing."""
        return self.counts.get(standing, 0)

    def is_input(self, key: str) -> bool:
        """Whether a row of this run has this key."""
        return key in self.checked.claims.keys

    def specs(self, settings: RunSettings, standing: Standing) -> Generator[Spec]:
        """The valid rows of one standing, read again; each is proven to be the row that was checked."""
        recreate = settings.sending.recreate_undone
        for spec in read_specs(self.sources, settings.reading, self.checked):
            if self.past.standing(spec.key, partial(spec_hash, spec.body), recreate=recreate) is standing:
                yield spec

    def summary(
        self,
        settings: RunSettings,
        world: World,
        drain: Drain,
        *,
        batch: Batch | None = None,
        held: Held | None = None,
        requests: int = 0,
    ) -> Summary:
        """The counts, from what was read, what was written, and what the failures file holds now."""
        tally = batch.tally if batch is not None else None
        created_before = self.count(Standing.CREATED) + self.count(Standing.CHANGED)
        unlisted = self._unlisted()
        new_unlisted = sum(key not in self.past.uncertain for key in unlisted)
        to_do = self.count(Standing.NEW) - self.booked.get(Standing.NEW, 0) - new_unlisted + self._settled()
        if held is not None:
            held.uncertain += len(unlisted)
        else:
            held = self._held_without_files(batch)
            if tally is not None:  # the disk failed, so that rows in flight may be uncertain without being booked
                created = created_before + tally.created + tally.reconciled + tally.adopted
                to_do = self.checked.rows - created - self.count(Standing.UNDONE) - held.failed - held.uncertain
        return Summary(
            run=world.run_id,
            started=self.started,
            finished=stamp(world.now()),
            elapsed_seconds=world.timer() - self.begun,
            inputs=settings.inputs,
            base_url=settings.endpoint.base_url,
            sandbox=settings.endpoint.sandbox,
            rows=self.checked.rows,
            created_now=tally.created if tally else 0,
            created_before=created_before,
            reconciled=tally.reconciled if tally else 0,
            adopted=tally.adopted if tally else 0,
            failed=held.failed,
            invalid=held.invalid,
            uncertain=held.uncertain,
            to_do=to_do,
            undone=self.count(Standing.UNDONE),
            changed=self.count(Standing.CHANGED),
            other_failures=held.others,
            requests=requests,
            rate=str(settings.sending.rate) if settings.sending.rate else "none",
            stopped=drain.reasons.get(End.STOPPED),
            interrupted=End.INTERRUPTED in drain.reasons,
            deadline_reached=End.DEADLINE in drain.reasons,
            limit_reached=batch is not None and batch.is_limit_reached,
            files=settings.files,
            kept_failures=self.kept_failures,
            first_failures=tuple(tally.first) if tally else (),
            warnings=tuple(self.warnings),
        )

    def rows_without_outcome(self, tally: Tally, held: Held) -> int:
        """Rows that are neither created nor in the failures file's lines."""
        created = self.count(Standing.CREATED) + self.count(Standing.CHANGED)
        created += tally.created + tally.reconciled + tally.adopted
        return self.checked.rows - created - held.failed - held.uncertain

    def _unlisted(self) -> list[str]:
        """Rows whose attempt is unclear, and whose outcome could not be written: no failures line tells of them."""
        histories = self.past.journaled.histories.items()
        return [key for key, one in histories if one.is_open and one.failure is None and self.is_input(key)]

    def _settled(self) -> int:
        """Rows that were uncertain, are known now not to exist, and were not sent again before the run ended."""
        histories = self.past.journaled.histories
        known = (histories.get(key) for key in self.past.uncertain if self.is_input(key))
        return sum(1 for one in known if one is not None and not one.is_open and one.failure is None)

    def _held_without_files(self, batch: Batch | None) -> Held:
        """Nothing was to be done, or the disk failed: what is known without reading the failures file's lines."""
        histories = self.past.journaled.histories
        open_keys = [key for key, one in histories.items() if one.is_open or one.failure is not None]
        held = Held()
        for key in open_keys:
            if not self.is_input(key):
                held.others += 1
            elif histories[key].is_open:
                held.uncertain += 1
            else:
                held.failed += 1
        if batch is None:
            held.invalid = self.checked.invalid
        return held


@contextlib.contextmanager
def lock(files: Files, world: World) -> Iterator[None]:
    """Hold the run's files. Raises Locked, saying who holds them, or UsageError if there is no place for them."""
    holder = f"process {os.getpid()} on {platform.node()}, run {world.run_id}, since {stamp(world.now())}"
    path = files.journal
    taking = world.storage.lock(path, holder.encode())
    try:
        taking.__enter__()
    except BlockingIOError as error:
        raise Locked(f"{path.name} is in use by {error}. Wait for it to end, or stop it; nothing was sent.") from None
    except OSError as error:
        raise UsageError(
            f"{path.parent}: cannot write here ({error.strerror}). Name another place with --results."
        ) from error
    with contextlib.ExitStack() as stack:
        stack.push(taking.__exit__)
        yield


def survey(settings: RunSettings, sources: tuple[Source, ...], world: World, reporter: Reporter) -> Survey:
    """Read the past, check every row, and plan. Raises UsageError or InvalidInput; writes nothing."""
    started, begun = stamp(world.now()), world.timer()
    base_url = "sandbox" if settings.endpoint.sandbox else settings.endpoint.base_url
    past = read_past(world.storage, settings.files, base_url, settings.sending.namespace)
    standings = _Standings(past, recreate=settings.sending.recreate_undone)
    checked = check(
        sources,
        settings.reading,
        on_problem=reporter.problem,
        on_row=standings.see,
        on_warning=reporter.warning,
    )
    if checked.invalid and not settings.skip_invalid:
        raise InvalidInput(
            f"{checked.invalid} of {checked.rows} rows are not valid; nothing was sent or written. "
            "Mend them, or leave them out with --skip-invalid."
        )
    histories = past.journaled.histories
    orphans = [key for key, one in histories.items() if one.may_be_orphan and key not in checked.claims.keys]
    plan = standings.plan(settings, checked)
    form = Form(layout_of(sources, settings.reading)) if is_csv(settings.files.failures) else Form()
    files = settings.files
    is_open = is_left_open(world.storage, files.failures, files.journal, past.journaled, form)
    found = Survey(sources, past, checked, plan, form, base_url, started, begun, standings.counts, orphans, is_open)
    found.asked = standings.asked
    _name_rows(found, standings, reporter)
    return found


@dataclass(slots=True)
class _Standings:
    """Counts rows by where they stand, and remembers a few places to name."""

    past: Past
    recreate: bool
    counts: dict[Standing, int] = field(default_factory=dict)
    places: dict[Standing, list[str]] = field(default_factory=dict)
    asked: Asked = field(default_factory=Asked)

    def see(self, spec: Spec) -> None:
        """One valid row."""
        standing = self.past.standing(spec.key, partial(spec_hash, spec.body), recreate=self.recreate)
        self.counts[standing] = self.counts.get(standing, 0) + 1
        if standing in (Standing.NEW, Standing.FAILED):
            self.asked.see(spec)
        if standing in (Standing.CHANGED, Standing.UNDONE):
            places = self.places.setdefault(standing, [])
            if len(places) < SHOWN:
                places.append(f"{spec.place} ({spec.name})")

    def plan(self, settings: RunSettings, checked: Checked) -> Plan:
        """What these counts amount to."""
        count = self.counts.get
        return Plan(
            rows=checked.rows,
            created=count(Standing.CREATED, 0) + count(Standing.CHANGED, 0),
            failed=count(Standing.FAILED, 0) + checked.invalid,
            invalid=checked.invalid,
            uncertain=count(Standing.UNCERTAIN, 0),
            undone=count(Standing.UNDONE, 0),
            to_do=count(Standing.NEW, 0),
            changed=count(Standing.CHANGED, 0),
            rate=settings.sending.rate,
            keys=max(1, len(settings.endpoint.keys)),
            limit=settings.sending.limit,
        )


def _name_rows(found: Survey, standings: _Standings, reporter: Reporter) -> None:
    """Rows that are passed over although somebody may expect otherwise."""
    for standing, what in (
        (Standing.CHANGED, "created already, but changed since; not sent again"),
        (Standing.UNDONE, "deleted by undo; not created again without --recreate-undone"),
    ):
        places = standings.places.get(standing, [])
        if places:
            more = found.count(standing) - len(places)
            text = f"{found.count(standing)} {'row was' if found.count(standing) == 1 else 'rows were'} {what}: "
            text += ", ".join(places) + (f" and {more} more" if more else "")
            found.warnings.append(text)
            reporter.warning(text)


def book_invalid(settings: RunSettings, world: World, found: Survey, ledger: Ledger) -> None:
    """With --skip-invalid: the invalid rows go to the failures file, unless they stand there already."""
    if not found.checked.invalid:
        return

    def book(row: Row, key: str, problems: list[Problem]) -> None:
        outcome = Failed(
            key=key,
            source=row.source,
            line=row.line,
            reason=Reason.INVALID,
            status=None,
            message="; ".join(f"{one.field}: {one.message}" if one.field else one.message for one in problems),
            hint=HINTS[Reason.INVALID],
            attempts=0,
            identifier=None,
            at=stamp(world.now()),
            run=world.run_id,
            spec=as_read(row),
        )
        history = ledger.histories.get(key)
        if history is not None and history.is_open:
            return  # an attempt of it is unclear: uncertain until it is mended, as it cannot be called failed
        if history is not None and history.failure is not None:
            before = next(journaled_lines(world.storage, settings.files.journal, [history.failure]))
            if before.get("message") == outcome.message and before.get("spec") == outcome.spec:
                return
        ledger.book(outcome)

    check(found.sources, settings.reading, on_problem=lambda _: None, on_invalid=book, on_warning=lambda _: None)


def keep_edited(settings: RunSettings, world: World, found: Survey) -> None:
    """A failures file that somebody edited, and that is not the input, is kept before anything is written to it."""
    files = settings.files
    journaled, form = found.past.journaled, found.form
    if is_fed_back(settings) or not is_edited(world.storage, files.failures, files.journal, journaled, form):
        return
    found.kept_failures = files.failures.with_name(f"{files.failures.stem}.{world.run_id}{files.failures.suffix}")
    with on_disk(found.kept_failures, "write"):
        world.storage.copy(files.failures, found.kept_failures)


def tidy_input(settings: RunSettings, world: World) -> None:
    """A failures file that is the input may have been left by a run that died: mend its tail and its repeated keys."""
    if is_fed_back(settings):
        with on_disk(settings.files.failures, "mend"):
            tidy(world.storage, settings.files.failures, settings.files.journal)


def is_fed_back(settings: RunSettings) -> bool:
    failures = settings.files.failures
    return any(name != "-" and Path(name).resolve() == failures.resolve() for name in settings.inputs)
