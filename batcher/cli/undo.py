"""`batcher undo`: what a results file created goes to Trash; without --yes it is only listed.

`batcher/report/README.md` documents the object of `--json` and `--summary FILE`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from ..commands.undo import Undoing, UndoSettings
from ..commands.undo import undo as undo_results
from ..files.owned import OwnedDocument
from ..pace.rate import Rate
from ..runtime import runtime_of
from ..send.drain import Drain
from .end import Invocation
from .given import prepare, speak
from .loop import Interrupts, run_until
from .run import deadline
from .screen.command_lines import again
from .screen.console import one_line
from .screen.observer import ConsoleObserver
from .settings.durations import about_text, clock_text, duration_text
from .settings.files import files_of_results

LISTED = 20
_WIDEST = 48


def undo(invocation: Invocation, options: Mapping[str, Any]) -> int:
    """List what would be deleted; with --yes delete it. Raises BatcherError."""
    given, sources = prepare(invocation, "undo", options)
    results = Path(options["results_file"]).expanduser()
    is_dry = not given.flag("yes")
    settings = UndoSettings(
        endpoint=sources.endpoint(needed=not is_dry),
        files=files_of_results(results),
        sending=sources.sending(),
        is_dry=is_dry,
        force=given.flag("force"),
    )
    speak(invocation, sources)
    invocation.beside = results.parent
    interrupts = Interrupts(Drain(), invocation.console.warning)
    invocation.has_sent = lambda: interrupts.has_sent
    observer = ConsoleObserver(
        invocation.console, verbose=invocation.verbose, around=interrupts.draining, verb="deleted"
    )

    def list_them(found: Undoing) -> None:
        for line in _listing(found, results):
            invocation.console.note(line)

    runtime = runtime_of(settings.sending, os.environ, observer.warning)
    body = partial(
        undo_results, settings, observer=observer, on_found=list_them, drain=interrupts.drain, runtime=runtime
    )
    found = run_until(body, interrupts, deadline(invocation, sources))
    invocation.code = found.exit_code
    fields = _object(found, results, is_dry=is_dry)
    text = _dry_text(found, invocation, settings) if is_dry else _text(found, invocation)
    if found.chosen:
        invocation.console.summary("\n".join(text), fields)
    invocation.final(fields | {"problems": observer.problem_objects("part")})
    return invocation.code


def _listing(found: Undoing, results: Path) -> Iterator[str]:
    """How many, and which."""
    others = [f"{found.adopted:,} adopted"] if found.adopted else []
    others += [f"{found.undone_before:,} deleted before"] if found.undone_before else []
    chosen = found.chosen
    if not chosen:
        yield f"{results}: nothing to delete" + (f" ({', '.join(others)})" if others else "")
        return
    of = f" of {len(found.owned):,}" if len(chosen) < len(found.owned) else ""
    documents = "document" if len(chosen) == 1 else "documents"
    yield f"{results}: {len(chosen):,}{of} {documents} at {found.base_url} to delete, newest first:"
    shown = chosen[:LISTED]
    width = max(len(one.identifier) for one in shown)
    for one in shown:
        yield f"  {one.identifier:<{width}}  {_when(one)}  {_short(one.name)}"
    if len(chosen) > len(shown):
        yield f"  and {len(chosen) - len(shown):,} more"
    if others:
        yield f"  not touched: {', '.join(others)}"


def _when(one: OwnedDocument) -> str:
    """`2026-11-23 22:16`, in local time."""
    try:
        return f"{datetime.fromisoformat(one.at).astimezone():%Y-%m-%d %H:%M}"
    except ValueError:
        return " " * 16


def _short(name: str) -> str:
    line = one_line(name)
    return line if len(line) <= _WIDEST else f"{line[: _WIDEST - 1]}…"


def _dry_text(found: Undoing, invocation: Invocation, settings: UndoSettings) -> Iterator[str]:
    yield f"A dry run: nothing was deleted. {_duration(len(found.chosen), settings.sending.rate)}"
    where = [] if settings.endpoint.base_url else _where(found)
    yield f"To move them to Trash: {again([*invocation.argv, *where, '--yes'])}"


def _where(found: Undoing) -> list[str]:
    return ["--sandbox"] if found.base_url == "sandbox" else ["--base-url", found.base_url]


def _duration(documents: int, rate: Rate | None) -> str:
    if rate is None:
        return ""
    seconds = (documents - 1) / rate.per_second
    until = clock_text(seconds, datetime.now().astimezone())
    return f"It takes {about_text(seconds)} at {rate}: started now, until {until}."


def _text(found: Undoing, invocation: Invocation) -> Iterator[str]:
    ladder = (
        (found.interrupted, "Interrupted. What was in flight has been accounted for."),
        (found.stopped is not None, f"Stopped early: {one_line(found.stopped or '')}"),
        (found.deadline_reached and found.left > 0, "The deadline was reached; documents are left."),
    )
    yield next((text for applies, text in ladder if applies), "Finished.")
    yield f"  {found.deleted:>9,} deleted (moved to Trash)"
    yield f"  {found.kept:>9,} not deleted" + (" (named above)" if found.kept else "")
    yield f"  {found.left:>9,} left"
    yield f"Time: {duration_text(found.elapsed_seconds)}, {found.requests:,} requests"
    if found.left:
        yield f"Next: go on with the {found.left:,} left: {again(invocation.argv)}"
    elif found.kept:
        yield f"Next: with a key that may delete them: {again(invocation.argv)}"
    elif found.deleted:
        yield "A later run passes these rows over, unless they have changed or --recreate-undone is given."


def _object(found: Undoing, results: Path, *, is_dry: bool) -> dict[str, object]:
    return {
        "results": str(results),
        "baseUrl": found.base_url,
        "dryRun": is_dry,
        "documents": len(found.owned),
        "deleted": found.deleted,
        "notDeleted": found.kept,
        "left": found.left,
        "adopted": found.adopted,
        "undoneBefore": found.undone_before,
        "uncertain": found.uncertain,
        "requests": found.requests,
        "elapsedSeconds": round(found.elapsed_seconds, 3),
        "stopped": found.stopped,
        "interrupted": found.interrupted,
        "deadlineReached": found.deadline_reached,
        "first": [{"identifier": one.identifier, "name": one.name, "key": one.key} for one in found.chosen[:LISTED]],
    }
