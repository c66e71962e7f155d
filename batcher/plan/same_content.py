"""New rows that hold what was created under another key: people's edits don't create twice either (contract 5).

The past is asked by key first. A row that is new by its key, or has only failed under it, is compared by content with
what was created (or may have been, or was refused) under keys that no row of the inputs has any more, or whose row has
changed: rows that were numbered anew have each other's keys. Such a row then needs another key in its turn, and if it has
no document of its content, it is a new row under a used key: nobody would ever create it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..config import RunSettings
from ..files.disk import Storage
from ..files.journal_lines import Intent
from ..files.past import Past
from ..identity import KEY_LENGTH, RAW
from .documents_left import Left, contents_like, fixed_as
from .pairs import Kind, Pair, Same, Sought

_ROOM = 10  # characters that a key leaves for `~2`


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
    is_part: bool  # the other rows of their inputs aren't here: a failures file, or a sheet

    def pairs(self, new: Iterable[Sought]) -> list[Pair]:
        """Each new row with the document of the same content; each of those once, in input order. Raises UsageError."""
        found: list[Pair] = []
        last: dict[str, Intent] = {}  # by content
        unpaired: list[Sought] = []
        wanted = set(self.left.holds.values())
        for row in new:
            for text in contents_like(row) if wanted else ():
                if text in wanted:
                    self.left.holders.setdefault(text, row.place)
            if self.is_part and self._is_own(row):
                continue
            if (intent := self._other(row)) is not None:
                last[row.content] = intent
                found.append(self._pair(row, intent))
            elif row.is_held_back and row.content in last:
                found.append(self._pair(row, last[row.content], Kind.REPEATED if self.is_part else Kind.SAME))
            elif self._may_be_fixed_otherwise(row):
                unpaired.append(row)
            else:
                self._meet(row)
        return [*found, *self._fixed_otherwise(unpaired)]

    def _may_be_fixed_otherwise(self, row: Sought) -> bool:
        """Whether it may have failed once, and been fixed and created elsewhere: in the failures file, or in the input."""
        return row.key.startswith(RAW) or self.left.is_fixed_elsewhere

    def _fixed_otherwise(self, unpaired: Iterable[Sought]) -> Iterator[Pair]:
        """Those rows with what was created in their place or of their name, once each content has its document."""
        for row in unpaired:
            texts = [fixed_as(row.failed_at or row.place)]
            if not self.is_part:
                texts.append(fixed_as(row.named))
            elif row.key.startswith(RAW):  # it was too broken to have a name when it failed
                texts.append(row.named)
            intent = next((intent for text in texts if (intent := self._take(text)) is not None), None)
            if intent is not None:
                yield self._pair(row, intent, Kind.FIXED_OTHERWISE)
            else:
                self._meet(row)

    def _meet(self, row: Sought) -> None:
        """Note a row that holds what was created for an input that isn't among these."""
        if any(self.left.elsewhere.take(text) is not None for text in contents_like(row)):
            self.left.met.append(row.place)

    def _other(self, row: Sought) -> Intent | None:
        """The document of this row's content, not the one that its own unclear attempt may have made."""
        taken = (self._take(text, lambda intent: intent.key != row.key) for text in contents_like(row))
        return next((intent for intent in taken if intent is not None), None)

    def _is_own(self, row: Sought) -> bool:
        """Whether its key's document holds the same after all: it differs in the identifier alone."""
        return self.left.holds.get(row.key, "") in contents_like(row)

    def moves(self, found: Sequence[Pair]) -> list[Pair]:
        """What follows for rows that have changed: each with the document of its content; nothing in a part of an input.

        One whose key's document is another row's now, and whose content none has, is paired by model and name, with a
        document whose row has another name, or gets a key of its own. Raises UsageError.
        """
        if self.is_part:
            return []
        done = {pair.key for pair in found}
        changed = {key: row for key, row in self.changed().items() if key not in done}
        others = [row for row in changed.values() if not self._is_own(row)]
        moved = {
            row.key: self._pair(row, intent, Kind.MOVED) for row in others if (intent := self._other(row)) is not None
        }
        holders = {text: row.place for row in others for text in contents_like(row)} | self.left.holders
        losing = deque((key, holders[held]) for key, held in self.left.holds.items() if held in holders)
        fresh = set[str]()
        while losing:
            key, holder = losing.popleft()
            if key in changed and key not in moved and not self._is_own(changed[key]):
                moved[key] = pair = self._move(changed[key], holder, changed, fresh)
                losing.append((pair.of, f"{pair.source}:{pair.line}"))
        return list(moved.values())

    def _take(self, text: str, is_free: Callable[[Intent], bool] = lambda _: True) -> Intent | None:
        return self.left.take(text, self.storage, self.journal, is_free)

    def _pair(self, row: Sought, intent: Intent, kind: Kind = Kind.SAME) -> Pair:
        is_held, was = self.is_claimed(intent.key), f"{intent.source}:{intent.line}"
        if self.is_part and is_held:
            kind = Kind.REPEATED
        elif (
            kind is Kind.SAME
            and not is_held
            and (intent.key in self.left.fixed or (row.failed_at == was and not row.is_held_back))
        ):
            kind = Kind.FIXED
        return Pair(
            kind,
            row.key,
            self.own_keys.get(row.key, row.key),
            row.source,
            row.line,
            intent.key,
            was,
            intent.identifier,
            asks=is_held or (intent.key in self.past.created and kind is not Kind.FIXED),
        )

    def _move(self, row: Sought, holder: str, changed: Mapping[str, Sought], fresh: set[str]) -> Pair:
        """Another document, or a key of its own, for a row whose key's document is that of the row at `holder`."""

        def is_renamed(intent: Intent) -> bool:
            holder = changed.get(intent.key)
            return holder is None or holder.named != row.named

        intent = self._take(row.named, is_renamed)
        if intent is not None:
            return self._pair(row, intent, Kind.MOVED)
        base, number = row.key.partition("~")[0][: KEY_LENGTH - _ROOM], 2
        while self._is_taken(key := f"{base}~{number}") or key in fresh:
            number += 1
        fresh.add(key)
        return Pair(Kind.LEFT_OUT, row.key, self.own_keys.get(row.key, row.key), row.source, row.line, key, holder)

    def _is_taken(self, key: str) -> bool:
        return self.is_claimed(key) or key in self.past.created or key in self.past.journaled.histories


def answered(settings: RunSettings, found: Sequence[Pair], moves: Sequence[Pair]) -> Same:
    """What the options say to the pairs of new rows, and to what follows from them."""
    pairs = (*found, *moves)
    asking = [pair for pair in pairs if pair.asks and pair.kind is not Kind.MOVED]
    if not settings.rekey and not settings.create_again:
        moved = tuple(pair for pair in moves if pair.kind is Kind.MOVED)
        return Same(tuple(pair for pair in found if not pair.asks), tuple(asking), moved)
    unanswered = {pair.key: pair for pair in asking if not _is_answered(pair, settings)}
    held = set(Kind) if settings.rekey else {Kind.FIXED, Kind.LEFT_OUT}
    holding = (pair for pair in pairs if pair.kind in held and pair.key not in unanswered)
    return Same(tuple(holding), tuple(unanswered.values()))


def _is_answered(pair: Pair, settings: RunSettings) -> bool:
    """Whether the option is meant for this one; a second line's document is another's already."""
    return (settings.rows is None or pair.own in settings.rows) and not (settings.rekey and pair.kind is Kind.REPEATED)
