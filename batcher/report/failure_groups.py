"""Failed, uncertain and unfinished rows by reason: one cause is told once, with its count and one hint (contract 3)."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..models import Failure, word_of
from ..reasons import UNCERTAIN, Reason

PLACES = 5  # of one message that are kept
_MESSAGES = 3  # of one reason that are told apart
_GROUPS = 12  # which is more than people read
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
    """Rows of one outcome (`failed`, …) and one reason. `others` of its `count` rows have further messages."""

    word: str
    reason: Reason
    hint: str
    count: int
    messages: tuple[SameMessage, ...]
    others: int


@dataclass(frozen=True, slots=True)
class FailuresByReason:
    """All of them, the largest group first, failed ones before the others. `others`: rows of more reasons than people read."""

    groups: tuple[FailureGroup, ...] = ()
    others: int = 0


NO_FAILURES = FailuresByReason()


@dataclass(slots=True)
class _Message:
    count: int = 0
    places: list[tuple[str, int]] = field(default_factory=list)


@dataclass(slots=True)
class _Group:
    count: int = 0
    messages: dict[tuple[int | None, str], _Message] = field(default_factory=dict)

    def add(self, status: int | None, text: str, place: tuple[str, int]) -> None:
        self.count += 1
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

    _groups: dict[tuple[str, Reason, str], _Group] = field(default_factory=dict)
    _others: int = 0

    def add(self, outcome: Failure) -> None:
        """One more row."""
        cause = (word_of(outcome), outcome.reason, outcome.hint)
        group = self._groups.get(cause)
        if group is None:
            if len(self._groups) >= _GROUPS:
                self._others += 1
                return
            group = self._groups[cause] = _Group()
        group.add(outcome.status, _common(outcome), (outcome.source, outcome.line))

    def grouped(self, unreported: int = 0) -> FailuresByReason:
        """What has been added; `unreported` more rows are uncertain since a process died before it knew."""
        found = [_frozen(*cause, group) for cause, group in self._groups.items()]
        if unreported:
            found.append(FailureGroup("uncertain", Reason.INTERRUPTED, UNCERTAIN, unreported, (), 0))
        return FailuresByReason(tuple(sorted(found, key=lambda each: (each.word, -each.count))), self._others)


def _frozen(word: str, reason: Reason, hint: str, group: _Group) -> FailureGroup:
    messages = tuple(
        SameMessage(status, text, message.count, tuple(message.places))
        for (status, text), message in sorted(group.messages.items(), key=lambda each: -each[1].count)
    )
    told = sum(message.count for message in messages)
    return FailureGroup(word, reason, hint, group.count, messages, group.count - told)


def _common(outcome: Failure) -> str:
    """The message without what is this row's alone: a server quotes the name or the identifier."""
    text = outcome.message
    name = outcome.spec.get("name") if isinstance(outcome.spec, dict) else None
    for part in (outcome.identifier, outcome.key, name):
        if isinstance(part, str) and len(part) >= _SHORTEST:
            text = text.replace(part, "…")
    return text
