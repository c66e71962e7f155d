"""Undo: delete what one results file created, newest first, to Trash (contract 3).

    lock ─ read results and journal ─┬─ a line that the journal contradicts: the end, nothing deleted
                                     └─ what is ours and still there ─┬─ dry run: the end
                                                                      └─ delete each (`deletions.py`)

Only what this file's runs created or reconciled is theirs to delete, if the journal bears it out; adopted documents
never are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import perf_counter

from ..config import Endpoint, Files, Sending
from ..errors import DiskTrouble, ForeignWriter, UsageError
from ..files.disk import Storage
from ..files.earlier_results import in_lines
from ..files.lines import open_lines
from ..files.lock import lock
from ..files.owned import find_owned, journal_header
from ..files.past import Past, read_past
from ..report.observers import Observer
from ..runtime import Runtime
from ..send.connect import open_requester
from ..send.drain import Drain, End
from .deletions import Deletions
from .undoing import Undoing


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoSettings:
    """One `batcher undo`. `force`: even while rows are uncertain. `sending.limit`: only the newest so many."""

    endpoint: Endpoint
    files: Files
    sending: Sending = field(default_factory=Sending)
    is_dry: bool = True
    force: bool = False


async def undo(
    settings: UndoSettings,
    *,
    observer: Observer,
    on_found: Callable[[Undoing], None] = lambda _: None,
    drain: Drain | None = None,
    runtime: Runtime | None = None,
) -> Undoing:
    """Delete what the results file created, or (a dry run) only find it. `on_found` is told what, before it happens.

    Raises UsageError (nothing was deleted), Locked; everything later is told by what it returns.
    """
    runtime, drain = runtime or Runtime(), drain or Drain()
    with lock(settings.files, runtime.storage, runtime.holder):
        look = in_lines(
            runtime.storage, settings.files, observer.warning, keeps=False
        )  # what is refused isn't converted
        with look as files:
            undoing = find(runtime.storage, replace(settings, files=files))
        on_found(undoing)
        if settings.is_dry or not undoing.chosen:
            return undoing
        if not settings.endpoint.keys:
            raise UsageError(settings.endpoint.no_key_hint)
        begun = perf_counter()
        with in_lines(runtime.storage, settings.files, keeps=True):
            await _delete_all(settings, undoing, observer, drain, runtime)
        undoing.elapsed_seconds = perf_counter() - begun
    undoing.stopped = str(drain.stopped) if drain.stopped else None
    undoing.stop_reason = drain.stop_reason
    undoing.interrupted = End.INTERRUPTED in drain.ends
    undoing.deadline_reached = End.DEADLINE in drain.ends
    return undoing


def find(storage: Storage, settings: UndoSettings) -> Undoing:
    """What there is to delete. Raises UsageError if it cannot be told, or not yet."""
    files = settings.files
    header = journal_header(storage, files)
    base_url = header.base_url
    mine = "sandbox" if settings.endpoint.sandbox else settings.endpoint.base_url
    if mine not in ("", base_url):
        remedy = "add --sandbox" if base_url == "sandbox" else f"give --base-url {base_url}"
        raise UsageError(f"{files.found} lists documents at {base_url}, not at {mine}: {remedy}; nothing was deleted")
    past = read_past(storage, files, base_url, header.namespace)
    ownership = find_owned(storage, files, past.journaled)  # first: rows may be uncertain because somebody changed keys
    if past.uncertain and not settings.force:
        raise UsageError(unsettled(past, files))
    return Undoing(
        base_url,
        settings.is_dry,
        ownership.owned,
        adopted=ownership.adopted,
        undone_before=ownership.undone_before,
        uncertain=len(past.uncertain),
        limit=settings.sending.limit,
    )


async def _delete_all(
    settings: UndoSettings, undoing: Undoing, observer: Observer, drain: Drain, runtime: Runtime
) -> None:
    async with open_requester(
        settings.endpoint, settings.sending, settings.files, drain, runtime, observer.warning, keeps=False
    ) as requester:
        try:
            with open_lines(runtime.storage, settings.files.journal) as journal:
                deletions = Deletions(requester, journal, settings.sending, undoing, observer, runtime)
                with observer.working(len(undoing.chosen), requester):
                    await deletions.run()
        except DiskTrouble as trouble:
            requester.stop(str(trouble), trouble.stop_reason)
            undoing.foreign_writer = isinstance(trouble, ForeignWriter)
        undoing.requests = requester.requests


def unsettled(past: Past, files: Files) -> str:
    """Why uncertain rows come first, and how each kind of them is settled."""
    last = [past.history_of(key).unclear[-1] for key in past.uncertain]
    unnamed = sum(sent.identifier is None for sent in last)
    sentences = [f"{_rows(len(last))} uncertain: it isn't known yet whether the document exists."]
    if len(last) > unnamed:
        which = f" {len(last) - unnamed:,} of them" if unnamed else " that"
        sentences.append(f"Run the same inputs again first, which settles{which}.")
    if unnamed:
        sentences.append(
            f"{_rows(unnamed)} to be settled by hand, since no identifier was sent: see the hint of each in "
            f"{files.failures}."
        )
    return " ".join([*sentences, "Or leave them as they are with --force. Nothing was deleted."])


def _rows(number: int) -> str:
    return "1 row is" if number == 1 else f"{number:,} rows are"
