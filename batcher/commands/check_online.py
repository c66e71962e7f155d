"""`check --online`: what a run would find, and what the instance says to it, without creating anything."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..config import RunSettings
from ..errors import UsageError
from ..plan.mentions import Asked
from ..report.observers import Observer
from ..report.plan import Plan
from ..runtime import Runtime
from ..send.ask_for_step import AskForStep
from ..send.connect import open_requester
from ..send.drain import Drain
from ..send.places import Places
from ..send.preflight import Preflight, budget_when_asked_for, preflight
from ..send.requester import Requester
from ..send.workers import WorkerPool
from .placing import Missing, missing_places
from .status import survey_only

MOST_PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class OnlineCheck:
    """The plan of a run, and what was asked of the instance.

    `is_refused`: a run would send nothing, although every row is valid.
    `unanswered` counts models and identifiers of which it said nothing: too many to ask, or no answer to use.
    """

    plan: Plan
    preflight: Preflight
    unanswered: int
    is_refused: bool


async def look(
    settings: RunSettings, *, observer: Observer, drain: Drain, runtime: Runtime | None = None
) -> OnlineCheck:
    """Check all rows, then ask about keys, models and identifiers; writes nothing.

    Raises UsageError if a file can't be read, a key is missing or refused, or nothing can be created there.
    """
    runtime = runtime or Runtime()
    surveyed = survey_only(settings, observer, runtime)
    endpoint = settings.endpoint
    if not endpoint.keys:
        raise UsageError(endpoint.no_key_hint)
    # somebody waits for the answer: unlike a run, a look does not sit out an outage
    patience = min(MOST_PATIENCE_SECONDS, settings.sending.give_up_after_seconds)
    sending = replace(settings.sending, give_up_after_seconds=patience)
    async with open_requester(
        endpoint, sending, settings.files, drain, runtime, observer.warning, keeps=False
    ) as requester:
        keys = len(endpoint.keys)
        budget = budget_when_asked_for(surveyed.asked, keys)
        with observer.asking(budget, requester):
            asked = await preflight(requester, surveyed.asked, budget=budget, keys=keys)
            missing = await _missing_places(requester, surveyed.asked, settings)
    for problem in (*asked.unknown.values(), *missing.values()):
        observer.problem(problem)
    if asked.trouble or drain.stopped:
        raise UsageError(asked.trouble or str(drain.stopped))
    named = len(surveyed.asked.models) + len(surveyed.asked.identifiers)
    is_refused = surveyed.refusal is not None or bool(asked.unknown or missing)
    return OnlineCheck(surveyed.plan, asked, named - asked.models - asked.identifiers, is_refused)


async def _missing_places(requester: Requester, asked: Asked, settings: RunSettings) -> Missing:
    """Folders and labels that rows ask for and that aren't there."""
    pool = WorkerPool(settings.sending.concurrency)
    places = Places(requester, AskForStep(requester, pool, settings.sending.max_attempts))
    is_listed = False
    with requester.drain.waits():
        is_listed = await places.look_up(asked.kinds)
    return missing_places(asked, places, {}) if is_listed else {}
