"""Which identifiers the journal's intents name, by key: what undo believes, whatever a results file says (contract 6)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..compact_map import Fingerprints
from ..models import Created
from ..omni.v1_answers import made_of
from ..transport.reply import Answer
from .disk import Storage
from .history import read_line
from .journal_lines import Intent
from .lines import JoinedLines, count_roughly, read_lines

# an intent that nothing in it keeps from being read without parsing
_INTENT = re.compile(rb'\{"key":"([^"\\]+)","type":"intent","identifier":(?:"([^"\\]*)"|null),"filled":')
_OK = 200


class Intended:
    """Fingerprints of every identifier that an intent of a key names, and of the keys whose identifier the server chose."""

    def __init__(self, expected: int) -> None:
        self._named = Fingerprints(expected)
        self._unnamed = Fingerprints()

    def add(self, key: str, identifier: str | None) -> None:
        """One intent says so."""
        if identifier is None:
            self._unnamed.add(key, 1)
        else:
            self._named.add(_pair(key, identifier), 1)

    def holds(self, created: Created) -> bool:
        """Whether the journal bears this results line out.

        Where the server chose the identifier no intent names it: then the line's own URL and answer must.
        """
        if _pair(created.key, created.identifier) in self._named:
            return True
        return created.key in self._unnamed and set(said_of(created)) <= {created.identifier}


def said_of(created: Created) -> Iterator[str]:
    """What a results line's URL and answer call its document."""
    if created.url:
        yield created.url.rpartition("/")[2]
    made = made_of(Answer(created.status or _OK, {}, created.response, 0.0))
    if made is not None and made.identifier is not None:
        yield made.identifier


def read_intended(storage: Storage, journal: Path) -> Intended:
    """Read the journal once. Raises UsageError for a corrupt line."""
    intended = Intended(count_roughly(storage, journal))
    for key, identifier in _intents(storage, journal):
        intended.add(key, identifier)
    return intended


def identifiers_of(storage: Storage, journal: Path, key: str) -> list[str | None]:
    """What the intents of one key name, each once: for a message."""
    return list(dict.fromkeys(identifier for of, identifier in _intents(storage, journal) if of == key))


def _intents(storage: Storage, journal: Path) -> Iterator[tuple[str, str | None]]:
    """Key and identifier of each intent. Raises UsageError for a corrupt line."""
    is_intent, is_single = _INTENT.match, JoinedLines(b"specHash").holds
    for number, (_, text) in enumerate(read_lines(storage, journal), 1):
        if (match := is_intent(text)) is not None and is_single(text):
            identifier = None if match[2] is None else match[2].decode("utf-8", "replace")
            yield match[1].decode("utf-8", "replace"), identifier
        elif isinstance(line := read_line(text, journal, str(number)), Intent):
            yield line.key, line.identifier


def _pair(key: str, identifier: str) -> str:
    return f"{key}\0{identifier}"
