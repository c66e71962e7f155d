"""`batcher check`: every problem of every row; with --online also what the instance says to it. Nothing is written."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..read.sources import open_inputs
from ..report.plan import Plan
from ..validate.check import check as check_rows
from .end import Invocation
from .given import Given, prepare, speak
from .screen.command_lines import again, only
from .screen.observer import ConsoleObserver
from .settings.durations import about_text, clock_text
from .settings.files import STANDARD_INPUT, check_inputs
from .settings.sources import Sources

_KEPT = (
    "--base-url",
    "--instance",
    "--sandbox",
    "--profile",
    "--config",
    "--results",
    "--failures",
    "--rate",
    "--format",
    "--sheet",
    "--max-row-bytes",
    "--ignore-unknown",
    "--namespace",
    "--no-fill-identifiers",
)


def check(invocation: Invocation, options: Mapping[str, Any]) -> int:
    """Exit code 0 if every row is fine, else 2; 2 also if the instance would take none of them. Raises BatcherError."""
    given, sources = prepare(invocation, "check", options)
    observer = ConsoleObserver(invocation.console)
    if given.flag("online"):
        from .online import ask  # noqa: PLC0415 - only this needs the network

        plan, fields, told = ask(invocation, given, sources, observer)
    else:
        plan, fields, told = _offline(invocation, given, sources, observer)
    invocation.code = 0 if plan.invalid == 0 else 2
    fields = _object(plan) | fields
    invocation.console.summary("\n".join([*_counts(plan), *told, *_next(invocation, given, plan)]), fields)
    invocation.final({**fields, "problems": observer.problem_objects("field")})
    return invocation.code


def _offline(
    invocation: Invocation, given: Given, sources: Sources, observer: ConsoleObserver
) -> tuple[Plan, dict[str, object], list[str]]:
    """Only the inputs: files of earlier runs are not looked at."""
    check_inputs(given.inputs)
    speak(invocation, sources)
    with open_inputs(given.inputs, sys.stdin.buffer) as inputs:
        checked = check_rows(inputs, sources.reading(), on_problem=observer.problem, on_warning=observer.warning)
    plan = Plan(
        rows=checked.rows,
        failed=checked.invalid,
        invalid=checked.invalid,
        to_do=checked.valid,
        rate=sources.get("rate").value,
        keys=max(1, len(sources.keys().keys)),
    )
    return plan, {"repeats": checked.repeats}, []


def _counts(plan: Plan) -> list[str]:
    lines = [f"{plan.rows:,} rows read: {plan.rows - plan.invalid:,} fine, {plan.invalid:,} invalid"]
    if plan.seconds is not None and plan.sending:
        when = clock_text(plan.seconds, datetime.now().astimezone())
        which = "the fine ones" if plan.sending == plan.rows - plan.invalid else f"the {plan.sending:,} to create"
        lines.append(f"A run of {which} takes {about_text(plan.seconds)} at {plan.rate}: started now, until {when}")
    return lines


def _object(plan: Plan) -> dict[str, object]:
    return {
        "rows": plan.rows,
        "valid": plan.rows - plan.invalid,
        "invalid": plan.invalid,
        "secondsAtRate": plan.seconds,
    }


def _next(invocation: Invocation, given: Given, plan: Plan) -> list[str]:
    if plan.invalid:
        return ["Mend these rows, or leave them out of a run with --skip-invalid."]
    if not plan.sending:
        return []
    kept = only(invocation.argv, _KEPT)
    if given.path("results") is None and (len(given.inputs) > 1 or STANDARD_INPUT in given.inputs):
        kept += ["--results", "documents.results.jsonl"]  # which a run of these cannot do without
    canary = ["--limit", "5"] if plan.is_large_first else []
    again_fed = " (with the same standard input)" if STANDARD_INPUT in given.inputs else ""
    return [f"Next: {again(['run', *given.inputs, *kept, *canary])}{again_fed}"]
