"""Teeth: copies of the program with one safeguard switched off. The laws must notice each of them.

Each copy replaces one seam while a run goes on; no line of the program is changed. Where a law looks straight at the
safeguard (an intent on disk before the request leaves), that law is switched off too: what must be noticed is the
damage, not the missing step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from unittest.mock import patch

from batcher.files import lines
from batcher.files.disk import Storage
from batcher.files.journal import Journal
from batcher.files.journal_lines import Intent
from batcher.files.past import Past, RowState
from batcher.models import Created, How
from batcher.omni.verdicts import Refused, There
from batcher.send.reconcile import Reconciler
from batcher.send.row_progress import RowProgress

from .disk import Inode, ProcessDisk
from .life import live_in
from .product import Real
from .records import Broken
from .schedule import draw
from .world import World


class NoIntent(Real):
    """Nothing is written before a request leaves."""

    @contextlib.contextmanager
    def broken(self) -> Iterator[None]:
        """As `Real`."""

        async def intend(_journal: Journal, _intent: Intent) -> int:
            return 0

        with patch.object(Journal, "intend", intend):
            yield


class NoFsync(Real):
    """The intent is written, but the request does not wait for the disk."""

    @contextlib.contextmanager
    def broken(self) -> Iterator[None]:
        """As `Real`."""

        async def intend(journal: Journal, intent: Intent) -> int:
            return journal._lines.write(intent.encode())

        with patch.object(Journal, "intend", intend):
            yield


class NoReconcile(Real):
    """What is unclear is simply sent again."""

    @contextlib.contextmanager
    def broken(self) -> Iterator[None]:
        """As `Real`."""

        async def settle(_reconciler: Reconciler, _way: RowProgress) -> None:
            return None

        with patch.object(Reconciler, "settle", settle), patch.object(Reconciler, "settle_unnamed", settle):
            yield


class NoRepair(Real):
    """A torn last line stays as it is, and the next line is written behind it."""

    @contextlib.contextmanager
    def broken(self) -> Iterator[None]:
        """As `Real`."""
        with patch.object(lines, "repair", lambda *_: None):
            yield


class NoAtomicReplace(Real):
    """The failures file is rewritten in place."""

    def storage(self, process: ProcessDisk) -> Storage:
        """As `Real`."""
        return _InPlace(process)


class _InPlace(ProcessDisk):
    """Replaces a file by emptying it and writing anew."""

    def __init__(self, process: ProcessDisk) -> None:
        super().__init__(process.disk, process._generation)

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
    """Every row of the input counts as new in every run."""

    @contextlib.contextmanager
    def broken(self) -> Iterator[None]:
        """As `Real`."""
        with patch.object(Past, "state", lambda *_, **__: RowState.NEW):
            yield


class NoStrangerRule(Real):
    """A document at a taken identifier is booked as ours, whoever made it."""

    @contextlib.contextmanager
    def broken(self) -> Iterator[None]:
        """As `Real`."""

        def taken(reconciler: Reconciler, progress: RowProgress, there: There, _refused: Refused) -> Created:
            return reconciler._exists(progress, How.RECONCILED, there, progress.identifier or "", None)

        with patch.object(Reconciler, "_taken", taken):
            yield


TEETH: dict[str, Callable[[], Real]] = {
    "intent before send": NoIntent,
    "fsync before send": NoFsync,
    "reconcile before resend": NoReconcile,
    "tail repair": NoRepair,
    "atomic compaction": NoAtomicReplace,
    "resume filter": NoResumeFilter,
    "stranger rule": NoStrangerRule,
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
