"""Failed, uncertain and unfinished rows by reason: one cause is told once, with its count and one hint (contract 3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from ..models import Failure, word_of
from ..reasons import Reason

PLACES = 5  # of one message that are kept
_MESSAGES = 3  # of one reason that are told apart
_SHORTEST = 3  # characters of a part that is taken out of a message: "a" is in every one


@dataclass(frozen=True, slots=True)
class SameMessage:
    """Rows that the API refused in the same words. `places`: input and line of the first of them."""

    status: int | None
    text: str
    count: int
    places: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Rows of one outcome (`failed`, …) and one reason, with their usual hint. `others` of them have further messages."""

    word: str
    reason: Reason
    hint: str
    count: int
    messages: tuple[SameMessage, ...]
    others: int


@dataclass(slots=True)
class _Message:
    count: int = 0
    places: list[tuple[str, int]] = field(default_factory=list)


@dataclass(slots=True)
class _Group:
    messages: dict[tuple[int | None, str], _Message] = field(default_factory=dict)
    hints: Counter[str] = field(default_factory=Counter)

    def add(self, status: int | None, text: str, hint: str, place: tuple[str, int]) -> None:
        self.hints[hint] += 1
        message = self.messages.get((status, text))
        if message is None:
            if len(self.messages) >= _MESSAGES:
                return
            message = self.messages[status, text] = _Message()
        message.count += 1
        if len(message.places) < PLACES:
            message.places.append(place)


@dataclass(slots=True)
class FailureGroups:
    """The groups so far."""

    _groups: dict[tuple[str, Reason], _Group] = field(default_factory=dict)

    def add(self, outcome: Failure) -> None:
        """One more row."""
        group = self._groups.setdefault((word_of(outcome), outcome.reason), _Group())
        group.add(outcome.status, _common(outcome), outcome.hint, (outcome.source, outcome.line))

    def grouped(self) -> tuple[FailureGroup, ...]:
        """All of them, failed ones first, then the largest."""
        found = [_frozen(*cause, group) for cause, group in self._groups.items()]
        return tuple(sorted(found, key=lambda each: (each.word, -each.count)))


def places_text(places: Sequence[tuple[str, int]], count: int) -> str:
    """`d.csv:2, 3, 7; e.csv:2, …`: the first places of `count` rows."""
    by_source = groupby(places, lambda place: place[0])
    texts = (f"{source}:{', '.join(str(line) for _, line in group)}" for source, group in by_source)
    return "; ".join(texts) + (", …" if count > len(places) else "")


def _frozen(word: str, reason: Reason, group: _Group) -> FailureGroup:
    messages = tuple(
        SameMessage(status, text, message.count, tuple(message.places))
        for (status, text), message in sorted(group.messages.items(), key=lambda each: -each[1].count)
    )
    told = sum(message.count for message in messages)
    count, [(hint, _)] = group.hints.total(), group.hints.most_common(1)
    return FailureGroup(word, reason, hint, count, messages, count - told)


def _common(outcome: Failure) -> str:
    """The message without what is this row's alone: a server quotes the name or the identifier."""
    text = outcome.message
    name = outcome.spec.get("name") if isinstance(outcome.spec, dict) else None
    for part in (outcome.identifier, outcome.key, name):
        if isinstance(part, str) and len(part) >= _SHORTEST:
            text = text.replace(part, "…")
    return text
