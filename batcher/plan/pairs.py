"""Rows whose document is sought, and what they are found to be: rows of the files under other keys (contract 5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

import orjson

from ..identity import content_hash, name_key
from ..models import Spec
from ..placement import NO_PLACEMENT, Placement


class Sought(NamedTuple):
    """A row whose document is sought: its key in the files, its place, its content, and its `name_key`.

    `failed_at`: its place in the input when it failed, for a line of the failures file. `is_held_back`: it is known to hold
    what another row's document holds, so it has one, if need be another's.
    """

    key: str
    source: str
    line: int
    content: str
    named: str
    failed_at: str = ""
    is_held_back: bool = False
    placement: Placement = NO_PLACEMENT

    @property
    def place(self) -> str:
        """`dashboards.csv:17`."""
        return f"{self.source}:{self.line}"

    @classmethod
    def by(cls, spec: Spec, failed_at: str = "", *, is_held_back: bool = False) -> Sought:
        """A row that is to be sent."""
        named, content = name_key(spec.model_id, spec.name), content_hash(orjson.loads(spec.body))
        return cls(spec.key, spec.source, spec.line, content, named, failed_at, is_held_back, spec.placement)


class Kind(Enum):
    """What speaks for a pair.

    `SAME`: one content. `REPEATED`: so, but another line of a failures file has that document. `FIXED`: fixed in two places
    in one way. `FIXED_OTHERWISE`: fixed in two places, each another way. `MOVED`: not a new row, but the document of its key
    is another row's. `LEFT_OUT`: so, and no document is its own: it goes by a key that nothing was sent under.
    """

    SAME = auto()
    REPEATED = auto()
    FIXED = auto()
    FIXED_OTHERWISE = auto()
    MOVED = auto()
    LEFT_OUT = auto()


@dataclass(frozen=True, slots=True)
class Pair:
    """A row at `source` and `line` with the key `own` in the inputs is the row `of` the files, sent first at `was`.

    For one that is left out `was` is the place of the row that has its key's document.
    `key` is what it would go by otherwise. `asks`: only a person can say so, since a document exists.
    """

    kind: Kind
    key: str
    own: str
    source: str
    line: int
    of: str
    was: str = ""
    identifier: str | None = None
    asks: bool = True


@dataclass(frozen=True, slots=True)
class Same:
    """What is to be done about them: pairs that hold, and rows that nobody answered for.

    `moved`: changed rows that would get the documents of their contents with --rekey. `named`: keys of documents without a
    row that were named now. These and `holding` are to be journaled before anything is sent.
    """

    holding: tuple[Pair, ...] = ()
    unanswered: tuple[Pair, ...] = ()
    moved: tuple[Pair, ...] = ()
    named: tuple[str, ...] = ()
