"""The three files of a run, open for writing: each intent before its request leaves, each outcome as it happens.

An outcome is written without waiting, so that no cancellation can come between knowing and writing.
"""

from __future__ import annotations

import contextlib
from collections import ChainMap
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import anyio

from ..config import Files
from ..errors import DiskTrouble
from ..models import Created, Failed, Outcome, Uncertain, Unfinished, stamp
from . import failures_view
from .disk import Storage
from .due_steps import DueSteps
from .failures_file import FailuresFile
from .history import Reported, intent_at
from .journal import Journal
from .journal_lines import Cleared, FailureLine, Fixed, Intent, JournalHeader, KeyLine, Settled, StepLine
from .key_history import IN_MEMORY, NO_HISTORY, KeyHistory, SentAttempt
from .late_sync import LateSync
from .lines import Lines, open_lines
from .past import Past
from .results import encode_line
from .run_lines import FirstCreated, Rewriting, RunBegan
from .trouble import foreign, on_disk


class Ledger:
    """The files open for writing. Raises DiskTrouble from every method that writes."""

    def __init__(
        self,
        storage: Storage,
        files: Files,
        past: Past,
        run: str,
        form: failures_view.Form,
        on_trouble: Callable[[DiskTrouble], None],
    ) -> None:
        self._storage = storage
        self._files = files
        self._failures = FailuresFile(storage, files, form)
        self.run = run
        self._known_header = past.journaled.header
        self._histories = dict(past.journaled.histories)
        self.steps = past.journaled.steps.copy()
        self._has_created = False
        self.has_created_before = past.journaled.has_created or len(past.created) > 0
        self._syncing = anyio.Lock()
        self.late_sync = LateSync(self.sync, on_trouble)

    def open(self, journal: Lines, results: Lines) -> None:
        """Take the open files."""
        self._results = results
        self.journal = Journal(journal)

    def begin(self, base_url: str, namespace: str, at: datetime, directory: str) -> None:
        """Write what new files begin with, and that this run begins. `header` is the journal's first line from now on."""
        self.header = self._known_header or JournalHeader(base_url, namespace)
        if self.journal.size() == 0:
            self.journal.write(self.header)
        self.journal.write(RunBegan(self.run, stamp(at), directory=directory or None))

    @property
    def has_foreign(self) -> bool:
        """Whether somebody else writes to these files although this run holds their locks."""
        return self.journal.has_foreign or self._results.has_foreign

    @property
    def histories(self) -> Mapping[str, KeyHistory]:
        """What is known now of every key without a document, by key; it follows the run, and is read-only."""
        return MappingProxyType(self._histories)

    def history_of(self, key: str) -> KeyHistory:
        """What is known now of this key; empty if nothing is, or if its document exists."""
        return self._histories.get(key, NO_HISTORY)

    def names(self, identifier: str) -> bool:
        """Whether the results file has this text, as it has every identifier that was booked. Reads the whole file."""
        text = identifier.encode()
        with on_disk(self._files.results, "read"), self._storage.read(self._files.results) as stream:
            return any(text in line for line in stream)

    def unclear(self, key: str) -> tuple[SentAttempt, ...]:
        """This key's unclear attempts, oldest first."""
        return self.history_of(key).unclear

    def intend(self, intent: Intent) -> Awaitable[None]:
        """From now on this attempt counts as unclear. To be awaited: then it is on disk.

        `take_back` it if its request does not leave after all: waiting raised DiskTrouble, say.
        """
        synced = self.journal.intend(intent)  # first: what the journal does not take is not unclear
        self._histories[intent.key] = self.history_of(intent.key).after(intent, IN_MEMORY)
        return synced

    def take_back(self, key: str) -> None:
        """The request of this key's last attempt does not leave; what is unclear now is an earlier one.

        A journal that has failed gets no line: it may lack that attempt, and would forget the earlier one in its place.
        """
        if self.journal.has_failed:
            self._histories[key] = self.history_of(key).after(Cleared(key), IN_MEMORY)
        else:
            self.clear(key)

    def clear(self, key: str) -> None:
        """The last attempt of this key certainly did nothing."""
        if self.unclear(key):
            self._write(Cleared(key))

    def settle(self, key: str) -> None:
        """None of this key's attempts did anything."""
        if self.unclear(key):
            self._write(Settled(key))

    def _write(self, line: KeyLine) -> None:
        """Write a line about one key, and let its history follow."""
        self.late_sync.written()
        offset = self.journal.write(line)
        self._histories[line.key] = self.history_of(line.key).after(line, offset)

    def body_of(self, sent: SentAttempt) -> bytes:
        """What that attempt sent."""
        return sent.body if sent.body is not None else self.intent_of(sent).body

    def intent_of(self, sent: SentAttempt) -> Intent:
        """An earlier run's intent, as the journal holds it. Raises UsageError if somebody broke that line."""
        return intent_at(self._storage, self._files.journal, sent.offset)

    @property
    def reported(self) -> Reported:
        """Whatever may have a line in the failures file now, by key."""
        return ChainMap[str, KeyHistory | DueSteps](self._histories, self.steps.due)  # type: ignore[arg-type]

    def failure_of(self, key: str) -> Failed | Uncertain | None:
        """The last failed or uncertain outcome of this key, as the journal holds it."""
        offset = self.history_of(key).failure
        return None if offset is None else failures_view.outcome_at(self._storage, self._files.journal, offset)

    def write_step(self, line: StepLine | FailureLine) -> None:
        """Write a line about steps, and let what is due follow."""
        self.late_sync.written()
        self.steps.take(line, self.journal.write(line), lambda _: True)

    def close_failure(self, key: str) -> None:
        """This key's failure is over: its row was fixed and has another key."""
        if self.history_of(key).failure is not None:
            self._write(Fixed(key))

    def book(self, outcome: Outcome) -> None:
        """Write an outcome down. Nothing is counted that is not written."""
        match outcome:
            case Created():
                self.late_sync.written()
                self._results.write(encode_line(outcome))
                self._histories.pop(outcome.key, None)
                if not self._has_created:
                    with self.late_sync.reporting_trouble():  # the run stops, but the outcome is on disk
                        self.journal.write(FirstCreated(self.run))
                        self._has_created = True
            case Failed() | Uncertain():
                self._write(FailureLine(outcome))
                self._failures.append(outcome)
            case Unfinished():
                self.write_step(FailureLine(outcome))
                self._failures.append(outcome)

    async def sync(self) -> None:
        """Return once all that was written is durable."""
        async with self._syncing:
            await self._results.sync()
            waited = self._failures.take_waiting()
            await self.journal.sync()
            self._failures.write(waited)

    async def rewrite_failures(self) -> Path | None:
        """Replace the failures file by exactly the lines that still hold.

        The copy of one that somebody edited meanwhile, if there is one.
        """
        kept = self._failures.keep_edited(self.run)
        await self._results.sync()  # of an earlier run, too: a row that is left out now must be created for good
        size, digest = self._failures.measure(self.reported)
        self.journal.write(Rewriting(size, digest, self.run))
        await self.journal.sync()
        self._failures.replace(self.reported)
        return kept

    @contextlib.asynccontextmanager
    async def appending_failures(self) -> AsyncIterator[None]:
        """Put the failures file right, then append to it inside the block."""
        if not self._failures.is_current(self.reported):
            await self.rewrite_failures()
        with open_lines(self._storage, self._files.failures) as lines:
            self._failures.open(lines)
            yield

    def watch_failures(self) -> None:
        """From now on the failures file is batcher's, or an input that has been read: an edit after this is kept."""
        self._failures.watch()


