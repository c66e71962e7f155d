"""Teeth: copies of the program with one safeguard switched off. The laws must notice each of them.

Each copy hands in another disk or another decision, as the program takes them from outside; where there is no such way (two
checks of what people bring back, what answers prove), a function takes their place. Where a law looks straight at the
safeguard (an intent on disk before the request leaves), that law is switched off too: what must be noticed is the damage,
not the missing step.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO
from unittest.mock import patch

from batcher.commands.undoing import Undoing
from batcher.config import RunSettings
from batcher.files import history
from batcher.files.disk import Storage
from batcher.files.due_steps import StepsLeft
from batcher.files.intended import Intended
from batcher.files.step_lines import StepDone
from batcher.models import ApiVersion, Spec
from batcher.omni.verdicts import Absent, There, Unknown
from batcher.placement import StepKind
from batcher.plan import seen_rows
from batcher.report.summary import Summary
from batcher.send import firewall, look_up, make_places, reconcile
from batcher.send.ask_until_known import ask_until_known
from batcher.send.finish_step import FinishStep
from batcher.send.misnamed import Misnaming
from batcher.send.requester import Requester
from batcher.send.settle_rules import Adopted, Case, Decision, SendAgain, Taken, decide
from batcher.send.workers import WorkerPool

from .disk import Inode, ProcessDisk, SimulatedFile
from .kinds import KINDS
from .product import Real
from .records import FILES, Broken, Start
from .transport import SimulatedTransport
from .world import World


class BrokenDisk(ProcessDisk):
    """The same disk, seen by a program that uses it badly."""

    def __init__(self, process: ProcessDisk) -> None:
        super().__init__(process.disk, process._generation)


class NoIntent(Real):
    """Nothing is written before a request leaves: what a later run reads there is no intent."""

    def storage(self, process: ProcessDisk) -> Storage:
        """As `Real`."""
        return _WithoutIntents(process)


class _WithoutIntents(BrokenDisk):
    @contextmanager
    def append(self, path: Path) -> Iterator[SimulatedFile]:
        """As `Storage`."""
        with super().append(path) as file:
            yield _WithoutIntentLines(self, file._inode)


class _WithoutIntentLines(SimulatedFile):
    def write(self, data: bytes) -> None:
        """As `AppendFile`."""
        super().write(data.replace(b'"type":"intent"', b'"type":"nobody"'))


class NoFsync(Real):
    """The intent is written, but the request doesn't wait for the disk."""

    def storage(self, process: ProcessDisk) -> Storage:
        """As `Real`."""
        return _WithoutSync(process)


class _WithoutSync(BrokenDisk):
    @contextmanager
    def append(self, path: Path) -> Iterator[SimulatedFile]:
        """As `Storage`."""
        with super().append(path) as file:
            yield _Unsynced(self, file._inode) if path == FILES.journal else file


class _Unsynced(SimulatedFile):
    async def sync(self) -> None:
        """As `AppendFile`, but not for an intent: that is safe only with what comes after it."""
        last = bytes(self._inode.data).splitlines()[-1:]
        if not last or b'"type":"intent"' not in last[0]:
            await super().sync()


class NoReconcile(Real):
    """What is unclear is simply sent again."""

    def decide(self, case: Case) -> Decision:
        """As `Real`."""
        return SendAgain() if case.refused is None else decide(case)


class NoRepair(Real):
    """A torn last line stays as it is, and the next line is written behind it."""

    def storage(self, process: ProcessDisk) -> Storage:
        """As `Real`."""
        return _NeverCut(process)


class _NeverCut(BrokenDisk):
    def truncate(self, path: Path, size: int) -> None:
        """As `Storage`, but nothing is cut."""


class NoAtomicReplace(Real):
    """The failures file is rewritten in place."""

    def storage(self, process: ProcessDisk) -> Storage:
        """As `Real`."""
        return _InPlace(process)


class _InPlace(BrokenDisk):
    """Replaces a file by emptying it and writing anew."""

    def replace(self, path: Path, chunks: Iterable[bytes]) -> None:
        """As `Storage`, but neither wholly nor not at all."""
        self.step("replace")
        inode = self.disk.names[path] = Inode()
        for chunk in chunks:
            inode.data += chunk
            self.step("replacing")
        inode.synced = len(inode.data)
        self.step("replaced")


class NoResumeFilter(Real):
    """Every row of the input counts as new in every run: no key of the results is known again."""

    def storage(self, process: ProcessDisk) -> Storage:
        """As `Real`."""
        return _Forgetful(process)


