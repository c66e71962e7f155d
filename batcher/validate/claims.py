"""Who has which key: gives each row its own, and tells when a key or an identifier is another row's already.

For each key one number is kept: 32 bits of a hash of the row's body and 32 of its place (which input, which line). So a
copy of a row is recognized, and a clash can name the other row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from ..compact_map import Fingerprints
from ..identity import NAMED, name_key, raw_key
from ..models import Problem, Row
from ..omni.fields import KEY
from ..read.failures_lines import refused_key, values_of
from ..read.json_text import shown
from ..read.sources import Source
from .normalise import Body

_LINE_BITS = 26
_SOURCE_BITS = 6
_PLACE_BITS = _LINE_BITS + _SOURCE_BITS
_PLACE = (1 << _PLACE_BITS) - 1
UNPLACED = _PLACE  # kept for a key that comes from no input: "an earlier row"
_LAST_LINE = (1 << _LINE_BITS) - 1  # stands for every line from there on
_LAST_SOURCE = (1 << _SOURCE_BITS) - 1  # stands for every input from there on
_LONGEST_IDENTIFIER = 48


class Places:
    """Places in the inputs as numbers of 32 bits."""

    def __init__(self, inputs: Sequence[Source | Path]) -> None:
        self.names = [given.name if isinstance(given, Source) else str(given) for given in inputs]
        self._firsts = {name: min(number, _LAST_SOURCE) << _LINE_BITS for number, name in enumerate(self.names)}

    def of(self, source: str) -> int:
        """What the places in this input have in common."""
        return self._firsts[source]

    def at(self, row: Row) -> int:
        """The place of a row."""
        return self.on(row.source, row.line)

    def on(self, source: str, line: int) -> int:
        """The place of the row in this line."""
        return self._firsts[source] | min(_LAST_LINE, line)

    def words(self, value: int) -> str:
        """`dashboards.csv:17`, for the place in a value that is kept for a key."""
        source, line = (value & _PLACE) >> _LINE_BITS, value & _LAST_LINE
        return "an earlier row" if source == _LAST_SOURCE or line == _LAST_LINE else f"{self.names[source]}:{line}"


def value_of(written: bytes, place: int) -> int:
    """What is kept for the key of a row with this body at this place."""
    return (hash(written) & 0xFFFF_FFFF) << _PLACE_BITS | place


@dataclass(slots=True)
class Claims:
    """The keys and identifiers of all rows so far."""

    places: Places
    keys: Fingerprints = field(default_factory=Fingerprints)  # key, or what `holding` makes of an identifier → value
    repeated: Fingerprints = field(default_factory=Fingerprints)  # key without ~2, ~3 → how many rows share it
    same_rows: Mapping[str, str] = field(default_factory=dict)  # key → the one under which the files have that row
    shared: Mapping[str, Sequence[str]] = field(
        default_factory=dict
    )  # name → keys of its rows, see `plan/shared_names.py`
    is_filed: Callable[[str], bool] = lambda _: True  # whether the files say anything of a key
    in_order: dict[str, list[str]] = field(default_factory=dict)  # of those names, the keys that their rows have got
    own_keys: dict[str, str] = field(default_factory=dict)  # the other way round, for the rows so far
    displaced: list[str] = field(
        default_factory=list
    )  # keys of rows that another row of the inputs has kept from theirs
    _brought: set[str] = field(default_factory=set)  # `name:` keys of failures lines, without ~2

    @classmethod
    def expecting(
        cls,
        places: Places,
        count: int,
        same_rows: Mapping[str, str],
        shared: Mapping[str, Sequence[str]],
        is_filed: Callable[[str], bool],
    ) -> Claims:
        """No claims yet; about so many keys will come."""
        return cls(places, Fingerprints(count), same_rows=same_rows, shared=shared, is_filed=is_filed)

    def claim(self, base: str, identifier: str | None, value: int, *, is_filed: bool = False) -> str | None:
        """Take `base` as a row's key, and its identifier: the key that the files have it under.

        None, and nothing is taken, if another row has one of them. `is_filed`: a failures line brought `base`.
        """
        if identifier is None:
            return self._take(base, value, is_filed=is_filed)
        if holding(identifier) in self.keys or (key := self._take(base, value, is_filed=is_filed)) is None:
            return None
        self.keys.add(holding(identifier), value)
        return key

    def claim_plain(self, own: str | None, body: Body, written: bytes, source: int, line: int) -> str | None:
        """As `claim`, for a row that nothing is wrong with, in a line of a source (see `Places.of`); fast."""
        value = (hash(written) & 0xFFFF_FFFF) << _PLACE_BITS | source | min(_LAST_LINE, line)
        if "identifier" in body:
            identifier = body["identifier"]
            return self.claim(f"id:{identifier}" if own is None else own, identifier, value)
        base = name_key(body["modelId"], body["name"]) if own is None else own
        if self.same_rows or self.shared:
            return self._take(base, value)
        return base if self.keys.add(base, value) else None

    def _take(self, own: str, value: int, *, is_filed: bool = False) -> str | None:
        """The key under which the files have the row with this key; its own if another row of the inputs has that one."""
        if own in self.shared and not is_filed:
            return self._take_shared(own, value)
        known = None if is_filed and self.is_filed(own) else self.same_rows.get(own)
        if known is None:
            if self.keys.add(own, value):
                return own
            return self._beside(own, value) if own in self.own_keys and not is_filed else None
        if not self.keys.add(_as_written(own), value):
            return None
        for key in (known, own):
            if self.keys.add(key, value):
                self.own_keys[key] = own
                if key is not known:
                    self.displaced.append(key)
                return key
        return self._next(own, value)

    def _take_shared(self, base: str, value: int) -> str:
        """The next key of this name. Without one, or if another row has it, the next that is free."""
        taken, keys = self.in_order.setdefault(base, []), self.shared[base]
        key = keys[len(taken)] if len(taken) < len(keys) else base
        if not self.keys.add(key, value):
            number = 2
            while not self.keys.add(key := f"{base}~{number}", value):
                number += 1
        taken.append(key)
        if (own := base if len(taken) == 1 else f"{base}~{len(taken)}") != key:
            self.own_keys[key] = own
        return key

    def _beside(self, own: str, value: int) -> str | None:
        """For a row whose key the files have for a row with another key; None if a second row has this key."""
        return self._next(own, value) if self.keys.add(_as_written(own), value) else None

    def _next(self, own: str, value: int) -> str:
        number = 2
        while not self.keys.add(key := f"{own}~{number}", value):
            number += 1
        self.own_keys[key] = own
        self.displaced.append(key)
        return key

    def holder(self, own: str) -> int | None:
        """The value of the row that has this key in the inputs, or in the files; None if none has it."""
        as_written = self.keys.get(_as_written(own)) if self.same_rows else None
        return self.keys.get(own) if as_written is None else as_written

    def bring(self, key: str) -> None:
        """A failures line brought this key with it."""
        if key.startswith(NAMED):
            self._brought.add(key.partition("~")[0])

    def is_brought(self, base: str) -> bool:
        """Whether such a row came from a failures file: then one more is not another, but perhaps that row again."""
        return base in self._brought

    def another(self, base: str, value: int) -> str:
        """A key for one more row that should have had the key `base`."""
        count = (self.repeated.get(base) or 1) + 1
        while (key := self._take(f"{base}~{count}", value)) is None:  # such a key was somebody's own
            count += 1
        self.repeated.put(base, count)
        return key

    def is_copy(self, base: str, value: int) -> bool:
        """Is a row, the second or later with this `base`, wholly identical to an earlier one?"""
        first, content = self.holder(base), value >> _PLACE_BITS
        same = first is not None and first >> _PLACE_BITS == content
        return not self.repeated.add(f"\0{base}\0{content}", 1) or same

    def clash(self, row: Row, key: str, field: str) -> Problem:
        """The problem of a row whose key or identifier another one has."""
        where = self.places.words(self.holder(key) or UNPLACED)
        if field == KEY:
            either = ". A row and its failures line are the same row: remove one of them" if row.is_fed_back else ""
            text = f"{shown(key)} is the key of {where} too; each row needs its own{either}"
            return Problem(row.source, row.line, KEY, text, "clash")
        text = f"{shown(key.removeprefix(holding('')))} is the identifier of {where} too; each document needs its own"
        return Problem(row.source, row.line, field, text, "clash")


def is_refused_still(row: Row, own_key: str | None) -> bool:
    """Whether this is a row that was refused for its key and still has that key (see `failures_lines.refused_key`)."""
    if row.refused_as is None:
        return False
    start, _, count = row.refused_as.rpartition("~")
    refused = start if start and count.isdigit() else row.refused_as
    return own_key is None or refused in (refused_key(own_key), own_key)  # the latter in files of version 0.1.0


def holding(identifier: str) -> str:
    """Under what an identifier is claimed: no key looks like it, so that a row's identifier is not taken for a key."""
    return f"\0{identifier}"


def _as_written(own: str) -> str:
    """Under what a key of the inputs is claimed that the files have under another, so that no second row has it."""
    return f"\1{own}"


def identifier_of(body: Body) -> str | None:
    """The user's own identifier, if it can be part of a key."""
    value = body.get("identifier")
    if isinstance(value, str) and 0 < len(value) <= _LONGEST_IDENTIFIER and value.isprintable():
        return value
    return None


def base_of(row: Row, own_key: str | None, identifier: str | None, body: Body) -> str:
    """The row's key before rows that share it are told apart (contract 5)."""
    if own_key is not None:
        return own_key
    if (given := row.fields.get(KEY)) is not None and str(given).strip():
        return refused_key(given)
    if identifier is not None:
        return f"id:{identifier}"
    model_id, name = body.get("modelId"), body.get("name")
    if isinstance(model_id, str) and isinstance(name, str) and model_id and name:
        return name_key(model_id, name)
    return raw_key(_text_of(row))


def _text_of(row: Row) -> str:
    read = values_of(row)
    if isinstance(read, str):
        return read
    try:
        return orjson.dumps(read, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:  # nested too deeply to be written
        return repr(read)
