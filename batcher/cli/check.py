"""`batcher check`: every problem of every row; with --online also what the instance says to it. Nothing is written."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime

from ..read.sources import open_inputs
from ..report.json_fields import fields_of
from ..report.plan import Plan
from ..validate.check import check as check_rows
from .end import Invocation
from .screen.console import count
from .screen.observer import ConsoleObserver
from .settings import options
from .settings.durations import about_text, clock_text
from .settings.files import STANDARD_INPUT, check_inputs
from .settings.given import Given

_Look = tuple[Plan, dict[str, object], list[str]]  # the plan, more fields of the final object, and more lines


def check(invocation: Invocation, given: Given) -> int:
    """Exit code 0 if every row is valid, else 2; 2 also if the instance would take none of them. Raises BatcherError."""
    observer = ConsoleObserver(invocation.console)
    look = _ask if given.flag("online") else _read
    plan, fields, lines = look(invocation, given, observer)
    invocation.code = 0 if plan.invalid == 0 else 2
    fields |= fields_of(plan, "rows invalid") | {"valid": plan.rows - plan.invalid, "secondsAtRate": plan.seconds}
    invocation.console.summary("\n".join([*_counts(plan), *lines, *_next(given, plan)]), fields)
    invocation.final({**fields, "problems": observer.problem_objects("field")})
    return invocation.code


def _read(invocation: Invocation, given: Given, observer: ConsoleObserver) -> _Look:
    """Only the inputs, not the files of earlier runs. Raises BatcherError."""
    check_inputs(given.inputs)
    invocation.use(given)
    with open_inputs(given.inputs, sys.stdin.buffer) as inputs:
        checked = check_rows(inputs, given.reading(), on_problem=observer.problem, on_warning=observer.warning)
    plan = Plan(
        rows=checked.rows,
        failed=checked.invalid,
        invalid=checked.invalid,
        to_do=checked.valid,
        rate=given.sending().rate,
        keys=max(1, len(given.target.keys)),
    )
    return plan, {"repeats": checked.repeats}, []


def _ask(invocation: Invocation, given: Given, observer: ConsoleObserver) -> _Look:
    """The plan of a run, and what the instance says. Raises BatcherError."""
    from ..commands.check_online import look  # noqa: PLC0415 - only this needs the network
    from .loop import carry_out  # noqa: PLC0415

    settings = given.run_settings()
    invocation.use(given)
    online = carry_out(look, settings, invocation, observer)
    plan, asked = online.plan, online.preflight
    parts = [f"{count(asked.keys, 'key')} valid"]
    if asked.offers_create is not None:
        parts.append("v1 create is offered" if asked.offers_create else "v1 create isn't offered")
    if asked.models:
        parts.append(f"{asked.models - asked.unknown_models:,} of {count(asked.models, 'model')} known")
    if asked.identifiers:
        parts.append(f"{asked.taken:,} of {count(asked.identifiers, 'identifier')} taken already")
    if online.unanswered:
        word = "model or identifier" if online.unanswered == 1 else "models or identifiers"
        parts.append(f"{online.unanswered:,} {word} without an answer")
    lines = [
        f"{plan.created:,} already created, {plan.undone:,} undone, {plan.sending:,} to create",
        f"Asked {settings.endpoint.base_url} with {count(asked.requests, 'request')}: {', '.join(parts)}",
    ]
    fields = fields_of(plan, "created uncertain undone sending") | {
        **fields_of(asked, "requests keys offers_create models unknown_models identifiers"),
        "takenIdentifiers": asked.taken,
        "unanswered": online.unanswered,
    }
    return plan, fields, lines


def _counts(plan: Plan) -> Iterator[str]:
    valid = plan.rows - plan.invalid
    yield f"{count(plan.rows, 'row')}: {valid:,} valid, {plan.invalid:,} invalid"
    if plan.seconds is not None and plan.sending:
        by = clock_text(plan.seconds, datetime.now().astimezone())
        rows = f"the {count(valid, 'valid row')}" if plan.sending == valid else count(plan.sending, "row")
        yield f"Creating {rows} takes {about_text(plan.seconds)} at {plan.rate}"
        yield f"(done by {by} if you start now)."


def _next(given: Given, plan: Plan) -> list[str]:
    if plan.invalid:
        return ["Fix these rows, or skip them with --skip-invalid."]
    if not plan.sending:
        return []
    is_fed = STANDARD_INPUT in given.inputs
    line = given.command_line.of_command("run", options.RUN)
    if given.path("results") is None and (len(given.inputs) > 1 or is_fed):
        line = line.plus("--results", "documents.results.jsonl")  # which a run of these needs
    if plan.is_large_first:
        line = line.plus("--limit", "5")
    return [f"Next: {line}" + (" (with the same standard input)" if is_fed else "")]
