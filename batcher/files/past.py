"""What the files of earlier runs say before a run begins, and therefore where each row stands.

Which file is the truth: what is created the results say; everything else the journal says; the failures file is written
from the journal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ..compact_map import Fingerprints
from ..config import Files
from ..errors import UsageError
from ..identity import fingerprint
from .disk import Storage
from .due_steps import has_other_body, has_other_placement
from .history import Journaled, read_journal
from .journal_lines import CONTENT, VERSION
from .key_history import NO_HISTORY, KeyHistory
from .results_index import index_results


class RowState(StrEnum):
    """Where a row stands before a run."""

    NEW = "new"
    CREATED = "created"
    CHANGED = "changed"  # created, but the row differs now from what was sent
    UNFINISHED = "unfinished"  # created, but steps are missing
    UNDONE = "undone"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class Past:
    """What the files said when a run began: the created keys with a fingerprint of what was sent, and all else.

    It stays as it was read, whatever the run does: what is true now the ledger knows. `sizes`: the bytes of the results
    and the journal just before they were read.
    """

    created: Fingerprints
    journaled: Journaled
    sizes: tuple[tuple[Path, int], ...]

    def history_of(self, key: str) -> KeyHistory:
        """What the journal said of this key; an empty history for one that it did not know, or that was created."""
        return self.journaled.histories.get(key, NO_HISTORY)

    def knows(self, key: str) -> bool:
        """Whether the files say anything of this key that holds."""
        history = self.history_of(key)
        return key in self.created or history.is_open or history.failure is not None or history.undone > 0

    def has_had(self, key: str) -> bool:
        """Whether the files have a line of this key, though what it says may be over."""
        return key in self.created or key in self.journaled.histories

    @property
    def uncertain(self) -> list[str]:
        """The keys with an unclear attempt."""
        return [key for key, history in self.journaled.histories.items() if history.is_open]

    def state(self, key: str, spec_hash: Callable[[], str], *, recreate: bool = False) -> RowState:
        """Where this row stands. Its content's hash is only asked for where it matters.

        With `recreate` an undone row is a new one.
        """
        history = self.journaled.histories.get(key)
        if history is not None:
            if history.is_open:
                return RowState.UNCERTAIN
            if history.failure is not None:
                return RowState.FAILED
            if history.is_undone:
                return RowState.UNDONE if not recreate and history.undone_hash in ("", spec_hash()) else RowState.NEW
        sent = self.created.get(key)
        if sent is None:
            return RowState.NEW
        if key in self.journaled.steps.due:
            return RowState.UNFINISHED
        if self.journaled.steps.placed:
            sent = self.journaled.steps.sent_of(key, sent)
        return RowState.CREATED if sent in (0, fingerprint(spec_hash())) else RowState.CHANGED

    def has_other_placement(self, key: str, spec_hash: str, *, asks_for_one: bool) -> bool:
        """Whether a changed row with this hash asks for other folder or labels than its document has.

        Of one that asks for none anymore, its hash tells only if nothing else has changed.
        """
        sent = self.created.get(key)
        if sent is None:
            return False
        now = self.journaled.steps.sent_of(key, sent)
        return has_other_placement(now, spec_hash) if asks_for_one else not has_other_body(now, spec_hash)


def read_past(storage: Storage, files: Files, base_url: str, namespace: str) -> Past:
    """Read what earlier runs left. Writes nothing. Raises UsageError if these files belong to something else."""
    try:
        sizes = tuple((path, storage.size(path) or 0) for path in (files.results, files.journal))
        created = index_results(storage, files.results, {})
        journaled = read_journal(storage, files.journal, created.__contains__)
        if undone := journaled.undone:  # seldom; then what the results say is to be read in its light
            created = index_results(storage, files.results, undone)
            journaled = read_journal(storage, files.journal, created.__contains__)
    except OSError as error:
        raise UsageError(f"cannot read {error.filename or files.journal}: {error.strerror}") from error
    _check_header(files.journal, journaled, base_url, namespace)
    if journaled.has_created and storage.size(files.results) is None:
        raise UsageError(_results_missing(files, journaled))
    return Past(created, journaled, sizes)


def _results_missing(files: Files, journaled: Journaled) -> str:
    """Why nothing is sent, and both ways out. An earlier version's first line is what finds its documents: it stays."""
    away = f"{files.journal} and {files.failures} away as well"
    if journaled.header is not None and journaled.header.identifiers is None:
        away = f"{files.failures} away as well, and all lines of {files.journal} but the first"
    return (
        f"{files.journal} lists created documents, but {files.found} is missing. Put that file back. Or, to start "
        f"over, move {away}: then each row is looked up under its identifier when its create is refused, but one that was "
        "sent without an identifier, edited since, or re-created after undo, is created twice."
    )


def _check_header(path: Path, journaled: Journaled, base_url: str, namespace: str) -> None:
    if journaled.header is None:
        return
    header = journaled.header
    if header.version != VERSION:
        raise UsageError(
            f"{path}:1: this journal has version {header.version}; this batcher reads version {VERSION}. Update it."
        )
    if header.identifiers not in (None, CONTENT):
        raise UsageError(
            f"{path}:1: this journal makes identifiers from {header.identifiers!r}, which this batcher doesn't know. Update it."
        )
    for name, theirs, mine in (("baseUrl", header.base_url, base_url), ("namespace", header.namespace, namespace)):
        if theirs != mine and not (name == "baseUrl" and mine == ""):  # `status` needs no base URL
            raise UsageError(
                f"{path} was started with {name} {theirs!r}, but this run has {mine!r}. With a different {name} the "
                "same rows are different documents: name other files with --results, or use the earlier setting."
            )
