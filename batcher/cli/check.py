"""`batcher check`: every problem of every row; with --online also what the instance says to it. Nothing is written."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from ..models import ApiVersion
from ..read.sources import open_inputs
from ..report.json_fields import fields_of
from ..report.plan import Plan
from ..validate.check import check as check_rows
from .end import Invocation
from .screen.console import count
from .screen.next_steps import after_look, steps_text
from .screen.observer import ConsoleObserver
from .screen.page import Page
from .settings.durations import about_text, clock_text
from .settings.files import STANDARD_INPUT, check_inputs, files_of
from .settings.given import Given

_STANDING = "created uncertain undone sending"


@dataclass(frozen=True, slots=True)
class _Look:
    """The plan, whether a run would be refused although every row is valid, and more for the final object and the screen.

    `begun`: the base URL that earlier runs of these files sent to, empty if there are none.
    """

    plan: Plan
    is_refused: bool
    fields: dict[str, object]
    lines: list[str]
    begun: str = ""


def check(invocation: Invocation, given: Given) -> int:
    """Exit code 0 if every row can be sent, else 2; 2 also if the instance would take none of them. Raises BatcherError."""
    observer = ConsoleObserver(invocation.console, verb="asked")
    look = _ask if given.flag("online") else _read
    if not invocation.json:
        invocation.console.print_found = invocation.print
    with observer.telling_kinds(each=given.flag("all")):
        seen = look(invocation, given, observer)
    plan = seen.plan
    invocation.code = 2 if plan.invalid or seen.is_refused else 0
    fields = seen.fields | fields_of(plan, "rows invalid")
    fields |= {"valid": plan.rows - plan.invalid, "secondsAtRate": plan.seconds}
    page = invocation.console.page
    lines = map(page.wrap, [*_counts(plan, is_refused=seen.is_refused), *seen.lines])
    invocation.console.summary("\n".join([*lines, *_next(given, seen, page)]), fields, invocation.code)
    invocation.final({**fields, "problems": observer.problem_objects("field")})
    return invocation.code


def _read(invocation: Invocation, given: Given, observer: ConsoleObserver) -> _Look:
    """The inputs, in the light of what earlier runs of them left. Raises BatcherError."""
    check_inputs(given.inputs)
    invocation.use(given)
    if _has_past(given):
        from ..commands.status import begun_at, survey_only  # noqa: PLC0415 - only this needs what a run needs
        from ..runtime import Runtime  # noqa: PLC0415

        surveyed = survey_only(given.run_settings(is_endpoint_needed=False), observer, Runtime())
        plan, fields = surveyed.plan, {**fields_of(surveyed.plan, _STANDING), "repeats": surveyed.repeats}
        return _Look(plan, surveyed.refusal is not None, fields, [_standing(plan)], begun_at(surveyed))
    with open_inputs(given.inputs, sys.stdin.buffer) as inputs:
        checked = check_rows(inputs, given.reading(), on_problem=observer.problem, on_warning=observer.warning)
    is_v2 = given.sending().api is ApiVersion.V2
    plan = Plan(
        rows=checked.rows,
        failed=checked.invalid,
        invalid=checked.invalid,
        to_do=checked.valid,
        steps=checked.steps - (checked.moves if is_v2 else 0),
        moves=0 if is_v2 else checked.moves,
        rate=given.sending().rate,
        keys=max(1, len(given.target.keys)),
    )
    return _Look(plan, False, {**fields_of(plan, _STANDING), "repeats": checked.repeats}, [])


def _has_past(given: Given) -> bool:
    """Whether earlier runs of these inputs left files: the journal knows what they sent."""
    results = given.path("results")
    if results is None and (len(given.inputs) > 1 or STANDARD_INPUT in given.inputs):
        return False
    return files_of(given.inputs, sandbox=given.flag("sandbox"), results=results).journal.exists()


def _standing(plan: Plan) -> str:
    before = ((plan.created, "already created"), (plan.undone, "undone"))
    return ", ".join([*(f"{number:,} {word}" for number, word in before if number), f"{plan.sending:,} to create"])


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
        version = settings.sending.api
        parts.append(f"{version} create is offered" if asked.offers_create else f"{version} create isn't offered")
    if asked.models:
        parts.append(f"{asked.models - len(asked.unknown):,} of {count(asked.models, 'model')} known")
    if asked.identifiers:
        parts.append(f"{asked.taken:,} of {count(asked.identifiers, 'identifier')} taken already")
    if online.unanswered:
        word = "model or identifier" if online.unanswered == 1 else "models or identifiers"
        parts.append(f"{online.unanswered:,} {word} without an answer")
    lines = [
        _standing(plan),
        f"Asked {settings.endpoint.base_url} with {count(asked.requests, 'request')}: {', '.join(parts)}",
    ]
    fields = fields_of(plan, _STANDING) | {
        **fields_of(asked, "requests keys offers_create models identifiers"),
        "unknownModels": len(asked.unknown),
        "takenIdentifiers": asked.taken,
        "unanswered": online.unanswered,
    }
    return _Look(plan, online.is_refused, fields, lines)


def _counts(plan: Plan, *, is_refused: bool) -> Iterator[str]:
    valid = plan.rows - plan.invalid
    yield f"{count(plan.rows, 'row')}: {valid:,} valid, {plan.invalid:,} invalid"
    if plan.seconds is not None and plan.sending and not is_refused:
        by = clock_text(plan.seconds, datetime.now().astimezone())
        rows = f"the {count(valid, 'valid row')}" if plan.sending == valid else count(plan.sending, "row")
        yield f"Creating {rows} takes {about_text(plan.seconds)} at {plan.rate}"
        yield f"(done by {by} if you start now)."


def _next(given: Given, seen: _Look, page: Page) -> Iterator[str]:
    if seen.plan.invalid:
        yield page.wrap("Fix these rows, or skip them with --skip-invalid.")
    elif not seen.is_refused:
        target = given.target
        steps = after_look(given.command_line, seen.plan, target.base_url, seen.begun, has_key=bool(target.keys))
        yield from steps_text(steps, page)
