"""The three files of a run held together: what is known before it begins, and each outcome as it happens.

Which file is the truth: what is created the results say; everything else the journal says; the failures file is written
from the journal. An outcome is written without waiting, so that no cancellation can come between knowing and writing.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TypeVar

import anyio
import orjson

from . import failures
from .config import Files
from .errors import DiskTrouble, UsageError
from .fingerprints import Fingerprints
from .history import History, Journaled, Sent, read_journal, undone_identifiers
from .journal import VERSION, Intent, Journal
from .lines import Lines, on_disk, open_lines, parse_line
from .models import Created, Failed, Outcome, Uncertain
from .results import encode_line, encode_record, fingerprint, head, index_results
from .storage import Storage
from .table import is_csv

W = TypeVar("W")


class Standing(Enum):
    """Where a row stands before a run."""

    NEW = "new"
    CREATED = "created"
    CHANGED = "changed"  # created, but the row differs now from what was sent
    UNDONE = "undone"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class Past:
    """What the files say before a run: the created keys with a fingerprint of what was sent, and all other histories."""

    created: Fingerprints
    journaled: Journaled
    uncertain: frozenset[str] = field(default_factory=frozenset)
    failed: frozenset[str] = field(default_factory=frozenset)

    def standing(self, key: str, spec_hash: Callable[[], str], *, recreate: bool = False) -> Standing:
        """Where this row stands. Its content's hash is only asked for where it matters.

        With `recreate` an undone row is a new one.
        """
        if key in self.uncertain:
            return Standing.UNCERTAIN
        if key in self.failed:
            return Standing.FAILED
        history = self.journaled.histories.get(key) if self.journaled.histories else None
        if history is not None and history.is_undone:
            return Standing.UNDONE if not recreate and history.undone_hash in ("", spec_hash()) else Standing.NEW
        sent = self.created.get(key)
        if sent is None:
            return Standing.NEW
        return Standing.CREATED if sent in (0, fingerprint(spec_hash())) else Standing.CHANGED


def read_past(storage: Storage, files: Files, base_url: str, namespace: str) -> Past:
    """Read what earlier runs left. Writes nothing. Raises UsageError if these files belong to something else."""
    try:
        undone = undone_identifiers(storage, files.journal)
        created = index_results(storage, files.results, undone)
        journaled = read_journal(storage, files.journal, lambda key: created.get(key) is not None, undone)
    except OSError as error:
        raise UsageError(f"cannot read {error.filename or files.journal}: {error.strerror}") from error
    for key in undone:
        if created.get(key) is not None:  # made anew since: its history is over
            journaled.histories.pop(key, None)
    _check_header(files.journal, journaled, base_url, namespace)
    if journaled.has_created and storage.size(files.results) is None:
        raise UsageError(
            f"{files.journal} knows of created documents, but {files.results} is missing. Put that file back; or, to start "
            f"over and look up every row again, move {files.journal} and {files.failures} away as well."
        )
    histories = journaled.histories.items()
    return Past(
        created,
        journaled,
        frozenset(key for key, history in histories if history.is_open),
        frozenset(key for key, history in histories if history.failure is not None and not history.is_open),
    )


def _check_header(path: Path, journaled: Journaled, base_url: str, namespace: str) -> None:
    if journaled.header is None:
        return
    version = journaled.header.get("version")
    if version != VERSION:
        raise UsageError(
            f"{path}:1: this journal has version {version}; this batcher reads version {VERSION}. Update it."
        )
    for name, mine in (("baseUrl", base_url), ("namespace", namespace)):
        theirs = journaled.header.get(name)
        if theirs != mine and not (name == "baseUrl" and mine == ""):  # `status` needs no base URL
            raise UsageError(
                f"{path} was begun with {name} {theirs!r}, this run has {mine!r}. The same rows on another {name} "
                "are other documents: name other files with --results, or use the earlier setting."
            )


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
        self._form = form
        self._appends_failures = appends_failures and form.fits(storage, files.failures)
        self._encode = encode_record if is_csv(files.results) else encode_line
        self._on_trouble = on_trouble
        self.run = run
        self.histories = past.journaled.histories
        self._has_created = False
        self._syncing = anyio.Lock()
        self._is_dirty = False
        self._dirtied = anyio.Event()

    def open(self, journal: Lines, results: Lines, failed: Lines) -> None:
        """Take the open files."""
        self._results, self._failures = results, failed
        self.journal = Journal(journal)

    async def intend(self, intent: Intent) -> None:
        """Return once this attempt is on disk; from then on it counts as unclear."""
        history = self.histories.setdefault(intent.key, History())
        sent = Sent(
            intent.identifier, intent.is_filled, datetime.fromisoformat(intent.at), intent.spec_hash, -1, intent.body
        )
        history.unclear.append(sent)
        if intent.is_filled:
            history.identifier = intent.identifier
        try:
            await self.journal.intend(intent)
        except DiskTrouble:
            history.unclear.remove(sent)  # its request will not leave
            raise

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
        with self._storage.read(self._files.journal) as stream:
            stream.seek(sent.offset)
            return parse_line(stream.readline(), self._files.journal, f"offset {sent.offset}")

    def failure_of(self, key: str) -> dict[str, object]:
        """The last failed or uncertain outcome of this key, as the journal holds it."""
        offset = self.histories[key].failure
        return next(failures.journaled_lines(self._storage, self._files.journal, [] if offset is None else [offset]))

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
                if self._appends_failures:
                    self._wrote(self._failures.write, self._form.line(line))

    def _wrote(self, write: Callable[[W], int], what: W) -> bool:
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
        """Wait until something is written; make it durable at most so many seconds later."""
        await self._dirtied.wait()
        await anyio.sleep(seconds)
        self._is_dirty, self._dirtied = False, anyio.Event()
        await self.sync()

    async def sync(self) -> None:
        """Return once all that was written is durable."""
        async with self._syncing:
            await self._results.sync()
            await self.journal.sync()
            await self._failures.sync()

    def count_failures(self, is_input: Callable[[str], bool]) -> Held:
        """Count the lines that hold, and leave the failures file as it is."""
        held = Held()
        for line in failures.journaled_lines(self._storage, self._files.journal, self._failing()):
            held.count(line, is_input)
        return held

    def _failing(self) -> list[int]:
        return sorted(history.failure for history in self.histories.values() if history.failure is not None)

    async def rewrite_failures(self, is_input: Callable[[str], bool]) -> Held:
        """Replace the failures file by exactly the lines that still hold, and count them."""
        offsets = self._failing()
        size, digest = failures.digest_of(self._still_held(offsets))
        self.journal.write({"type": "rewriting", "size": size, "digest": digest, "run": self.run})
        await self.journal.sync()
        held = Held()

        def chunks() -> Iterator[bytes]:
            yield from self._still_held(offsets, lambda line: held.count(line, is_input))

        async with self._syncing:  # an fsync under way would find that its file has been replaced
            with on_disk(self._files.failures, "replace"):
                self._storage.replace(self._files.failures, chunks())
        return held

    def _still_held(
        self, offsets: list[int], tell: Callable[[dict[str, object]], None] | None = None
    ) -> Iterator[bytes]:
        yield self._form.head()
        for line in failures.journaled_lines(self._storage, self._files.journal, offsets):
            if tell is not None:
                tell(line)
            yield self._form.line(line)


@dataclass(slots=True)
class Held:
    """The failures file's lines, counted: those of this run's inputs, and others."""

    failed: int = 0
    invalid: int = 0
    uncertain: int = 0
    others: int = 0

    def count(self, line: dict[str, object], is_input: Callable[[str], bool]) -> None:
        """Count one line."""
        if not is_input(str(line["key"])):
            self.others += 1
        elif line["type"] == "uncertain":
            self.uncertain += 1
        else:
            self.failed += 1
            self.invalid += line["reason"] == "invalid"


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
        if journal.size() == 0:
            header = {"type": "journal", "version": VERSION, "baseUrl": base_url, "namespace": namespace}
            ledger.journal.write(header)
        for file, start in ((results, head(files.results)), (failed, form.head())):
            if start and file.size() == 0 and (file is results or appends_failures):
                file.write(start)
        ledger.journal.write({"type": "run", "run": run, "at": now().isoformat(timespec="milliseconds")})
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
