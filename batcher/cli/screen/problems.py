"""Problems as people read them: one cause is one line, with a count and the first places, however many rows it has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ...models import Problem

_PLACES = 5  # that a line names
_MOST_KINDS = 1000  # that are told apart: a bound on memory
_INDEX = re.compile(r"\[\d+\]")


@dataclass(slots=True)
class Kind:
    """Problems of one cause in one input. `lines` are the first of them."""

    first: Problem
    lines: list[int]
    count: int = 1

    def __str__(self) -> str:
        if self.count == 1:
            return str(self.first)
        more = ", …" if self.count > len(self.lines) else ""
        return f"{self.first} ({self.count:,} rows: lines {', '.join(map(str, self.lines))}{more})"


@dataclass(slots=True)
class Kinds:
    """The kinds of problems met so far, in the order of their first places."""

    _by_cause: dict[tuple[str, str, str], Kind] = field(default_factory=dict)
    _others: int = 0

    def add(self, problem: Problem) -> None:
        """One more problem."""
        cause = (problem.source, _INDEX.sub("[]", problem.field), problem.cause or problem.message)
        kind = self._by_cause.get(cause)
        if kind is None:
            if len(self._by_cause) < _MOST_KINDS:
                self._by_cause[cause] = Kind(problem, [problem.line])
            else:
                self._others += 1
        elif kind.lines[-1] != problem.line or len(kind.lines) >= _PLACES:  # a row's second tile is no second row
            kind.count += 1
            if len(kind.lines) < _PLACES:
                kind.lines.append(problem.line)

    def take(self) -> Iterator[Kind]:
        """All of them, once."""
        kinds, self._by_cause = self._by_cause, {}
        yield from kinds.values()

    def take_others(self) -> int:
        """How many problems came after more kinds than anybody reads, once."""
        others, self._others = self._others, 0
        return others
