"""The three files of a run, open for writing: each intent before its request leaves, each outcome as it happens.

An outcome is written without waiting, so that no cancellation can come between knowing and writing.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import TypeVar

import anyio
import orjson

from ..config import Files
from ..errors import DiskTrouble
from ..models import Created, Failed, Outcome, Uncertain, stamp
from . import failures
from .csv_form import is_csv
from .disk import Storage
from .failures_file import FailureCounts, FailuresFile
from .history import History, Sent
from .journal import VERSION, Intent, Journal
from .lines import Lines, on_disk, open_lines, parse_line
from .past import Past
from .results import encode_line, encode_record, head

W = TypeVar("W")


class Ledger:
    """The files open for writing. Raises DiskTrouble from every method that writes."""

    def __init__(
        self,
        storage: Storage,
        files: Files,
        past: Past,
        run: str,
        form: failures.Form,
        on_trouble: Callable[[DiskTrouble], None],
        *,
        appends_failures: bool,
    ) -> None:
        self._storage = storage
        self._files = files
        self._failures = FailuresFile(storage, files, form, is_appended=appends_failures)
        self._encode = encode_record if is_csv(files.results) else encode_line
        self._on_trouble = on_trouble
        self.run = run
        self.histories = past.journaled.histories
        self._has_created = False
        self._syncing = anyio.Lock()
        self._is_dirty = False
        self._dirtied = anyio.Event()
        self._synced_at = -math.inf

    def open(self, journal: Lines, results: Lines, failed: Lines) -> None:
        """Take the open files."""
        self._results = results
        self._failures.open(failed)
        self.journal = Journal(journal)

    def begin(self, base_url: str, namespace: str, at: datetime) -> None:
        """Write what new files begin with, and that this run begins."""
        if self.journal.size() == 0:
            header = {"type": "journal", "version": VERSION, "baseUrl": base_url, "namespace": namespace}
            self.journal.write(header)
        if self._results.size() == 0 and (start := head(self._files.results)):
            self._results.write(start)
        self._failures.begin()
        self.journal.write({"type": "run", "run": self.run, "at": stamp(at)})

    def intend(self, intent: Intent) -> Awaitable[None]:
        """From now on this attempt counts as unclear. To be awaited: then it is on disk.

        `take_back` it if its request does not leave after all: waiting raised DiskTrouble, say.
        """
        synced = self.journal.intend(intent)  # first: what the journal does not take is not unclear
        history = self.histories.get(intent.key)
        if history is None:
            history = self.histories[intent.key] = History()
        sent = Sent(intent.identifier, intent.is_filled, intent.at, intent.spec_hash, -1, intent.body)
        history.unclear.append(sent)
        if intent.is_filled:
            history.identifier = intent.identifier
        return synced

    def take_back(self, key: str) -> None:
        """The request of this key's last attempt does not leave; what is unclear now is an earlier one.

        A journal that has failed is not told: it may lack that attempt, and would forget the earlier one in its place.
        """
        if self.journal.has_failed:
            self.histories[key].unclear.pop()
        else:
            self.clear(key)

    def clear(self, key: str) -> None:
        """The last attempt of this key certainly did nothing."""
        history = self.histories.get(key)
        if history is not None and history.unclear:
            history.unclear.pop()
            self._dirty()
            self.journal.write({"key": key, "type": "clear"})

    def settle(self, key: str) -> None:
        """None of this key's attempts did anything."""
        history = self.histories.get(key)
        if history is not None and history.unclear:
            history.unclear.clear()
            self._dirty()
            self.journal.write({"key": key, "type": "settled"})

    def unclear(self, key: str) -> list[Sent]:
        """This key's unclear attempts, oldest first."""
        history = self.histories.get(key)
        return history.unclear if history is not None else []

    def body_of(self, sent: Sent) -> bytes:
        """What that attempt sent."""
        if sent.body is not None:
            return sent.body
        return orjson.dumps(self.intent_of(sent)["body"])

    def intent_of(self, sent: Sent) -> dict[str, object]:
        """An earlier run's intent, as the journal holds it."""
        with on_disk(self._files.journal, "read"), self._storage.read(self._files.journal) as stream:
            stream.seek(sent.offset)
            return parse_line(stream.readline(), self._files.journal, f"offset {sent.offset}")

    def failure_of(self, key: str) -> Failed | Uncertain | None:
        """The last failed or uncertain outcome of this key, as the journal holds it."""
        history = self.histories.get(key)
        if history is None or history.failure is None:
            return None
        return failures.outcome_at(self._storage, self._files.journal, history.failure)

    def close_failure(self, key: str) -> None:
        """This key's failure is over: its row was mended and has another key."""
        history = self.histories.get(key)
        if history is not None and history.failure is not None:
            history.failure = None
            self._dirty()
            self.journal.write({"key": key, "type": "mended"})

    def book(self, outcome: Outcome) -> None:
        """Write an outcome down. Nothing is counted that is not written."""
        self._dirty()
        match outcome:
            case Created():
                self._results.write(self._encode(outcome))
                self.histories.pop(outcome.key, None)
                if not self._has_created:
                    self._has_created = self._wrote(self.journal.write, {"type": "created", "run": self.run})
            case Failed() | Uncertain():
                line = failures.journal_line(outcome)
                offset = self.journal.write(line)
                history = self.histories.setdefault(outcome.key, History())
                history.failure, history.is_uncertain = offset, isinstance(outcome, Uncertain)
                if isinstance(outcome, Failed):
                    history.unclear.clear()
                self._wrote(self._failures.append, line)

    def _wrote(self, write: Callable[[W], object], what: W) -> bool:
        """Write something beside an outcome that is on disk already: if it fails the run stops, but the outcome holds."""
        try:
            write(what)
        except DiskTrouble as trouble:
            self._on_trouble(trouble)
            return False
        return True

    def _dirty(self) -> None:
        if not self._is_dirty:
            self._is_dirty = True
            self._dirtied.set()

    async def sync_when_dirty(self, seconds: float) -> None:
        """Wait until something is written; make it durable at most so many seconds later, and no oftener than that.

        After a calm while that is at once: waiting would gather nothing, and waking up costs more than the fsync.
        """
        await self._dirtied.wait()
        left = self._synced_at + seconds - anyio.current_time()
        if left > 0.0:
            await anyio.sleep(left)
        self._synced_at = anyio.current_time()
        self._is_dirty, self._dirtied = False, anyio.Event()
        await self.sync()

    async def sync(self) -> None:
        """Return once all that was written is durable."""
        async with self._syncing:
            await self._results.sync()
            await self.journal.sync()
            await self._failures.sync()

    def count_failures(self, is_input: Callable[[str], bool]) -> FailureCounts:
        """Count the lines that hold, and leave the failures file as it is."""
        return self._failures.count(self._failing(), is_input)

    async def rewrite_failures(self, is_input: Callable[[str], bool]) -> FailureCounts:
        """Replace the failures file by exactly the lines that still hold, and count them."""
        offsets = self._failing()
        size, digest = self._failures.measure(offsets)
        self.journal.write({"type": "rewriting", "size": size, "digest": digest, "run": self.run})
        await self.journal.sync()
        async with self._syncing:  # an fsync under way would find that its file has been replaced
            return self._failures.replace(offsets, is_input)

    def _failing(self) -> list[int]:
        return sorted(history.failure for history in self.histories.values() if history.failure is not None)


