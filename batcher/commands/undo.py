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
from ..send.ask_until_known import ask_until_known
from ..send.connect import open_requester
from ..send.drain import Drain, End
from ..send.requester import Requester
from ..send.streak import Streak
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
    on_found: Callable[[Undoing], None] = lambda _: None,
    drain: Drain | None = None,
    runtime: Runtime | None = None,
) -> Undoing:
    """Delete what the results file created, or (a dry run) only find it. `on_found` is told what, before it happens.

    Raises UsageError (nothing was deleted), Locked; everything later is told by what it returns.
    """
    runtime, drain = runtime or Runtime(), drain or Drain()
    with lock(settings.files, runtime.storage, runtime.holder):
        undoing = find(runtime.storage, settings)
        on_found(undoing)
        if settings.is_dry or not undoing.chosen:
            return undoing
        if not settings.endpoint.keys:
            raise UsageError(settings.endpoint.no_key_hint)
        begun = perf_counter()
        await _delete_all(settings, undoing, observer, drain, runtime)
        undoing.elapsed_seconds = perf_counter() - begun
    undoing.stopped = drain.reasons.get(End.STOPPED)
    undoing.interrupted = End.INTERRUPTED in drain.reasons
    undoing.deadline_reached = End.DEADLINE in drain.reasons
    return undoing


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
    if past.uncertain and not settings.force:
        raise UsageError(unsettled(past, files))
    ownership = find_owned(storage, files.results, past.journaled.undone)
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
                deletion = _Deletion(requester, journal, settings.sending, undoing, observer, runtime)
                with observer.working(len(undoing.chosen), requester):
                    await deletion.run()
        except DiskTrouble as trouble:
            requester.stop(str(trouble))
        undoing.requests = requester.requests


class _Deletion:
    """The deletions under way: workers that pull documents, newest first."""

    def __init__(
        self,
        requester: Requester,
        journal: Lines,
        settings: Sending,
        undoing: Undoing,
        observer: Observer,
        runtime: Runtime,
    ) -> None:
        self._requester, self._journal, self._settings = requester, journal, settings
        self._undoing, self._observer, self._runtime = undoing, observer, runtime
        self._pool = WorkerPool(settings.concurrency, runtime.random)
        self._pulled = iter(undoing.chosen)
        self._streak = Streak(settings.stop_after)

    async def run(self) -> None:
        """Until all are deleted, or the drain. What was answered is on disk when this returns."""
        self._journal.write(RunBegan(self._runtime.run_id, stamp(self._runtime.now()), "undo").encode())
        try:
            with self._requester.drain.waits():
                await self._pool.work(self._step)
        finally:
            with anyio.CancelScope(shield=True):
                await self._journal.sync()

    async def _step(self, _: anyio.CancelScope) -> bool:
        document = next(self._pulled, None)
        if document is None:
            return False
        try:
            question = self._requester.api.delete(document.identifier)
            match await ask_until_known(
                self._requester, self._pool, document.key, question, self._settings.max_attempts
            ):
                case Absent():
                    self._write_undone(document)
                case Refused(status=status, message=message):
                    self._keep(document, f"{status}: {message}")
                case Unknown(status=status, message=message):
                    self._keep(document, message if status is None else f"{status}: {message}")
                case _:
                    return False
            await self._journal.sync()
        except DiskTrouble as trouble:
            self._requester.stop(str(trouble))
            return False
        except KeysRefused:
            return False
        return True

    def _write_undone(self, document: OwnedDocument) -> None:
        at, run = stamp(self._runtime.now()), self._runtime.run_id
        line = Undone(document.key, document.identifier, document.spec_hash, document.lines, at, run)
        self._journal.write(line.encode())
        self._undoing.deleted += 1
        self._streak.end()
        self._observer.done(f"{document.source}:{document.line}: {document.identifier} deleted ({document.name})")

    def _keep(self, document: OwnedDocument, why: str) -> None:
        self._undoing.kept += 1
        self._observer.problem(Problem(document.source, document.line, document.identifier, f"not deleted: {why}"))
        if self._streak.add(why, document.identifier):
            self._requester.stop(f"{self._streak.times} documents in a row were not deleted: {self._streak.text}")


def unsettled(past: Past, files: Files) -> str:
    """Why uncertain rows come first, and how each kind of them is settled."""
    last = [past.history_of(key).unclear[-1] for key in past.uncertain]
    unnamed = sum(sent.identifier is None for sent in last)
    sentences = [f"{_rows(len(last))} uncertain: nobody knows yet whether the document exists."]
    if len(last) > unnamed:
        which = f" {len(last) - unnamed:,} of them" if unnamed else " that"
        sentences.append(f"Run the same inputs again first, which settles{which}.")
    if unnamed:
        sentences.append(
            f"{_rows(unnamed)} to be settled by a person, having been sent without an identifier: as the hint of each in "
            f"{files.failures} says."
        )
    return " ".join([*sentences, "Or leave them as they are with --force. Nothing was deleted."])


def _rows(number: int) -> str:
    return "1 row is" if number == 1 else f"{number:,} rows are"
