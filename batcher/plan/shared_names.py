"""Rows that share model and name and have no key: their content decides which created row each of them is (contract 5).

Their keys are `x`, `x~2`, `x~3` by their order. If one was taken out, or another put in front, the order says something
else than the content; then these names are read once more, and each row gets the key under which its content was sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

from ..compact_map import Fingerprints
from ..config import Files, Reading
from ..files.disk import Storage
from ..files.failures_view import outcome_at
from ..files.past import Past
from ..identity import NAMED, fingerprint, hash_of
from ..read.read import as_read
from ..read.sources import Source
from ..validate.check import check
from ..validate.checked_rows import ValidRow


@dataclass(slots=True)
class SharedNames:
    """Names of which there are several rows, of which the past knows some, and one of which now is not as it was created."""

    past: Past
    bases: set[str] = field(default_factory=set)
    _owns: dict[str, str] = field(default_factory=dict)  # key of the files → that of its row without a key, if another
    _given: dict[str, dict[str, str]] = field(default_factory=dict)  # the other way round, by name
    _first: set[str] = field(default_factory=set)  # names that the past knows one row of, and such a row was seen

    def __post_init__(self) -> None:
        """Nothing seen yet."""
        for own, key in self.past.journaled.same_rows.items():
            if own.startswith(NAMED) and self.past.knows(key):
                self._owns[key] = own
                self._given.setdefault(own.partition("~")[0], {})[own] = key

    def see(self, row: ValidRow) -> None:
        """A row that is not as it was created."""
        own = self._owns.get(row.key, row.key)
        if own.startswith(NAMED) and not row.is_fed_back:
            base = own.partition("~")[0]
            known = len(list(islice(self._known(base), 2)))
            if known > 1 or base in self._first:
                self.bases.add(base)
            elif known:
                self._first.add(base)

    def keys(
        self, sources: Sequence[Source], reading: Reading, storage: Storage, files: Files
    ) -> Mapping[str, Sequence[str]]:
        """For each such name the keys of its rows, in the order in which the inputs have them. Raises UsageError."""
        contents: dict[str, tuple[int, str]] = {}

        def see(row: ValidRow) -> None:
            if row.key.partition("~")[0] in self.bases:
                contents[row.key] = (fingerprint(row.spec_hash()), _read_hash(as_read(row.row)))

        shared: dict[str, list[str]] = {base: [] for base in self.bases}
        checked = check(sources, reading, on_problem=lambda _: None, on_row=see, shared=shared)
        return {
            base: self._assigned(base, [contents.get(key) for key in keys], checked.claims.keys, storage, files)
            for base, keys in checked.claims.in_order.items()
        }

    def _assigned(
        self,
        base: str,
        rows: Sequence[tuple[int, str] | None],
        claimed: Fingerprints,
        storage: Storage,
        files: Files,
    ) -> Sequence[str]:
        """First what was sent under each key finds its row; the others take what is left, in order."""
        known = [key for key in self._known(base, len(rows)) if key.partition("~")[0] == base or key not in claimed]
        found = dict[int, str]()
        by_content: dict[int | str, list[int]] = {}  # the rows' numbers, the first one last
        for number in range(len(rows) - 1, -1, -1):
            for content in rows[number] or ():
                by_content.setdefault(content, []).append(number)
        for key in known:
            for content in self._contents(key, storage, files):
                numbers = by_content.get(content, [])
                while numbers and numbers[-1] in found:
                    numbers.pop()
                if numbers:
                    found[numbers.pop()] = key
                    break
        taken = set(found.values())
        left = (key for key in dict.fromkeys(chain(known, _keys(base, len(known) + len(rows)))) if key not in taken)
        return [found[number] if number in found else next(left) for number in range(len(rows))]

    def _known(self, base: str, count: int = 0) -> Iterator[str]:
        """The keys of this name's rows that the past knows: their own, and those that `--rekey` gave them.

        There are `count` such rows now: of so many the past may know some and not others.
        """
        given = self._given.get(base, {})
        known = set[str]()
        for number, own in enumerate(_keys(base), 1):
            keys = [key for key in dict.fromkeys((given.get(own, own), own)) if self.past.knows(key)]
            if not keys and number > count:
                break
            yield from (key for key in keys if key not in known)
            known.update(keys)
        yield from (key for key in dict.fromkeys(given.values()) if key not in known)

    def _contents(self, key: str, storage: Storage, files: Files) -> list[int | str]:
        """What was sent under this key: what is kept of its hashes, or the hash of the row as read if it was refused."""
        if (made := self.past.created.get(key)) is not None:
            return [made]
        history = self.past.history_of(key)
        if history.unclear or history.failure is None:
            return [fingerprint(attempt.spec_hash) for attempt in history.unclear]
        return [_read_hash(outcome_at(storage, files.journal, history.failure).spec)]


def _keys(base: str, count: int | None = None) -> Iterator[str]:
    """`x`, `x~2`, `x~3` …"""
    yield base
    number = 2
    while count is None or number <= count:
        yield f"{base}~{number}"
        number += 1


def _read_hash(spec: object) -> str:
    return hash_of({"spec": spec})
