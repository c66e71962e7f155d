"""The journal's lines of undo: each DELETE before it leaves, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

_ALL_LINES = 1 << 62  # what `lines` is where the journal doesn't say


@dataclass(frozen=True, slots=True)
class UndoIntent:
    """A DELETE is about to leave; open until an `Undone` or an `UndoKept` of its document follows.

    `lines` of the results file name the document.
    """

    key: str
    identifier: str
    spec_hash: str
    lines: int
    at: str
    run: str

    def encode(self) -> bytes:
        """The line."""
        return _encoded(self, "undoing")

    def undone(self, at: str, run: str) -> Undone:
        """The document is gone."""
        return Undone(self.key, self.identifier, self.spec_hash, self.lines, at, run)

    def kept(self, at: str, run: str) -> UndoKept:
        """The document is still there."""
        return UndoKept(self.key, self.identifier, at, run)


@dataclass(frozen=True, slots=True)
class Undone:
    """Undo deleted this document, which `lines` lines of the results file named. With more it was created anew."""

    key: str
    identifier: str
    spec_hash: str
    lines: int
    at: str
    run: str

    def encode(self) -> bytes:
        """The line."""
        return _encoded(self, "undone")


@dataclass(frozen=True, slots=True)
class UndoKept:
    """This document is still there: its DELETE was refused, or a look-up after an unclear one found it."""

    key: str
    identifier: str
    at: str
    run: str

    def encode(self) -> bytes:
        """The line."""
        line = {"key": self.key, "type": "undo_kept", "identifier": self.identifier, "at": self.at, "run": self.run}
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def parse_undo_intent(line: Mapping[str, Any]) -> UndoIntent:
    """Read one back. Raises KeyError."""
    return UndoIntent(*_fields(line))


def parse_undone(line: Mapping[str, Any]) -> Undone:
    """Read one back. Raises KeyError."""
    return Undone(*_fields(line))


def parse_undo_kept(line: Mapping[str, Any]) -> UndoKept:
    """Read one back. Raises KeyError."""
    return UndoKept(str(line["key"]), str(line["identifier"]), str(line.get("at")), str(line.get("run")))


def _fields(line: Mapping[str, Any]) -> tuple[str, str, str, int, str, str]:
    lines = line["lines"] if isinstance(line.get("lines"), int) else _ALL_LINES
    spec_hash = str(line.get("specHash") or "")
    return str(line["key"]), str(line["identifier"]), spec_hash, lines, str(line.get("at")), str(line.get("run"))


def _encoded(line: UndoIntent | Undone, kind: str) -> bytes:
    named = {"key": line.key, "type": kind, "identifier": line.identifier, "specHash": line.spec_hash}
    fields = named | {"lines": line.lines, "at": line.at, "run": line.run}
    return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)
