"""`batcher undo`: what a results file created goes to Trash; without --yes it is only listed.

`batcher/report/README.md` documents the object of `--json` and `--summary FILE`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from ..commands.undo import UndoSettings
from ..commands.undo import undo as undo_results
from ..commands.undoing import Undoing
from ..files.owned import OwnedDocument
from ..report.json_fields import fields_of
from .end import Invocation
from .loop import carry_out
from .screen.console import count, one_line
from .screen.next_steps import after_undo, steps_text
from .screen.observer import ConsoleObserver
from .screen.page import WIDEST
from .settings.durations import about_text, clock_text, duration_text
from .settings.files import files_of_results
from .settings.given import Given
from .settings.types import file_named

LISTED = 20
_NARROWEST = 12  # characters of a name that are shown at least
_COUNTS = "deleted gone left adopted undone_before uncertain"
_FIELDS = f"base_url {_COUNTS} requests elapsed_seconds stopped stopped_reason interrupted deadline_reached"


def undo(invocation: Invocation, given: Given) -> int:
    """List what would be deleted; with --yes delete it. Raises BatcherError."""
    results = file_named(given.get("results_file"))
    is_dry = not given.flag("yes")
    settings = UndoSettings(
        endpoint=given.target.endpoint(is_needed=not is_dry),
        files=files_of_results(results),
        sending=given.sending(),
        is_dry=is_dry,
        force=given.flag("force"),
    )
    invocation.use(given)
    invocation.beside = results.parent

    def show_list(undoing: Undoing) -> None:
        show = invocation.console.note if invocation.json else invocation.print
        for line in _listing(undoing, results):
            show(one_line(line))

    observer = ConsoleObserver(invocation.console, verbose=invocation.verbose, verb="deleted")
    undoing = carry_out(undo_results, settings, invocation, observer, given.get("deadline"), on_found=show_list)
    invocation.code = undoing.exit_code
    fields = _object(undoing, results, is_dry=is_dry)
    page = invocation.console.page
    text = _dry_text(undoing, settings) if is_dry else _text(undoing)
    steps = steps_text(after_undo(given.command_line, undoing, settings.endpoint.base_url), page)
    if undoing.chosen:
        invocation.console.summary("\n".join([*map(page.wrap, text), *steps]), fields, invocation.code)
    invocation.final(fields | {"problems": observer.problem_objects("part")})
    return invocation.code


def _listing(undoing: Undoing, results: Path) -> Iterator[str]:
    """How many, and which."""
    others = [f"{undoing.adopted:,} adopted"] if undoing.adopted else []
    others += [f"{undoing.undone_before:,} deleted before"] if undoing.undone_before else []
    chosen = undoing.chosen
    if not chosen:
        yield f"{results}: nothing to delete" + (f" ({', '.join(others)})" if others else "")
        return
    of = f"{len(chosen):,} of " if len(chosen) < len(undoing.owned) else ""
    documents = count(len(undoing.owned), "document")
    yield f"{results}: {of}{documents} at {undoing.base_url} to delete, newest first:"
    shown = chosen[:LISTED]
    width = max(len(document.identifier) for document in shown)
    room = max(_NARROWEST, WIDEST - width - len("    2026-11-23 22:16  "))
    for document in shown:
        yield f"  {document.identifier:<{width}}  {_when(document)}  {_short(document.name, room)}"
    if len(chosen) > len(shown):
        yield f"  and {len(chosen) - len(shown):,} more"
    if others:
        yield f"  not touched: {', '.join(others)}"


def _when(document: OwnedDocument) -> str:
    """`2026-11-23 22:16`, in local time."""
    try:
        return f"{datetime.fromisoformat(document.at).astimezone():%Y-%m-%d %H:%M}"
    except ValueError:
        return " " * 16


def _short(name: str, room: int) -> str:
    line = one_line(name)
    return line if len(line) <= room else f"{line[: room - 1]}…"


def _dry_text(undoing: Undoing, settings: UndoSettings) -> Iterator[str]:
    yield "Dry run: nothing was deleted."
    if rate := settings.sending.rate:
        seconds = (len(undoing.chosen) - 1) / rate.per_second
        by = clock_text(seconds, datetime.now().astimezone())
        yield f"Deleting takes {about_text(seconds)} at {rate} (done by {by} if you start now)."


def _text(undoing: Undoing) -> Iterator[str]:
    ladder = (
        (undoing.interrupted, "Interrupted. All requests in flight are accounted for."),
        (undoing.stopped is not None, f"Stopped early: {one_line(undoing.stopped or '')}"),
        (undoing.deadline_reached and undoing.left > 0, "Stopped at the deadline."),
    )
    yield next((text for applies, text in ladder if applies), "Finished.")
    yield f"  {undoing.deleted:>9,} deleted (moved to Trash)"
    if undoing.gone:
        yield f"  {undoing.gone:>9,} already gone (deleted by someone else)"
    yield f"  {undoing.kept:>9,} not deleted" + (" (listed above)" if undoing.kept else "")
    yield f"  {undoing.left:>9,} left"
    yield f"Time: {duration_text(undoing.elapsed_seconds)}, {count(undoing.requests, 'request')}"
    if undoing.limit is not None and len(undoing.chosen) < len(undoing.owned):
        yield f"This undo was limited to {undoing.limit:,}; the others are still there."
    elif undoing.deleted + undoing.gone == len(undoing.owned):
        yield "Later runs skip these rows, unless they change or with --recreate-undone."


def _object(undoing: Undoing, results: Path, *, is_dry: bool) -> dict[str, object]:
    return {
        "results": str(results),
        "dryRun": is_dry,
        "documents": len(undoing.owned),
        "notDeleted": undoing.kept,
        **fields_of(undoing, _FIELDS),
        "first": [fields_of(document, "identifier name key") for document in undoing.chosen[:LISTED]],
    }
