"""`batcher status`: where each row stands, why rows failed, and whether a run is under way; reads only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime

from ..commands.status import Status, look
from .end import Invocation
from .screen.console import one_line
from .screen.failures_text import failures_text
from .screen.next_steps import after_look, steps_text
from .screen.observer import ConsoleObserver
from .screen.page import Page, page_of
from .screen.progress import plan_text, under_way_text
from .screen.summary_text import plan_object
from .settings.given import Given


def status(invocation: Invocation, given: Given) -> int:
    """Say what a run would do. Exit code 0, whatever that is. Raises BatcherError."""
    settings = given.run_settings(is_endpoint_needed=False)
    invocation.use(given)
    observer = ConsoleObserver(invocation.console)
    with observer.telling_kinds(each=given.flag("all")):
        found = look(settings, observer=observer)
    if not invocation.json:
        invocation.print("\n".join(_text(found, page_of(sys.stdout))))
    if steps := list(_next(invocation, given, found)):
        invocation.console.summary("\n".join(steps), {}, invocation.code)
    invocation.final(plan_object(found.plan, settings))
    return invocation.code


def _text(found: Status, page: Page) -> Iterator[str]:
    if found.holder is not None:
        yield page.wrap(f"A run is under way on these files ({one_line(found.holder)}).")
        yield page.wrap(under_way_text(found.plan, found.in_flight))
    else:
        yield page.wrap(plan_text(found.plan, datetime.now().astimezone()))
    if found.in_flight and found.holder is None:
        rows = "1 row was" if found.in_flight == 1 else f"{found.in_flight:,} rows were"
        yield page.wrap(f"A run was cut off while {rows} in flight. The next run looks them up first.")
    yield from failures_text(found.failures, page)


def _next(invocation: Invocation, given: Given, found: Status) -> Iterator[str]:
    if found.plan.invalid and not given.flag("skip_invalid"):
        yield "Fix the invalid rows, or skip them with --skip-invalid."
    elif found.holder is None and not found.is_refused:
        target = given.target
        steps = after_look(given.command_line, found.plan, target.base_url, found.begun, has_key=bool(target.keys))
        yield from steps_text(steps, invocation.console.page)
