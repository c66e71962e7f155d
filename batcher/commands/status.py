"""Status: where each row stands and what a run would do, also while one is under way; reads only (contract 3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..config import RunSettings
from ..files.earlier_results import in_lines
from ..files.held import held_by
from ..plan.failures_input import as_journaled
from ..plan.seen_rows import open_spools
from ..plan.sheet import write_sheet
from ..plan.survey import Survey, survey
from ..read.temporary import temporary_place
from ..report.failure_groups import FailureGroup
from ..report.observers import Observer
from ..report.plan import Plan
from ..runtime import Runtime
from .cut_undo import past_of, warning_of
from .summarise import failures_by_reason


@dataclass(frozen=True, slots=True)
class Status:
    """What a run would find. `holder` says which run or undo is under way on these files, None if none is.

    `in_flight` (part of the plan's uncertain rows) have an attempt of which no outcome is recorded: it's under way, or
    its process died. `begun`: the base URL that the journal is about (`sandbox` for any sandbox), empty without one.
    `is_refused`: a run would send nothing, although every row is valid.
    """

    plan: Plan
    failures: tuple[FailureGroup, ...]
    holder: str | None
    in_flight: int
    begun: str
    is_refused: bool


def status(settings: RunSettings, *, observer: Observer, runtime: Runtime | None = None) -> Plan:
    """What a run would find. Raises UsageError."""
    return survey_only(settings, observer, runtime or Runtime()).plan


def look(settings: RunSettings, *, observer: Observer, runtime: Runtime | None = None) -> Status:
    """What a run would find, why rows failed, and whether a run is under way. Raises UsageError, DiskTrouble."""
    runtime = runtime or Runtime()
    journal = settings.files.journal
    holder = held_by(journal)
    surveyed = survey_only(settings, observer, runtime)
    histories = surveyed.past.journaled.histories
    in_flight = sum(history.is_unreported and surveyed.is_input(key) for key, history in histories.items())
    # a run may have begun or ended meanwhile; what was read is that run's, then
    return Status(
        surveyed.plan,
        failures_by_reason(surveyed, runtime.storage, journal, surveyed.past.journaled.reported),
        holder or held_by(journal),
        in_flight,
        begun_at(surveyed),
        surveyed.refusal is not None,
    )


def begun_at(surveyed: Survey) -> str:
    """The base URL that the journal is about (`sandbox` for any sandbox); empty without a journal."""
    header = surveyed.past.journaled.header
    return "" if header is None else header.base_url


def survey_only(settings: RunSettings, observer: Observer, runtime: Runtime) -> Survey:
    """Where each row stands; reads only, and warns of what a run would refuse. Raises UsageError."""
    elsewhere = replace(settings.files, results=temporary_place() / "batcher")
    lines = in_lines(runtime.storage, settings.files, observer.warning, keeps=False)
    with (
        runtime.open_inputs(settings.inputs, None) as sources,
        open_spools(runtime.storage, elsewhere) as spooled,
        lines as read,
    ):
        settings = replace(settings, files=read)
        past = past_of(settings.endpoint, settings.sending, settings.files, runtime)
        with as_journaled(settings, sources, runtime.storage, past) as read_sources:
            surveyed = survey(settings, read_sources, runtime, observer, past, spooled, is_look=True)
        if spooled.sheet is not None:
            reported, undone = past.journaled.reported, past.journaled.undone
            write_sheet(runtime.storage, settings.files, spooled.sheet, reported, undone)
    for warning in surveyed.warnings:
        observer.warning(warning)
    if past.journaled.open_undos:
        observer.warning(warning_of(past, settings.endpoint, settings.files))
    if surveyed.refusal is not None:
        observer.warning(surveyed.refusal)
    return surveyed