class _Forgetful(BrokenDisk):
    @contextmanager
    def read(self, path: Path, buffer_bytes: int = 0) -> Iterator[BinaryIO]:
        """As `Storage`."""
        with super().read(path, buffer_bytes) as stream:
            data = stream.read()
            yield io.BytesIO(re.sub(rb'\{"key":".', rb'{"key":"!', data) if path == FILES.results else data)


class NoStrangerRule(Real):
    """A document at a taken identifier is booked as ours, whoever made it."""

    def decide(self, case: Case) -> Decision:
        """As `Real`."""
        decision = decide(case)
        if isinstance(decision, Taken) and isinstance(case.look, There):
            return Adopted(case.look)
        return decision


class NoControlQuestion(Real):
    """A 403 or 422 to a look-up proves that the document is there, whatever else is answered so."""

    async def live(self, world: World, start: Start, process: ProcessDisk, transport: SimulatedTransport) -> Summary:
        """As `Real`."""
        with patch.object(reconcile, "look_up", _believe):
            return await super().live(world, start, process, transport)


async def _believe(
    requester: Requester, pool: WorkerPool, row: str, identifier: str, attempts: int, by: ApiVersion | None = None
) -> object:
    return await ask_until_known(requester, pool, row, requester.api.get(identifier, by), attempts)


class NoOtherVersion(Real):
    """A look-up through a version that has gone away, or that can't read the layout, isn't made through the other."""

    async def live(self, world: World, start: Start, process: ProcessDisk, transport: SimulatedTransport) -> Summary:
        """As `Real`."""
        with patch.object(look_up, "_may_the_other_know", lambda _: False):
            return await super().live(world, start, process, transport)


class GoneIsAbsent(Real):
    """A version that has gone away answers that there is no document."""

    async def live(self, world: World, start: Start, process: ProcessDisk, transport: SimulatedTransport) -> Summary:
        """As `Real`."""
        with patch.object(look_up, "_ask", _ask_and_believe):
            return await super().live(world, start, process, transport)


async def _ask_and_believe(
    requester: Requester, pool: WorkerPool, row: str, identifier: str, attempts: int, version: ApiVersion
) -> object:
    look = await ask_until_known(requester, pool, row, requester.api.get(identifier, version), attempts)
    return Absent() if isinstance(look, Unknown) and look.is_gone else look


class NoCheckOfNames(Real):
    """An answer that names another document than the one asked for is the row's own all the same."""

    async def live(self, world: World, start: Start, process: ProcessDisk, transport: SimulatedTransport) -> Summary:
        """As `Real`."""
        with patch.object(Misnaming, "takes", lambda *_: True):
            return await super().live(world, start, process, transport)


class NoSecondTry(Real):
    """A row fails the first time that a firewall refuses it."""

    async def live(self, world: World, start: Start, process: ProcessDisk, transport: SimulatedTransport) -> Summary:
        """As `Real`."""
        with patch.object(firewall, "TIMES_EACH", 1):
            return await super().live(world, start, process, transport)


class NoStopAtFirewall(Real):
    """The run goes on, however many rows a firewall refuses one after the other."""

    async def live(self, world: World, start: Start, process: ProcessDisk, transport: SimulatedTransport) -> Summary:
        """As `Real`."""
        with patch.object(firewall, "ROWS_IN_A_ROW", 1000):
            return await super().live(world, start, process, transport)


class FromTheStart(Real):
    """The ten minutes count from when an attempt began, however long it was waited for."""

    timeout_seconds = 0.0

    def settings(self, start: Start) -> RunSettings:
        """As `Real`."""
        self.timeout_seconds = start.run.sending.timeout_seconds
        return super().settings(start)

    def decide(self, case: Case) -> Decision:
        """As `Real`."""
        return decide(replace(case, age_seconds=case.age_seconds + self.timeout_seconds))


class NoContentCheck(Real):
    """A new row is compared with nothing that was created under another key."""

    def settings(self, start: Start) -> RunSettings:
        """As `Real`."""
        return replace(super().settings(start), rekey=False, create_again=True)


class NoKeyCheck(Real):
    """A line that was fed back with a key that the journal doesn't know is a new row."""

    async def live(self, world: World, start: Start, process: ProcessDisk, transport: SimulatedTransport) -> Summary:
        """As `Real`."""
        with patch.object(seen_rows, "unknown_key", lambda *_: None):
            return await super().live(world, start, process, transport)


