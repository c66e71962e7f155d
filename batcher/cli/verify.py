"""`batcher verify`: created documents against their rows; each difference on a line of its own.

`batcher/report/README.md` documents the object of `--json` and `--summary FILE`.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..commands.verified import Verified
from ..commands.verify import verify as verify_rows
from ..report.json_fields import fields_of
from .end import Invocation
from .loop import carry_out
from .screen.console import count, one_line
from .screen.next_steps import after_verify, steps_text
from .screen.observer import ConsoleObserver
from .settings.durations import duration_text
from .settings.given import Given

_FIELDS = (
    "base_url rows created same different missing unreadable left changed undone not_created invalid requests "
    "elapsed_seconds stopped stopped_reason interrupted"
)


def verify(invocation: Invocation, given: Given) -> int:
    """Exit code 0 if every row has its document, and it matches; else 1. Raises BatcherError."""
    settings = given.run_settings()
    invocation.use(given)
    if not invocation.json:
        invocation.console.print_found = invocation.print
    observer = ConsoleObserver(invocation.console, verbose=invocation.verbose, verb="compared")
    verified = carry_out(verify_rows, settings, invocation, observer)
    invocation.code = verified.exit_code
    fields = _object(verified, given.inputs, observer.details)
    page = invocation.console.page
    steps = steps_text(after_verify(given.command_line, verified), page)
    invocation.console.summary("\n".join([*map(page.wrap, _text(verified, observer)), *steps]), fields, invocation.code)
    invocation.final(fields | {"problems": observer.problem_objects("part")})
    return invocation.code


def _text(verified: Verified, observer: ConsoleObserver) -> Iterator[str]:
    yield _headline(verified)
    yield f"  {verified.rows:>9,} rows read, {verified.created:,} of them created"
    others = ((verified.not_created, "not created"), (verified.undone, "undone"), (verified.invalid, "invalid"))
    yield from (f"  {number:>9,} {word}" for number, word in others if number)
    yield f"  {verified.same:>9,} {'matches its row' if verified.same == 1 else 'match their rows'}"
    kinds = (
        (verified.different, "differs" if verified.different == 1 else "differ"),
        (verified.missing, "missing"),
        (verified.unreadable, "can't be read"),
    )
    yield from (f"  {number:>9,} {word} (listed above)" for number, word in kinds if number)
    if verified.left:
        yield f"  {verified.left:>9,} not compared"
    if verified.changed:
        yield f"  {verified.changed:>9,} of the created rows changed since they were sent"
    if observer.details:
        more = "" if observer.verbose else " (-v lists them)"
        yield f"  {observer.details:>9,} parts that were sent can't be read back{more}"
    yield f"Time: {duration_text(verified.elapsed_seconds)}, {count(verified.requests, 'request')}"


def _headline(verified: Verified) -> str:
    documents, one = count(verified.created, "document"), verified.created == 1
    none = f"{count(verified.without, 'row')} {'has' if verified.without == 1 else 'have'} none"
    changed = f"{count(verified.changed, 'row')} {'has' if verified.changed == 1 else 'have'} changed since"
    others = "".join(f"; {text}" for number, text in ((verified.without, none), (verified.changed, changed)) if number)
    ladder = (
        (verified.interrupted, "Interrupted."),
        (verified.stopped is not None, f"Stopped early: {one_line(verified.stopped or '')}"),
        (not verified.created, "Nothing to compare: no row is created yet."),
        (
            verified.same < verified.created,
            f"{verified.same:,} of {documents} {'matches' if one else 'match'}{others}.",
        ),
        (bool(others), f"{'1 document matches' if one else f'All {documents} match'}{others}."),
        (one, "1 document matches its row."),
    )
    return next((text for applies, text in ladder if applies), f"All {documents} match their rows.")


def _object(verified: Verified, inputs: tuple[str, ...], details: int) -> dict[str, object]:
    return {"inputs": list(inputs), **fields_of(verified, _FIELDS), "details": details}
