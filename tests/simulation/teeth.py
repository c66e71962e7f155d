"""Teeth: copies of the program with one safeguard switched off. The laws must notice each of them.

Each copy hands in another disk or another decision, as the program takes them from outside; no line and no method of the
program is changed. Where a law looks straight at the safeguard (an intent on disk before the request leaves), that law is
switched off too: what must be noticed is the damage, not the missing step.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from batcher.config import RunSettings
from batcher.files.disk import Storage
from batcher.omni.verdicts import There
from batcher.send.settle_rules import Adopted, Case, Decision, SendAgain, Taken, decide

from .disk import Inode, ProcessDisk, SimulatedFile
from .life import live_in
from .product import Real
from .records import FILES, Broken, Start
from .schedule import draw
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
    def read(self, path: Path) -> Iterator[BinaryIO]:
        """As `Storage`."""
        with super().read(path) as stream:
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


class NoContentCheck(Real):
    """A new row is compared with nothing that was created under another key."""

    def settings(self, world: World, start: Start) -> RunSettings:
        """As `Real`."""
        return replace(super().settings(world, start), rekey=False, create_again=True)


TEETH: dict[str, Callable[[], Real]] = {
    "intent before send": NoIntent,
    "fsync before send": NoFsync,
    "reconcile before resend": NoReconcile,
    "tail repair": NoRepair,
    "atomic compaction": NoAtomicReplace,
    "resume filter": NoResumeFilter,
    "stranger rule": NoStrangerRule,
    "content check": NoContentCheck,
}


def find(broken_copy: Callable[[], Real], seeds: Iterable[int]) -> tuple[int, str] | None:
    """The first seed that the program survives and the broken copy does not, and which law noticed; None if none does."""
    for seed in seeds:
        noticed = noticed_in(seed, broken_copy())
        if noticed is not None and noticed_in(seed, Real()) is None:
            return seed, noticed
    return None


def noticed_in(seed: int, product: Real) -> str | None:
    """What the laws say of this copy's life, in one line; None if they hold."""
    try:
        live_in(World(draw(seed), watches_intents=False), product)
    except Broken as broken:
        return str(broken).splitlines()[0]
    return None
