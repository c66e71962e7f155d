"""What the files of earlier runs say before a run begins, and therefore where each row stands.

Which file is the truth: what is created the results say; everything else the journal says; the failures file is written
from the journal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from ..compact_map import Fingerprints
from ..config import Files
from ..errors import UsageError
from .disk import Storage
from .history import Journaled, Undone, read_journal, undone_identifiers
from .journal import VERSION
from .results import fingerprint, index_results


class RowState(StrEnum):
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

    def state(self, key: str, spec_hash: Callable[[], str], *, recreate: bool = False) -> RowState:
        """Where this row stands. Its content's hash is only asked for where it matters.

        With `recreate` an undone row is a new one.
        """
        if key in self.uncertain:  # even if it is settled since: where a row stands does not change within a run
            return RowState.UNCERTAIN
        if key in self.failed:
            return RowState.FAILED
        history = self.journaled.histories.get(key) if self.journaled.histories else None
        if history is not None and history.is_undone:
            return RowState.UNDONE if not recreate and history.undone_hash in ("", spec_hash()) else RowState.NEW
        sent = self.created.get(key)
        if sent is None:
            return RowState.NEW
        return RowState.CREATED if sent in (0, fingerprint(spec_hash())) else RowState.CHANGED


def read_past(storage: Storage, files: Files, base_url: str, namespace: str) -> Past:
    """Read what earlier runs left. Writes nothing. Raises UsageError if these files belong to something else."""
    try:
        undone: Undone = {}
        created, journaled = _read(storage, files, undone)
        if journaled.may_tell_of_undone:  # seldom; then what the results say is to be read in its light
            undone = undone_identifiers(storage, files.journal)
            created, journaled = _read(storage, files, undone)
    except OSError as error:
        raise UsageError(f"cannot read {error.filename or files.journal}: {error.strerror}") from error
    for key in undone:
        if key in created:  # made anew since: its history is over
            journaled.histories.pop(key, None)
    _check_header(files.journal, journaled, base_url, namespace)
    if journaled.has_created and storage.size(files.results) is None:
        raise UsageError(
            f"{files.journal} knows of created documents, but {files.results} is missing. Put that file back. Or, to start "
            f"over, move {files.journal} and {files.failures} away as well: then each row is looked up under its identifier "
            "when its create is refused, but one that was sent without an identifier, or made again after undo, is made twice."
        )
    histories = journaled.histories.items()
    return Past(
        created,
        journaled,
        frozenset(key for key, history in histories if history.is_open),
        frozenset(key for key, history in histories if history.failure is not None and not history.is_open),
    )


def _read(storage: Storage, files: Files, undone: Undone) -> tuple[Fingerprints, Journaled]:
    created = index_results(storage, files.results, undone)
    return created, read_journal(storage, files.journal, created.__contains__, undone)


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
