"""The deletions of an undo under way: an intent on disk, then the DELETE, then what became of it (contract 7).

slot of the rate ─ journal `undoing`, fsync ─ DELETE ─┬─ 2xx, or 404 after a DELETE of ours: deleted ─┬─ journal `undone`
                                                      ├─ 404: gone already ───────────────────────────┘
                                                      ├─ refused: not deleted ── journal `undo_kept`
                                                      └─ nobody knows: not deleted, and the intent stays open
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import anyio

from ..config import Sending
from ..errors import DiskTrouble, StopReason
from ..files.lines import Lines
from ..files.owned import OwnedDocument
from ..files.run_lines import RunBegan
from ..files.undo_lines import UndoIntent
from ..models import Problem, stamp
from ..omni.api import Question
from ..omni.verdicts import Absent, Look, Refused, There, Unknown
from ..pace.gate import KeysRefused
from ..report.observers import Observer
from ..runtime import Runtime
from ..send.ask_until_known import ask_until_known
from ..send.requester import Requester
from ..send.streak import Streak
from ..send.workers import WorkerPool
from ..transport.reply import Answer, Reply
from .undoing import Undoing

NOT_FOUND = 404


class Deletions:
    """Workers that pull documents, newest first."""

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
        self._journal.write(RunBegan(self._runtime.run_id, self._now(), "undo").encode())
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
        deletion = _Deletion(document, self._requester.api.delete(document.identifier), document.is_open)
        try:
            with self._closing(deletion):
                if not self._book(deletion, await self._delete(deletion)):
                    return False
            await self._journal.sync()
        except DiskTrouble as trouble:
            self._requester.stop(str(trouble), trouble.stop_reason)
            return False
        except KeysRefused:
            return False
        return True

    async def _delete(self, deletion: _Deletion) -> There | Absent | Refused | Unknown | None:
        question = Question(deletion.question.request, deletion.judge)
        intend, row = partial(self._intend, deletion), deletion.document.key
        return await ask_until_known(
            self._requester, self._pool, row, question, self._settings.max_attempts, before=intend
        )

    async def _intend(self, deletion: _Deletion) -> None:
        """One DELETE is about to leave: it does when the intent of its document is durable."""
        if deletion.intent is None:
            deletion.intent = deletion.document.intent(self._now(), self._runtime.run_id)
            self._journal.write(deletion.intent.encode())
        await self._journal.sync()
        deletion.is_in_flight = True

    def _book(self, deletion: _Deletion, look: There | Absent | Refused | Unknown | None) -> bool:
        """Write down what came of it; False if the undo must stop."""
        match look:
            case Absent():
                self._write_undone(deletion)
            case Refused(status=status, message=message):
                self._write_kept(deletion)
                self._keep(deletion.document, f"{status}: {message}")
            case Unknown(status=status, message=message):
                self._keep(deletion.document, message if status is None else f"{status}: {message}")
            case There() | None:
                return False
        return True

    @contextlib.contextmanager
    def _closing(self, deletion: _Deletion) -> Iterator[None]:
        """Close the intent of a DELETE that certainly did nothing, should the undo end before it may be sent again."""
        try:
            yield
        finally:
            if deletion.did_nothing:
                with contextlib.suppress(DiskTrouble):
                    self._write_kept(deletion)

    def _write_undone(self, deletion: _Deletion) -> None:
        document = deletion.document
        intent, deletion.intent = deletion.intent, None
        if intent is not None:
            self._journal.write(intent.undone(self._now(), self._runtime.run_id).encode())
        if deletion.was_gone:
            self._undoing.gone += 1
        else:
            self._undoing.deleted += 1
        self._streak.end()
        what = "gone already" if deletion.was_gone else "deleted"
        self._observer.done(f"{document.source}:{document.line}: {document.identifier} {what} ({document.name})")

    def _write_kept(self, deletion: _Deletion) -> None:
        intent, deletion.intent = deletion.intent, None
        if intent is not None:
            self._journal.write(intent.kept(self._now(), self._runtime.run_id).encode())

    def _keep(self, document: OwnedDocument, why: str) -> None:
        self._undoing.kept += 1
        self._observer.problem(Problem(document.source, document.line, document.identifier, f"not deleted: {why}"))
        if self._streak.add(why, document.identifier):
            message = f"{self._streak.times} documents in a row were not deleted: {self._streak.text}"
            self._requester.stop(message, StopReason.SAME_FAILURE)

    def _now(self) -> str:
        return stamp(self._runtime.now())


@dataclass(slots=True)
class _Deletion:
    """One document's DELETEs. `may_have_worked`: one of them, or of an earlier undo's, may have deleted it unheard.

    `intent` is the line that is open now.
    """

    document: OwnedDocument
    question: Question[Look | Refused]
    may_have_worked: bool
    intent: UndoIntent | None = None
    is_in_flight: bool = False
    was_gone: bool = False

    def judge(self, reply: Reply, now: datetime) -> Look | Refused:
        """What the reply means; and remember what it says of all the DELETEs so far."""
        look = self.question.judge(reply, now)
        self.is_in_flight = False
        is_404 = isinstance(reply, Answer) and reply.status == NOT_FOUND
        if isinstance(look, Unknown) and not is_404:  # a router's 404 has deleted nothing
            self.may_have_worked = True
        self.was_gone = isinstance(look, Absent) and is_404 and not self.may_have_worked
        return look

    @property
    def did_nothing(self) -> bool:
        """Whether its intent is open although no DELETE can have worked."""
        return self.intent is not None and not self.is_in_flight and not self.may_have_worked
