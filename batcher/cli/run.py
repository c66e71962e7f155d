"""`batcher run`: settings from all sources, the loop with its signals, the summary."""

from __future__ import annotations

from ..commands import run as run_command
from ..report.summary import exit_code, summary_object
from .end import Invocation
from .loop import carry_out
from .screen.next_steps import after_run
from .screen.observer import ConsoleObserver
from .screen.summary_text import summary_text
from .settings.files import check_writable
from .settings.given import Given
from .settings.target import real_base_url


def run(invocation: Invocation, given: Given) -> int:
    """Create what isn't created yet, show the summary, return its exit code. Raises BatcherError."""
    settings = given.run_settings()
    check_writable(settings.files)
    invocation.use(given)
    invocation.beside = settings.files.results.parent
    observer = ConsoleObserver(invocation.console, invocation.verbose)
    with observer.telling_kinds(each=given.flag("all")):
        summary = carry_out(run_command.run, settings, invocation, observer, given.get("deadline"))
    invocation.code = exit_code(summary)
    fields = summary_object(summary)
    observer.tell_more_failures()
    steps = after_run(given.command_line, summary, real_base_url(given) if summary.sandbox else "")
    invocation.console.summary(summary_text(summary, steps, invocation.console.page), fields, invocation.code)
    invocation.final(fields)
    return invocation.code
