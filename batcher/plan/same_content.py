"""New rows that hold what was created under another key: people's edits don't create twice either (contract 5).

The past is asked by key first. A row that is new by its key, or has only failed under it, is compared by content with
what was created (or may have been, or was refused) under keys that no row of the inputs has any more, or whose row has
changed: rows that were numbered anew have each other's keys. Such a row then needs another key in its turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import orjson

from ..config import RunSettings
from ..files.disk import Storage
from ..files.history import intent_at
from ..files.journal_lines import Intent
from ..files.past import Past
from ..identity import KEY_LENGTH, content_hash, name_key
from ..models import Spec
from .documents_left import Left

_ROOM = 10  # characters that a key leaves for `~2`


class Sought(NamedTuple):
    """A row whose document is sought: its key in the files, its place, its content, and its `name_key`.

    `is_held_back`: it is known to hold what another row's document holds, so it has one, if need be another's.
    """

    key: str
    source: str
    line: int
    content: str
    named: str
    is_held_back: bool = False

    @classmethod
    def by(cls, spec: Spec, *, is_held_back: bool = False) -> Sought:
        """A row that is to be sent."""
        named, content = name_key(spec.model_id, spec.name), content_hash(orjson.loads(spec.body))
        return cls(spec.key, spec.source, spec.line, content, named, is_held_back)


@dataclass(frozen=True, slots=True)
class Pair:
    """A row at `source` and `line` with the key `own` in the inputs is the row `of` the files, sent first at `was`.

    `key` is what it would go by otherwise. `asks`: only a person can say so, since a document exists. `is_fixed`: it failed at
    first, so it was fixed in two places. `moves`: it isn't new, but the document of its key is another row's; then `of` may
    be a key that nothing was sent under, and `was` is None.
    """

    key: str
    own: str
    source: str
    line: int
    of: str
    was: str | None = None
    identifier: str | None = None
    asks: bool = True
    is_fixed: bool = False
    moves: bool = False


@dataclass(frozen=True, slots=True)
class Seeking:
    """What pairing needs: the documents left, the rows that have changed (by key), own keys, and what is known of a key."""

    storage: Storage
    journal: Path
    left: Left
    changed: Callable[[], Mapping[str, Sought]]
    own_keys: Mapping[str, str]
    is_claimed: Callable[[str], bool]  # by a row of the inputs
    past: Past

    def pairs(self, new: Iterable[Sought]) -> list[Pair]:
        """Each new row with the document of the same content; each of those once, in input order. Raises UsageError."""
        found: list[Pair] = []
        last: dict[str, Intent] = {}  # by content
        for row in new:
            intent = self._other(row) or (last.get(row.content) if row.is_held_back else None)
            if intent is not None:
                last[row.content] = intent
                found.append(self._pair(row, intent))
            elif self.left.elsewhere.take(row.content) is not None:
                self.left.met.append(f"{row.source}:{row.line}")
        return found

    def _other(self, row: Sought) -> Intent | None:
        """The document of this row's content, not the one that its own unclear attempt may have made."""
        return self._take(row.content, lambda intent: intent.key != row.key)

    def _is_own(self, row: Sought) -> bool:
        """Whether its key's document holds the same after all: it differs in the identifier alone."""
        offset = self.left.last.get(row.key)
        if offset is None:
            return False
        return content_hash(orjson.loads(intent_at(self.storage, self.journal, offset).body)) == row.content

    def moved(self) -> list[str]:
        """The places of rows that have changed and hold what another key's document holds. Raises UsageError."""
        rows = (row for row in self.changed().values() if not self._is_own(row) and self._other(row) is not None)
        return [f"{row.source}:{row.line}" for row in rows]

    def moves(self, found: Sequence[Pair]) -> list[Pair]:
        """What follows for rows that have changed: each with the document of its content.

        One whose key's document is another row's now, and whose content none has, is paired by model and name, with a
        document whose row has another name, or gets a key of its own. Raises UsageError.
        """
        done = {pair.key for pair in found}
        changed = {key: row for key, row in self.changed().items() if key not in done}
        moved = {
            row.key: self._pair(row, intent, moves=True)
            for row in changed.values()
            if not self._is_own(row) and (intent := self._other(row)) is not None
        }
        fresh, waiting = set[str](), deque([*found, *moved.values()])
        while waiting:
            key = waiting.popleft().of
            if key in changed and key not in moved:
                moved[key] = self._move(changed[key], changed, fresh)
                waiting.append(moved[key])
        return list(moved.values())

    def _take(self, text: str, is_free: Callable[[Intent], bool] = lambda _: True) -> Intent | None:
        return self.left.take(text, self.storage, self.journal, is_free)

    def _pair(self, row: Sought, intent: Intent, *, moves: bool = False) -> Pair:
        is_held, was = self.is_claimed(intent.key), f"{intent.source}:{intent.line}"
        is_fixed = intent.key in self.left.fixed and not is_held
        return Pair(
            row.key,
            self.own_keys.get(row.key, row.key),
            row.source,
            row.line,
            intent.key,
            was,
            intent.identifier,
            asks=is_held or (intent.key in self.past.created and not is_fixed),
            is_fixed=is_fixed,
            moves=moves,
        )

    def _move(self, row: Sought, changed: Mapping[str, Sought], fresh: set[str]) -> Pair:
        """Another document, or a key of its own, for a row whose key's document is another row's."""

        def is_renamed(intent: Intent) -> bool:
            holder = changed.get(intent.key)
            return holder is None or holder.named != row.named

        intent = self._take(row.named, is_renamed)
        if intent is not None:
            return self._pair(row, intent, moves=True)
        base, number = row.key.partition("~")[0][: KEY_LENGTH - _ROOM], 2
        while self._is_taken(key := f"{base}~{number}") or key in fresh:
            number += 1
        fresh.add(key)
        return Pair(row.key, self.own_keys.get(row.key, row.key), row.source, row.line, key, moves=True)

    def _is_taken(self, key: str) -> bool:
        return self.is_claimed(key) or key in self.past.created or key in self.past.journaled.histories


@dataclass(frozen=True, slots=True)
class Same:
    """What is to be done about them: pairs that hold, and new rows that nobody answered for.

    `named`: keys of documents without a row that were named now. These and `holding` are to be journaled before anything is sent.
    """

    holding: tuple[Pair, ...] = ()
    unanswered: tuple[Pair, ...] = ()
    named: tuple[str, ...] = ()


def answered(
    settings: RunSettings, find: Callable[[Callable[[Sought], bool]], tuple[Seeking, list[Pair]]], *, is_part: bool
) -> Same:
    """What the options say to the pairs that `find` finds for some of the new rows.

    `is_part`: the other rows of their inputs aren't here, and may have each other's keys: then --rekey is no answer.
    """
    seeking, found = find(lambda _: True)
    asking = [pair for pair in found if pair.asks]
    if not settings.create_again and (is_part or not settings.rekey):
        return Same(tuple(pair for pair in found if not pair.asks), tuple(asking))
    unanswered = {pair.key: pair for pair in asking if not (settings.rows is None or pair.own in settings.rows)}
    if settings.create_again:
        return Same(tuple(pair for pair in found if pair.is_fixed), tuple(unanswered.values()))
    if unanswered:
        seeking, found = find(lambda row: row.key not in unanswered)
    return Same((*found, *seeking.moves(found)), tuple(unanswered.values()))
