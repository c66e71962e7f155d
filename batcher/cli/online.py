"""The part of `batcher check` that asks the instance."""

from __future__ import annotations

import os
from functools import partial

import anyio

from ..commands.check_online import OnlineCheck, look
from ..report.observers import Observer
from ..report.plan import Plan
from ..runtime import runtime_of
from ..send.drain import Drain
from .end import Invocation
from .given import Given, speak
from .loop import loop_options
from .run import run_settings
from .settings.sources import Sources


def ask(
    invocation: Invocation, given: Given, sources: Sources, observer: Observer
) -> tuple[Plan, dict[str, object], list[str]]:
    """The plan of a run, and what the instance said, for the final object and in words. Raises BatcherError."""
    settings = run_settings(given, sources)
    speak(invocation, sources)
    runtime = runtime_of(settings.sending, os.environ, observer.warning)
    body = partial(look, settings, observer=observer, drain=Drain(), runtime=runtime)
    found = anyio.run(body, backend_options=loop_options())
    plan = found.plan
    return plan, _object(found), [_plan_line(plan), _asked_line(found, settings.endpoint.base_url)]


def _object(found: OnlineCheck) -> dict[str, object]:
    plan, asked = found.plan, found.preflight
    return {
        "created": plan.created,
        "uncertain": plan.uncertain,
        "undone": plan.undone,
        "sending": plan.sending,
        "requests": asked.requests,
        "keys": asked.keys,
        "offersCreate": asked.offers_create,
        "models": asked.models,
        "unknownModels": asked.unknown_models,
        "identifiers": asked.identifiers,
        "takenIdentifiers": asked.taken,
        "unanswered": found.unanswered,
    }


def _plan_line(plan: Plan) -> str:
    return f"Of these {plan.created:,} are created already, {plan.undone:,} undone, {plan.sending:,} are to be created"


def _asked_line(found: OnlineCheck, base_url: str) -> str:
    asked = found.preflight
    told = [f"{_count(asked.keys, 'key')} valid"]
    if asked.offers_create is not None:
        told.append("v1 create is offered" if asked.offers_create else "v1 create is not offered")
    if asked.models:
        told.append(f"{asked.models - asked.unknown_models:,} of {_count(asked.models, 'model')} known")
    if asked.identifiers:
        told.append(f"{asked.taken:,} of {_count(asked.identifiers, 'identifier')} taken already")
    if found.unanswered:
        told.append(f"{_count(found.unanswered, 'model or identifier')} without an answer")
    return f"Asked {base_url} with {_count(asked.requests, 'request')}: {', '.join(told)}"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word.replace(' or ', 's or ')}s"
