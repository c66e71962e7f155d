"""`batcher verify`: created documents against what was sent; each difference on a line of its own.

`batcher/report/README.md` documents the object of `--json` and `--summary FILE`.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..commands.verified import Verified
from ..commands.verify import verify as verify_rows
from ..config import RunSettings
from ..errors import UsageError
from ..report.json_fields import fields_of
from .end import Invocation
from .loop import carry_out
from .screen.console import count, one_line
from .screen.next_steps import after_verify, steps_text
from .screen.observer import ConsoleObserver
from .settings.durations import duration_text
from .settings.files import files_of_results, results_among
from .settings.given import Given

_FIELDS = (
    "base_url rows created same different missing unreadable left changed undone not_created invalid requests "
    "elapsed_seconds stopped stopped_reason interrupted sample"
)


def verify(invocation: Invocation, given: Given) -> int:
    """Exit code 0 if every row has its document, and each (of the sample) matches; else 1. Raises BatcherError."""
    settings = _settings(given)
    invocation.use(given)
    if not invocation.json:
        invocation.console.print_found = invocation.print
    observer = ConsoleObserver(invocation.console, verbose=invocation.verbose, verb="compared")
    with observer.telling_kinds(each=given.flag("all")):
        verified = carry_out(verify_rows, settings, invocation, observer, sample=given.get("sample"))
    invocation.code = verified.exit_code
    fields = _object(verified, given.inputs, observer.details)
    page = invocation.console.page
    steps = steps_text(after_verify(given.command_line, verified), page)
    invocation.console.summary("\n".join([*map(page.wrap, _text(verified, observer)), *steps]), fields, invocation.code)
    invocation.final(fields | {"problems": observer.problem_objects("part")})
    return invocation.code


def _settings(given: Given) -> RunSettings:
    """Of the inputs' run, or of a results file, which stands for them. Raises UsageError."""
    results = results_among(given.inputs)
    if results is None:
        return given.run_settings()
    if given.path("results") is not None:
        raise UsageError(f"{results} is the results file itself; leave --results out")
    return RunSettings(
        inputs=(), endpoint=given.target.endpoint(), files=files_of_results(results), sending=given.sending()
    )


def _text(verified: Verified, observer: ConsoleObserver) -> Iterator[str]:
    yield _headline(verified)
    yield f"  {verified.rows:>9,} {'row' if verified.rows == 1 else 'rows'} read, {verified.created:,} of them created"
    others = ((verified.not_created, "not created"), (verified.undone, "undone"), (verified.invalid, "invalid"))
    yield from (f"  {number:>9,} {word}" for number, word in others if number)
    yield f"  {verified.same:>9,} {'matches' if verified.same == 1 else 'match'} what was sent"
    kinds = (
        (verified.different, "differs" if verified.different == 1 else "differ"),
        (verified.missing, "missing"),
        (verified.unreadable, "can't be read"),
    )
    yield from (f"  {number:>9,} {word} (listed above)" for number, word in kinds if number)
    if verified.left:
        yield f"  {verified.left:>9,} not compared" + (" (--sample)" if verified.sample is not None else "")
    if verified.changed:
        changed = "row has changed since it was" if verified.changed == 1 else "rows have changed since they were"
        yield f"  {verified.changed:>9,} {changed} sent; compared with what was sent"
    if observer.details:
        more = "" if observer.verbose else " (-v lists them)"
        parts = "part that was sent" if observer.details == 1 else "parts that were sent"
        yield f"  {observer.details:>9,} {parts} can't be read back{more}"
    yield f"Time: {duration_text(verified.elapsed_seconds)}, {count(verified.requests, 'request')}"


def _headline(verified: Verified) -> str:
    chosen, one = verified.chosen, verified.chosen == 1
    documents = f"{chosen:,} sampled document{'' if one else 's'}" if _is_part(verified) else count(chosen, "document")
    none = f"{count(verified.without, 'row')} {'has' if verified.without == 1 else 'have'} none"
    changed = f"{count(verified.changed, 'row')} {'has' if verified.changed == 1 else 'have'} changed since"
    others = "".join(f"; {text}" for number, text in ((verified.without, none), (verified.changed, changed)) if number)
    all_of_them = documents if one else f"All {documents}"
    match = "matches" if one else "match"
    ladder = (
        (verified.interrupted, "Interrupted."),
        (verified.stopped is not None, f"Stopped early: {one_line(verified.stopped or '')}"),
        (not verified.created, "Nothing to compare: no row is created yet."),
        (verified.same < chosen, f"{verified.same:,} of {documents} {match}{others}."),
        (bool(others), f"{all_of_them} {match}{others}."),
        (_is_part(verified), f"{all_of_them} {match}; {verified.left:,} of {verified.created:,} weren't compared."),
    )
    whole = f"{all_of_them} {match} {'its row' if one else 'their rows'}."
    return next((text for applies, text in ladder if applies), whole)


def _is_part(verified: Verified) -> bool:
    return verified.chosen < verified.created


def _object(verified: Verified, inputs: tuple[str, ...], details: int) -> dict[str, object]:
    return {"inputs": list(inputs), **fields_of(verified, _FIELDS), "details": details}
