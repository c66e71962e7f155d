"""Undo: delete what one results file created, newest first, to Trash (contract 3).

    lock ─ read results and journal ─ what is ours and still there ─┬─ dry run: the end
                                                                    └─ DELETE ─ 200 or 404 ─ journal `undone` ─ …

Only what this file's runs created or reconciled is theirs to delete; adopted documents never are. The journal's line is
written after the server's answer, so a crash in between costs one DELETE that is answered 404 the next time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter

import anyio

from ..config import Endpoint, Files, Sending
from ..errors import DiskTrouble, UsageError
from ..files.disk import Storage
from ..files.journal_lines import RunBegan, Undone
from ..files.lines import Lines, open_lines
from ..files.lock import lock
from ..files.owned import OwnedDocument, find_owned, journal_header
from ..files.past import Past, read_past
from ..models import Problem, stamp
from ..omni.verdicts import Absent, Refused, Unknown
from ..pace.gate import KeysRefused
from ..report.observers import Observer
from ..runtime import Runtime
from ..send.asking import ask_until_known
from ..send.connect import open_requester
from ..send.drain import Drain, End
from ..send.requester import Requester
from ..send.workers import WorkerPool


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoSettings:
    """One `batcher undo`. `force`: even while rows are uncertain. `sending.limit`: only the newest so many."""

    endpoint: Endpoint
    files: Files
    sending: Sending = field(default_factory=Sending)
    is_dry: bool = True
    force: bool = False


@dataclass(slots=True)
class Undoing:
    """What an undo found and did. `owned` (newest first) = deleted + kept + left."""

    base_url: str
    is_dry: bool = True
    owned: tuple[OwnedDocument, ...] = ()
    adopted: int = 0
    undone_before: int = 0
    uncertain: int = 0
    deleted: int = 0
    kept: int = 0
    limit: int | None = None
    requests: int = 0
    elapsed_seconds: float = 0.0
    stopped: str | None = None
    interrupted: bool = False
    deadline_reached: bool = False

    @property
    def chosen(self) -> tuple[OwnedDocument, ...]:
        """The documents that this undo is about."""
        return self.owned if self.limit is None else self.owned[: self.limit]

    @property
    def left(self) -> int:
        """Documents that a further undo will delete."""
        return len(self.owned) - self.deleted - self.kept

    @property
    def exit_code(self) -> int:
        """Contract 10: of several the first of 130, 3, 6, 1, 0. A dry run leaves everything, and that is right."""
        is_cut = self.deadline_reached or len(self.chosen) < len(self.owned)
        ladder = (
            (self.is_dry, 0),
            (self.interrupted, 130),
            (self.stopped is not None, 3),
            (is_cut and self.left > 0, 6),
            (self.kept > 0, 1),
        )
        return next((code for applies, code in ladder if applies), 0)


async def undo(
    settings: UndoSettings,
    *,
    observer: Observer,
    on_found: Callable[[Undoing], None] = lambda _found: None,
    drain: Drain | None = None,
    runtime: Runtime | None = None,
) -> Undoing:
    """Delete what the results file created, or (a dry run) only find it. `on_found` is told what, before it happens.

    Raises UsageError (nothing was deleted), Locked; everything later is told by what it returns.
    """
    runtime, drain = runtime or Runtime(), drain or Drain()
    with lock(settings.files, runtime.storage, runtime.holder):
        found = find(runtime.storage, settings)
        on_found(found)
        if settings.is_dry or not found.chosen:
            return found
        if not settings.endpoint.keys:
            raise UsageError(settings.endpoint.no_key_hint)
        begun = perf_counter()
        await _delete_all(settings, found, observer, drain, runtime)
        found.elapsed_seconds = perf_counter() - begun
    found.stopped = drain.reasons.get(End.STOPPED)
    found.interrupted = End.INTERRUPTED in drain.reasons
    found.deadline_reached = End.DEADLINE in drain.reasons
    return found


def find(storage: Storage, settings: UndoSettings) -> Undoing:
    """What there is to delete. Raises UsageError if it cannot be told, or not yet."""
    files = settings.files
    header = journal_header(storage, files)
    base_url = header.base_url
    mine = "sandbox" if settings.endpoint.sandbox else settings.endpoint.base_url
    if mine not in ("", base_url):
        remedy = "add --sandbox" if base_url == "sandbox" else f"give --base-url {base_url}"
        raise UsageError(
            f"{files.results} tells of documents at {base_url}, not at {mine}: {remedy}; nothing was deleted"
        )
    past = read_past(storage, files, base_url, header.namespace)
    uncertain = len(past.uncertain)
    if uncertain and not settings.force:
        raise UsageError(unsettled(past, files))
    whose = find_owned(storage, files.results, past.journaled.undone)
    return Undoing(
        base_url,
        settings.is_dry,
        whose.owned,
        adopted=whose.adopted,
        undone_before=whose.undone_before,
        uncertain=uncertain,
        limit=settings.sending.limit,
    )


async def _delete_all(
    settings: UndoSettings, found: Undoing, observer: Observer, drain: Drain, runtime: Runtime
) -> None:
    warn = observer.warning
    async with open_requester(
        settings.endpoint, settings.sending, settings.files, drain, runtime, warn, keeps=False
    ) as requester:
        try:
            with open_lines(runtime.storage, settings.files.journal) as journal:
                deletion = _Deletion(requester, journal, settings.sending, found, observer, runtime)
                with observer.working(len(found.chosen), requester):
                    await deletion.run()
        except DiskTrouble as trouble:
            requester.stop(str(trouble))
        found.requests = requester.requests


class _Deletion:
    """The deletions under way: a crew that pulls documents, newest first."""

    def __init__(
        self,
        requester: Requester,
        journal: Lines,
        settings: Sending,
        found: Undoing,
        observer: Observer,
        runtime: Runtime,
    ) -> None:
        self._requester = requester
        self._journal = journal
        self._settings = settings
        self._found = found
        self._observer = observer
        self._runtime = runtime
        self._pool = WorkerPool(settings.concurrency, runtime.random)
        self._pulled = iter(found.chosen)
        self._streak: tuple[str, int] = ("", 0)

    async def run(self) -> None:
        """Until all are deleted, or the drain. What was answered is on disk when this returns."""
        self._write(RunBegan(self._runtime.run_id, stamp(self._runtime.now()), "undo"))
        try:
            with self._requester.drain.waits():
                await self._pool.work(self._step)
        finally:
            with anyio.CancelScope(shield=True):
                await self._journal.sync()

    async def _step(self) -> bool:
        one = next(self._pulled, None)
        if one is None:
            return False
        try:
            question = self._requester.api.delete(one.identifier)
            match await ask_until_known(self._requester, self._pool, one.key, question, self._settings.max_attempts):
                case Absent():
                    self._write_undone(one)
                case Refused(status=status, message=message):
                    self._keep(one, f"{status}: {message}")
                case Unknown(status=status, message=message):
                    self._keep(one, message if status is None else f"{status}: {message}")
                case _:
                    return False
            await self._journal.sync()
        except DiskTrouble as trouble:
            self._requester.stop(str(trouble))
            return False
        except KeysRefused:
            return False
        return True

    def _write_undone(self, one: OwnedDocument) -> None:
        at, run = stamp(self._runtime.now()), self._runtime.run_id
        self._write(Undone(one.key, one.identifier, one.spec_hash, one.lines, at, run))
        self._found.deleted += 1
        self._streak = ("", 0)
        self._observer.done(f"{one.source}:{one.line}: {one.identifier} deleted ({one.name})")

    def _keep(self, one: OwnedDocument, why: str) -> None:
        self._found.kept += 1
        self._observer.problem(Problem(one.source, one.line, one.identifier, f"not deleted: {why}"))
        text, count = self._streak
        same = why.replace(one.identifier, "…")
        self._streak = (same, count + 1 if text == same else 1)
        if self._streak[1] >= self._settings.stop_after:
            self._requester.stop(f"{self._settings.stop_after} documents running were not deleted: {same}")

    def _write(self, line: RunBegan | Undone) -> None:
        self._journal.write(line.encode())


def unsettled(past: Past, files: Files) -> str:
    """Why uncertain rows come first, and how each kind of them is settled."""
    last = [past.history_of(key).unclear[-1] for key in past.uncertain]
    unnamed = sum(sent.identifier is None for sent in last)
    said = [f"{_rows(len(last))} uncertain: nobody knows yet whether the document exists."]
    if len(last) > unnamed:
        which = f" {len(last) - unnamed:,} of them" if unnamed else " that"
        said.append(f"Run the same inputs again first, which settles{which}.")
    if unnamed:
        said.append(
            f"{_rows(unnamed)} to be settled by a person, having been sent without an identifier: as the hint of each in "
            f"{files.failures} says."
        )
    return " ".join([*said, "Or leave them as they are with --force. Nothing was deleted."])


def _rows(number: int) -> str:
    return "1 row is" if number == 1 else f"{number:,} rows are"