@contextlib.asynccontextmanager
async def open_ledger(
    storage: Storage,
    files: Files,
    past: Past,
    *,
    run: str,
    now: Callable[[], datetime],
    form: failures.Form,
    base_url: str,
    namespace: str,
    fsync_ms: int,
    on_trouble: Callable[[DiskTrouble], None],
    appends_failures: bool = True,
) -> AsyncIterator[Ledger]:
    """Open the files for the block, mend their tails, serve intents, and fsync outcomes at most `fsync_ms` late.

    Without `appends_failures` the failures file is touched only when it is rewritten: it is being read.
    """
    ledger = Ledger(storage, files, past, run, form, on_trouble, appends_failures=appends_failures)
    with contextlib.ExitStack() as stack:
        journal = stack.enter_context(open_lines(storage, files.journal))
        results = stack.enter_context(open_lines(storage, files.results))
        failed = stack.enter_context(open_lines(storage, files.failures))
        ledger.open(journal, results, failed)
        ledger.begin(base_url, namespace, now())
        # durable before any outcome: by it the next run knows that this one may have died before its end
        await ledger.journal.sync()
        async with ledger.journal.group_syncs(), anyio.create_task_group() as group:
            group.start_soon(_sync_now_and_then, ledger, fsync_ms / 1000, on_trouble)
            try:
                yield ledger
            finally:
                group.cancel_scope.cancel()
                with anyio.CancelScope(shield=True):
                    await _sync_at_last(ledger, on_trouble)


async def _sync_at_last(ledger: Ledger, on_trouble: Callable[[DiskTrouble], None]) -> None:
    try:
        await ledger.sync()
    except DiskTrouble as trouble:  # the run's summary says so, with all that is known
        on_trouble(trouble)


async def _sync_now_and_then(ledger: Ledger, seconds: float, on_trouble: Callable[[DiskTrouble], None]) -> None:
    try:
        while True:
            await ledger.sync_when_dirty(seconds)
    except DiskTrouble as trouble:
        on_trouble(trouble)