@contextlib.asynccontextmanager
async def open_ledger(
    storage: Storage,
    files: Files,
    past: Past,
    *,
    run: str,
    now: Callable[[], datetime],
    form: failures_view.Form,
    base_url: str,
    namespace: str,
    fsync_ms: int,
    on_trouble: Callable[[DiskTrouble], None],
    directory: str = "",
    appends_failures: bool = True,
) -> AsyncIterator[Ledger]:
    """Open the files for the block, repair their tails, serve intents, and fsync outcomes at most `fsync_ms` late.

    Without `appends_failures` the failures file, which is the input, is touched only when it is rewritten.
    """
    ledger = Ledger(storage, files, past, run, form, on_trouble)
    for path, size in past.sizes:  # whoever has written since would be sent again
        if (storage.size(path) or 0) != size:
            raise foreign(path)
    async with contextlib.AsyncExitStack() as stack:
        journal = stack.enter_context(open_lines(storage, files.journal))
        results = stack.enter_context(open_lines(storage, files.results))
        ledger.open(journal, results)
        ledger.begin(base_url, namespace, now(), directory)
        # durable before any outcome: by it the next run knows that this one may have died before its end
        await ledger.journal.sync()
        if appends_failures:
            await stack.enter_async_context(ledger.appending_failures())
        ledger.watch_failures()
        async with ledger.journal.group_syncs(), ledger.late_sync.serving(fsync_ms / 1000):
            yield ledger
