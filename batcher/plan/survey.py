"""Before the first request: what earlier runs left, every row checked, and what is therefore to be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from ..compact_map import Fingerprints
from ..config import RunSettings
from ..errors import InvalidInput
from ..files.failures_view import Form, is_current, is_edited
from ..files.past import Past
from ..files.trouble import on_disk
from ..models import ApiVersion, stamp
from ..read.read import layout_of
from ..read.sources import Source
from ..report.observers import Observer
from ..report.plan import Plan
from ..runtime import Runtime
from ..validate.check import Checked, check
from .compare_contents import Comparison
from .content_messages import refusal_of
from .failures_input import form_of, is_fed_back
from .mentions import Asked
from .missing_journal import is_old_beside, is_uncertain_beside
from .pairs import Kind, Same
from .seen_rows import SeenRows, SpooledRows


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a run finds. `absent` are keys with something to look up or to say whose rows are not in the input.

    `is_current`: the failures file says all that it must, and nothing else.
    """

    past: Past
    plan: Plan
    keys: Fingerprints = field(repr=False)  # of all rows of the inputs
    repeats: int  # rows that are wholly identical to an earlier one
    asked: Asked
    absent: tuple[str, ...]
    makes_places: bool
    refusal: str | None  # why nothing may be sent although every row is valid
    same: Same
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
        return bool(self.has_requests or self.plan.invalid or not self.is_current)

    @property
    def has_requests(self) -> bool:
        """Whether anything must be sent or looked up, or is to be made for rows that aren't sent now."""
        return bool(self.plan.sending or self.absent or self.makes_places)

    def is_input(self, key: str) -> bool:
        """Whether a row of this run has this key."""
        return key in self.keys


def survey(
    settings: RunSettings,
    sources: tuple[Source, ...],
    runtime: Runtime,
    observer: Observer,
    past: Past,
    spooled: SpooledRows,
    *,
    is_look: bool = False,
) -> Survey:
    """Check every row in the light of the past, and plan; rows to send go into `spooled`. Raises InvalidInput.

    With `is_look` nothing is raised or held back: it is all told.
    """
    started, begun = stamp(runtime.now()), runtime.timer()
    base_url = "sandbox" if settings.endpoint.sandbox else settings.endpoint.base_url
    files = settings.files
    is_input = is_fed_back(settings)
    form = form_of(settings, sources)
    on_disk_now = (runtime.storage, files.failures, files.journal)
    edited = is_edited(*on_disk_now, past.journaled, form)
    current = past.journaled.header is None or is_current(*on_disk_now, past.journaled.reported, form)
    if past.journaled.header is None:
        lost = not is_input and is_uncertain_beside(runtime.storage, files.failures)
    else:
        lost = edited and not is_input and is_old_beside(runtime.storage, files.failures, past)
    recreate, is_continued = settings.sending.recreate_undone, is_input and past.journaled.header is not None
    beside = len(sources) > 1
    nothing_seen = partial(
        SeenRows,
        past,
        spooled,
        recreate,
        str(files.failures) if lost else None,
        beside,
        is_continued,
        is_v2=settings.sending.api is ApiVersion.V2,
        applies_steps=settings.apply_steps,
    )
    if spooled.sheet is not None:
        spooled.sheet.lay_out(layout_of(sources, settings.reading, ()))
    rows = nothing_seen()
    checked = _check_all(settings, sources, rows, observer, is_look=is_look)
    repeats = checked.repeats
    if rows.shared.bases:
        shared = rows.shared.keys(sources, settings.reading, runtime.storage, files)
        spooled.clear()
        if spooled.sheet is not None:
            spooled.sheet.rows.clear()
        rows = nothing_seen()
        checked = _check_all(settings, sources, rows, Observer(), is_look=is_look, shared=shared)
    refusal, same = rows.refusal(files), Same()
    if refusal is None:
        only_failures = rows.is_continued and len(sources) == 1
        comparison = Comparison(settings, runtime.storage, rows, spooled, checked, sources, only_failures)
        same = comparison.compare(observer)
        if settings.skip_invalid and not is_look and all(pair.kind is not Kind.LEFT_OUT for pair in same.unanswered):
            comparison.hold_back(same.unanswered, observer)
        else:
            refusal = refusal_of(same.unanswered, observer)
    histories = past.journaled.histories
    others = [history for key, history in histories.items() if key not in checked.claims.keys]
    untold = sum(history.is_open or history.failure is not None for history in others)
    steps = past.journaled.steps.due
    untold += sum(due.failure is not None and key not in checked.claims.keys for key, due in steps.items())
    plan = replace(rows.plan(settings, checked), other_failures=untold)
    return Survey(
        past=past,
        plan=plan,
        keys=checked.claims.keys,
        repeats=repeats,
        asked=rows.asked,
        absent=tuple(
            key for key in histories if histories[key].may_be_settled_absent and key not in checked.claims.keys
        ),
        makes_places=bool(
            (settings.create_folders and rows.asked.folders) or (settings.create_labels and rows.asked.labels)
        ),
        refusal=refusal,
        same=same,
        warnings=tuple(rows.warnings()),
        form=form,
        is_edited=edited,
        is_current=current
        and not any(history.is_unreported for history in others)
        and not any(due.failure is None and key not in checked.claims.keys for key, due in steps.items()),
        base_url=base_url,
        started=started,
        begun=begun,
    )


def _check_all(
    settings: RunSettings,
    sources: tuple[Source, ...],
    rows: SeenRows,
    observer: Observer,
    *,
    is_look: bool,
    shared: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Checked:
    """Every row into `rows`. Raises InvalidInput if the invalid ones are not to be skipped."""
    checked = check(
        sources,
        settings.reading,
        on_problem=observer.problem,
        on_row=rows.see,
        on_invalid=rows.see_invalid,
        on_warning=observer.warning,
        is_made=rows.is_made,
        expected=len(rows.past.created),
        same_rows=rows.past.journaled.same_rows,
        is_filed=rows.past.knows,
        shared=shared,
    )
    if checked.invalid and not settings.skip_invalid and not is_look:
        raise InvalidInput(
            f"{checked.invalid} of {checked.rows} rows are not valid; nothing was sent or written. "
            "Fix them, or skip them with --skip-invalid."
        )
    rows.spooled.seal()
    return checked


def keep_edited(settings: RunSettings, runtime: Runtime, survey: Survey) -> Path | None:
    """A failures file that somebody edited, and that is not the input, is kept before anything is written to it."""
    failures = settings.files.failures
    if is_fed_back(settings) or not survey.is_edited:
        return None
    kept = failures.with_name(f"{failures.stem}.{runtime.run_id}{failures.suffix}")
    with on_disk(kept, "write"):
        runtime.storage.copy(failures, kept)
    return kept
