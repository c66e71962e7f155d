"""What `verify` compares documents with: what was sent for each, which the journal's intents keep for good (contract 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from ..compact_map import Fingerprints
from ..files.disk import Storage
from ..files.history import intent_at, lines_about_rows
from ..files.journal_lines import Intent
from ..files.past import Past
from ..files.results import read_results
from ..files.results_index import DocumentOf
from ..identity import fingerprint
from ..placement import NO_PLACEMENT, Placement


class SentDocument(NamedTuple):
    """A created row. `body` is what was sent if its row says the same still; empty if only the journal knows.

    `placement`: the folder and labels that it asks for; the journal's word where that knows the body.
    """

    key: str
    source: str
    line: int
    body: bytes = b""
    placement: Placement = NO_PLACEMENT

    @property
    def place(self) -> str:
        """`dashboards.csv:17`, for messages."""
        return f"{self.source}:{self.line}"


class SentBodies:
    """The bodies that were sent for the created keys that are `wanted`, or none: read in the journal when asked for."""

    def __init__(self, storage: Storage, journal: Path, past: Past, wanted: Callable[[str], bool] | None) -> None:
        """Read the journal once; memory holds an offset for each. Raises UsageError for a corrupt line."""
        self._storage, self._journal = storage, journal
        self._offsets = Fingerprints()
        self._moved = past.journaled.steps.placed
        if wanted is None:
            return
        for line, offset in lines_about_rows(storage, journal, lambda key: not wanted(key)):
            if isinstance(line, Intent) and past.created.get(line.key) in (0, fingerprint(line.spec_hash)):
                self._offsets.put(line.key, offset)

    def of(self, document: SentDocument) -> SentDocument | None:
        """With what was sent; None if the journal doesn't say. Raises UsageError if someone broke that line.

        Of a row whose steps were changed since, the journal's intent doesn't say where its document is now.
        """
        if document.body:
            return document
        offset = self._offsets.get(document.key)
        if offset is None:
            return None
        intent = intent_at(self._storage, self._journal, offset)
        placement = document.placement if document.key in self._moved else intent.placement
        return document._replace(body=intent.body, placement=placement)


def of_results(storage: Storage, results: Path, document_of: DocumentOf) -> Iterator[SentDocument]:
    """Each row of a results file whose document was not undone, in the order of the file. Raises UsageError."""
    for line in read_results(storage, results):
        last = document_of(line.key)
        if last is not None and (last.identifier, last.at) == (line.identifier, line.at):
            yield SentDocument(line.key, line.source, line.line)


def sampled(documents: Iterator[SentDocument], total: int, size: int, random: Random) -> Iterator[SentDocument]:
    """So many of them by chance, in their order."""
    chosen = set(random.sample(range(total), min(size, total)))
    return (document for number, document in enumerate(documents) if number in chosen)
