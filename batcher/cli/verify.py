"""`batcher verify`: created documents against their rows; each difference on a line of its own.

`batcher/report/README.md` documents the object of `--json` and `--summary FILE`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from ..commands.verify import Verified
from ..commands.verify import verify as verify_rows
from ..runtime import runtime_of
from ..send.drain import Drain
from .end import Invocation
from .given import prepare, speak
from .loop import Interrupts, run_until
from .run import run_settings
from .screen.command_lines import again
from .screen.console import one_line
from .screen.observer import ConsoleObserver
from .settings.durations import duration_text


def verify(invocation: Invocation, options: Mapping[str, Any]) -> int:
    """Exit code 0 if every created document is as its row says, 1 if some are not. Raises BatcherError."""
    given, sources = prepare(invocation, "verify", options)
    settings = run_settings(given, sources)
    speak(invocation, sources)
    interrupts = Interrupts(Drain(), invocation.console.warning)
    invocation.has_sent = lambda: interrupts.has_sent
    observer = ConsoleObserver(
        invocation.console, verbose=invocation.verbose, around=interrupts.draining, verb="compared"
    )
    runtime = runtime_of(settings.sending, os.environ, observer.warning)
    body = partial(verify_rows, settings, observer=observer, drain=interrupts.drain, runtime=runtime)
    found = run_until(body, interrupts, None)
    invocation.code = found.exit_code
    fields = _object(found, given.inputs, observer.details)
    invocation.console.summary("\n".join(_text(found, invocation, observer.details)), fields)
    invocation.final(fields | {"problems": observer.problem_objects("part")})
    return invocation.code


def _text(found: Verified, invocation: Invocation, details: int) -> Iterator[str]:
    yield _headline(found)
    yield f"  {found.rows:>9,} rows read, {found.created:,} of them created"
    others = ((found.not_created, "not created"), (found.undone, "undone"), (found.invalid, "invalid"))
    yield from (f"  {number:>9,} {word}" for number, word in others if number)
    yield f"  {found.same:>9,} as their rows say"
    named = ((found.different, "differ"), (found.missing, "missing"), (found.unreadable, "not readable"))
    yield from (f"  {number:>9,} {word} (named above)" for number, word in named if number)
    if found.left:
        yield f"  {found.left:>9,} not looked at"
    if found.changed:
        yield f"  {found.changed:>9,} of the created rows have changed since they were sent"
    if details:
        yield f"  {details:>9,} parts were sent and do not come back" + (
            "" if invocation.verbose else " (-v names them)"
        )
    yield f"Time: {duration_text(found.elapsed_seconds)}, {found.requests:,} requests"
    if found.left:
        yield f"Next: {again(invocation.argv)}"


def _headline(found: Verified) -> str:
    differ = found.different + found.missing + found.unreadable
    ladder = (
        (found.interrupted, "Interrupted."),
        (found.stopped is not None, f"Stopped early: {one_line(found.stopped or '')}"),
        (not found.created, "Nothing to compare: no row is created yet."),
        (differ == 0, "Every created document is as its row says."),
        (differ == 1, "1 document is not as its row says."),
    )
    return next((text for applies, text in ladder if applies), f"{differ:,} documents are not as their rows say.")


def _object(found: Verified, inputs: tuple[str, ...], details: int) -> dict[str, object]:
    return {
        "inputs": list(inputs),
        "baseUrl": found.base_url,
        "rows": found.rows,
        "created": found.created,
        "same": found.same,
        "different": found.different,
        "missing": found.missing,
        "unreadable": found.unreadable,
        "left": found.left,
        "changed": found.changed,
        "undone": found.undone,
        "notCreated": found.not_created,
        "invalid": found.invalid,
        "details": details,
        "requests": found.requests,
        "elapsedSeconds": round(found.elapsed_seconds, 3),
        "stopped": found.stopped,
        "interrupted": found.interrupted,
    }