class NoUndoCheck(Real):
    """Undo believes whatever the results file says."""

    async def undo(self, world: World, process: ProcessDisk, transport: SimulatedTransport, *, force: bool) -> Undoing:
        """As `Real`."""
        with patch.object(Intended, "holds", lambda *_: True):
            return await super().undo(world, process, transport, force=force)


class NoStepsKnown(Real):
    """What a created row lacks is kept in memory only."""

    async def live(self, world: World, start: Start, process: ProcessDisk, transport: SimulatedTransport) -> Summary:
        """As `Real`."""
        with patch.object(StepsLeft, "intended", lambda *_: None):
            return await super().live(world, start, process, transport)


class NoStepDone(Real):
    """That a step is done isn't read back."""

    async def live(self, world: World, start: Start, process: ProcessDisk, transport: SimulatedTransport) -> Summary:
        """As `Real`."""
        with patch.object(history, "StepDone", _Never):
            return await super().live(world, start, process, transport)


class _Never:
    """No line is one of these."""


class StepFirst(Real):
    """A step is written down before its answer has come."""

    async def live(self, world: World, start: Start, process: ProcessDisk, transport: SimulatedTransport) -> Summary:
        """As `Real`."""
        do = FinishStep._do

        async def written_first(step: FinishStep, spec: Spec, identifier: str, kind: StepKind) -> object:
            step.ledger.write_step(StepDone(spec.key, kind, identifier, "", step.ledger.run))
            return await do(step, spec, identifier, kind)

        with patch.object(FinishStep, "_do", written_first):
            return await super().live(world, start, process, transport)


class NoTenMinutes(Real):
    """A folder that isn't listed right after an unclear POST was not made."""

    async def live(self, world: World, start: Start, process: ProcessDisk, transport: SimulatedTransport) -> Summary:
        """As `Real`."""
        with patch.object(make_places, "SETTLED_SECONDS", 0.0), patch.object(make_places, "LAG_SECONDS", 0.0):
            return await super().live(world, start, process, transport)


class NoJournaledFolder(Real):
    """That a folder is about to be made is written down nowhere that a later run reads."""

    async def live(self, world: World, start: Start, process: ProcessDisk, transport: SimulatedTransport) -> Summary:
        """As `Real`."""
        with patch.object(make_places.PlaceMaker, "_may_make", lambda *_: True):
            return await super().live(world, start, process, transport)


TEETH: dict[str, Callable[[], Real]] = {
    "intent before send": NoIntent,
    "fsync before send": NoFsync,
    "reconcile before resend": NoReconcile,
    "tail repair": NoRepair,
    "atomic compaction": NoAtomicReplace,
    "resume filter": NoResumeFilter,
    "stranger rule": NoStrangerRule,
    "control question": NoControlQuestion,
    "check of names": NoCheckOfNames,
    "firewall's second try": NoSecondTry,
    "stop at a firewall": NoStopAtFirewall,
    "ten minutes from the end": FromTheStart,
    "content check": NoContentCheck,
}
VERSIONS_TEETH: dict[str, Callable[[], Real]] = {
    "other version": NoOtherVersion,
    "gone isn't absent": GoneIsAbsent,
    "reconcile before resend": NoReconcile,
}
PLACED_TEETH: dict[str, Callable[[], Real]] = {
    "steps due, from the journal": NoStepsKnown,
    "steps done, from the journal": NoStepDone,
    "a step's answer first": StepFirst,
    "ten minutes for a folder": NoTenMinutes,
    "a folder's intent": NoJournaledFolder,
}
PEOPLES_TEETH: dict[str, Callable[[], Real]] = {
    "content check": NoContentCheck,
    "check of keys fed back": NoKeyCheck,
    "undo's check": NoUndoCheck,
}


def find(broken_copy: Callable[[], Real], seeds: Iterable[int], kind: str = "rows") -> tuple[int, str] | None:
    """The first seed that the program survives and the broken copy does not, and which law noticed; None if none does."""
    for seed in seeds:
        noticed = noticed_in(seed, broken_copy(), kind)
        if noticed is not None and noticed_in(seed, Real(), kind) is None:
            return seed, noticed
    return None


def noticed_in(seed: int, product: Real, kind: str = "rows") -> str | None:
    """What the laws say of this copy's life, in one line; None if they hold."""
    try:
        KINDS[kind].live(KINDS[kind].begin(seed, watches_intents=False), product)
    except Broken as broken:
        return str(broken).splitlines()[0]
    return None
