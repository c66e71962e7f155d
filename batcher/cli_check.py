"""`batcher check`: every problem of every row, nothing sent, nothing written."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .check import Checked
from .check import check as check_rows
from .cli_end import Invocation
from .cli_given import Given, prepare, speak
from .cli_lines import again, only
from .decode import open_inputs
from .durations import about_text, clock_text
from .files import check_inputs
from .models import Problem
from .pace import Rate

LARGE_RUN = 100  # from here on a first try with a few rows is suggested
_KEPT = (
    "--base-url",
    "--instance",
    "--sandbox",
    "--profile",
    "--config",
    "--results",
    "--failures",
    "--format",
    "--sheet",
)
_LISTED = 1000


def check(invocation: Invocation, options: Mapping[str, Any]) -> int:
    """Exit code 0 if every row is fine, else 2."""
    given, sources = prepare(invocation, "check", options)
    check_inputs(given.inputs)
    speak(invocation, sources)
    console = invocation.console
    problems: list[Problem] = []

    def on_problem(problem: Problem) -> None:
        console.problem(problem)
        problems.extend([problem] if len(problems) < _LISTED else [])

    with open_inputs(given.inputs, sys.stdin.buffer) as inputs:
        checked = check_rows(inputs, sources.reading(), on_problem=on_problem, on_warning=console.warning)
    invocation.code = 0 if checked.invalid == 0 else 2
    rate: Rate | None = sources.get("rate").value
    seconds = _seconds(checked.valid, rate, max(1, len(sources.keys().keys)))
    console.summary(_text(checked, rate, seconds, _next(invocation, given, checked)), _object(checked, seconds))
    invocation.final({**_object(checked, seconds), "problems": [_problem_object(problem) for problem in problems]})
    return invocation.code


def _seconds(rows: int, rate: Rate | None, keys: int) -> float | None:
    return None if rate is None else max(0, rows - 1) * rate.period_seconds / (rate.limit * keys)


def _text(checked: Checked, rate: Rate | None, seconds: float | None, next_step: str) -> str:
    lines = [f"{checked.rows:,} rows read: {checked.valid:,} fine, {checked.invalid:,} invalid"]
    if seconds is not None and checked.valid:
        when = clock_text(seconds, datetime.now().astimezone())
        lines.append(f"A run of the fine ones takes {about_text(seconds)} at {rate}: started now, until {when}")
    return "\n".join([*lines, *([next_step] if next_step else [])])


def _object(checked: Checked, seconds: float | None) -> dict[str, object]:
    return {
        "rows": checked.rows,
        "valid": checked.valid,
        "invalid": checked.invalid,
        "repeats": checked.repeats,
        "secondsAtRate": seconds,
    }


def _problem_object(problem: Problem) -> dict[str, object]:
    return {"source": problem.source, "line": problem.line, "field": problem.field, "message": problem.message}


def _next(invocation: Invocation, given: Given, checked: Checked) -> str:
    if checked.invalid:
        return "Mend these rows, or leave them out of a run with --skip-invalid."
    if not checked.rows:
        return ""
    canary = ["--limit", "5"] if checked.valid >= LARGE_RUN else []
    return f"Next: {again(['run', *given.inputs, *only(invocation.argv, _KEPT), *canary])}"
