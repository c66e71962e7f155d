"""`batcher run` and `batcher status`: settings from all sources, the loop with its signals, the summary."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from ..commands import run as run_command
from ..config import RunSettings
from ..report.summary import Summary, exit_code, summary_object
from ..runtime import runtime_of
from ..send.drain import Drain
from .end import Invocation
from .given import Given, prepare, speak
from .loop import Interrupts, run_until
from .screen.next_steps import next_steps
from .screen.observer import ConsoleObserver
from .screen.progress import plan_text
from .screen.summary_text import plan_object, summary_text
from .settings.files import check_writable, files_of
from .settings.sources import Sources


def run(invocation: Invocation, options: Mapping[str, Any]) -> int:
    """Create what is not created yet, show the summary, return its exit code. Raises BatcherError."""
    given, sources = prepare(invocation, "run", options)
    settings = run_settings(given, sources)
    check_writable(settings.files)
    speak(invocation, sources)
    invocation.beside = settings.files.results.parent
    drain = Drain()
    interrupts = Interrupts(drain, invocation.console.warning)
    invocation.has_sent = lambda: interrupts.has_sent
    observer = ConsoleObserver(invocation.console, _wants_bar(invocation), invocation.verbose, interrupts.draining)
    runtime = runtime_of(settings.sending, os.environ, observer.warning)
    body = partial(run_command.run, settings, observer=observer, drain=drain, runtime=runtime)
    summary = run_until(body, interrupts, deadline(invocation, sources))
    return close(invocation, given, summary)


def deadline(invocation: Invocation, sources: Sources) -> float | None:
    """Seconds from now; the option counts from the start of the process."""
    seconds: float | None = sources.get("deadline").value
    return None if seconds is None else max(0.0, seconds - invocation.seconds_since_start())


def status(invocation: Invocation, options: Mapping[str, Any]) -> int:
    """Say what a run would find. Exit code 0, whatever that is, if it could be said. Raises BatcherError."""
    given, sources = prepare(invocation, "status", options)
    settings = run_settings(given, sources, endpoint_needed=False)
    speak(invocation, sources)
    plan = run_command.status(settings, observer=ConsoleObserver(invocation.console))
    if not invocation.json:
        invocation.print(plan_text(plan, datetime.now().astimezone()))
    invocation.final(plan_object(plan, settings))
    return invocation.code


def run_settings(given: Given, sources: Sources, *, endpoint_needed: bool = True) -> RunSettings:
    """Everything that a run is told. Raises UsageError."""
    endpoint = sources.endpoint(needed=endpoint_needed)
    files = files_of(
        given.inputs, sandbox=endpoint.sandbox, results=given.path("results"), failures=given.path("failures")
    )
    return RunSettings(
        inputs=given.inputs,
        endpoint=endpoint,
        files=files,
        reading=sources.reading(),
        sending=sources.sending(),
        skip_invalid=sources.get("skip-invalid").value,
        preflight=sources.get("preflight").value,
    )


def close(invocation: Invocation, given: Given, summary: Summary) -> int:
    """Show the summary in every form asked for."""
    invocation.code = exit_code(summary)
    fields = summary_object(summary)
    text = summary_text(summary, next_steps(invocation.argv, given.inputs, summary))
    invocation.console.summary(text, fields)
    invocation.final(fields)
    return invocation.code


def _wants_bar(invocation: Invocation) -> bool:
    """A bar needs a terminal that can move its cursor and a log format for people."""
    console = invocation.console
    return console.stream.isatty() and not console.json and os.environ.get("TERM", "") not in ("", "dumb")
