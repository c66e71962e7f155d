"""Which identifiers the journal's intents name, by key: what undo believes, whatever a results file says (contract 6)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..compact_map import Fingerprints
from ..models import ApiVersion, Created
from ..omni.v1_answers import made_of
from ..transport.reply import Answer
from .disk import Storage
from .history import read_line
from .journal_lines import Intent
from .lines import JoinedLines, count_roughly, read_lines

# an intent that nothing in it keeps from being read without parsing
_INTENT = re.compile(
    rb'\{"key":"([^"\\]+)","type":"intent","identifier":(?:"([^"\\]*)"|null),"filled":.*?"specHash":"([^"\\]*)"'
)
_OK = 200


class Intended:
    """Fingerprints of every identifier that an intent of a key names, alone and with the hash of what was sent under it.

    And of the keys whose identifier the server chose, alone and with that hash.
    """

    def __init__(self, expected: int) -> None:
        self._named = Fingerprints(expected)
        self._unnamed = Fingerprints()

    def add(self, key: str, identifier: str | None, spec_hash: str) -> None:
        """One intent says so."""
        if identifier is None:
            self._unnamed.add(key, 1)
            self._unnamed.add(_pair(key, spec_hash), 1)
        else:
            self._named.add(_pair(key, identifier), 1)
            self._named.add(_sent(key, identifier, spec_hash), 1)

    def holds(self, created: Created) -> bool:
        """Whether the journal bears this results line out.

        Key and identifier alone could be those of another row's refused attempt, if a program changed both. Lines of
        earlier versions may lack the hash. Where the server chose the identifier no intent names it: then the line's own
        URL and answer must, and what was sent must be the key's.
        """
        key, identifier, spec_hash = created.key, created.identifier, created.spec_hash
        if (_sent(key, identifier, spec_hash) if spec_hash else _pair(key, identifier)) in self._named:
            return True
        unnamed = _pair(key, spec_hash) if spec_hash else key
        return unnamed in self._unnamed and set(said_of(created)) <= {identifier}


def said_of(created: Created) -> Iterator[str]:
    """What a results line's URL and answer call its document."""
    if created.url:
        yield created.url.rpartition("/")[2]
    answer = Answer(created.status or _OK, {}, created.response, 0.0)
    for made in (made_of(answer, version) for version in ApiVersion):
        if made is not None and made.identifier is not None:
            yield made.identifier


def read_intended(storage: Storage, journal: Path) -> Intended:
    """Read the journal once. Raises UsageError for a corrupt line."""
    intended = Intended(count_roughly(storage, journal))
    for key, identifier, spec_hash in _intents(storage, journal):
        intended.add(key, identifier, spec_hash)
    return intended


def identifiers_of(storage: Storage, journal: Path, key: str) -> list[str | None]:
    """What the intents of one key name, each once: for a message."""
    return list(dict.fromkeys(identifier for of, identifier, _ in _intents(storage, journal) if of == key))


def _intents(storage: Storage, journal: Path) -> Iterator[tuple[str, str | None, str]]:
    """Key, identifier and hash of each intent. Raises UsageError for a corrupt line."""
    is_intent, is_single = _INTENT.match, JoinedLines(b"specHash").holds
    for number, (_, text) in enumerate(read_lines(storage, journal), 1):
        if (match := is_intent(text)) is not None and is_single(text):
            identifier = None if match[2] is None else match[2].decode("utf-8", "replace")
            yield match[1].decode("utf-8", "replace"), identifier, match[3].decode("utf-8", "replace")
        elif isinstance(line := read_line(text, journal, str(number)), Intent):
            yield line.key, line.identifier, line.spec_hash


def _pair(key: str, identifier: str) -> str:
    return f"{key}\0{identifier}"


def _sent(key: str, identifier: str, spec_hash: str) -> str:
    return f"{_pair(key, identifier)}\0{spec_hash}"
