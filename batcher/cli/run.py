"""`batcher run` and `batcher status`: settings from all sources, the loop with its signals, the summary."""

from __future__ import annotations

import os
from datetime import datetime

from ..commands import run as run_command
from ..report.summary import exit_code, summary_object
from .end import Invocation
from .loop import carry_out
from .screen.next_steps import next_steps
from .screen.observer import ConsoleObserver
from .screen.progress import plan_text
from .screen.summary_text import plan_object, summary_text
from .settings.files import check_writable
from .settings.given import Given


def run(invocation: Invocation, given: Given) -> int:
    """Create what isn't created yet, show the summary, return its exit code. Raises BatcherError."""
    settings = given.run_settings()
    check_writable(settings.files)
    invocation.use(given)
    invocation.beside = settings.files.results.parent
    observer = ConsoleObserver(invocation.console, _wants_bar(invocation), invocation.verbose)
    with observer.telling_kinds(each=given.flag("all")):
        summary = carry_out(run_command.run, settings, invocation, observer, given.get("deadline"))
    invocation.code = exit_code(summary)
    fields = summary_object(summary)
    observer.tell_more_failures()
    text = summary_text(summary, next_steps(given.command_line, summary))
    invocation.console.summary(text, fields, invocation.code)
    invocation.final(fields)
    return invocation.code


def status(invocation: Invocation, given: Given) -> int:
    """Say what a run would do. Exit code 0, whatever that is. Raises BatcherError."""
    settings = given.run_settings(is_endpoint_needed=False)
    invocation.use(given)
    observer = ConsoleObserver(invocation.console)
    with observer.telling_kinds(each=given.flag("all")):
        plan = run_command.status(settings, observer=observer)
    if not invocation.json:
        invocation.print(plan_text(plan, datetime.now().astimezone()))
    invocation.final(plan_object(plan, settings))
    return invocation.code


def _wants_bar(invocation: Invocation) -> bool:
    """A bar needs a terminal that can move its cursor and a log format for people."""
    console = invocation.console
    return console.stream.isatty() and not console.json and os.environ.get("TERM", "") not in ("", "dumb")
