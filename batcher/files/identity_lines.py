"""The journal's lines about whose a document is: a row with another key, or no row anymore (contract 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class SameRow:
    """The row with this key in the inputs is the row `of` the files, whatever keys other rows have. `at` is UTC, ISO 8601."""

    key: str
    of: str
    at: str
    run: str

    def encode(self) -> bytes:
        """The line."""
        line = {"key": self.key, "type": "same_row", "of": self.of, "at": self.at, "run": self.run}
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


@dataclass(frozen=True, slots=True)
class Named:
    """A run has told that no row has the document of this key any more."""

    key: str

    def encode(self) -> bytes:
        """The line."""
        return orjson.dumps({"key": self.key, "type": "no_row"}, option=orjson.OPT_APPEND_NEWLINE)


def parse_same_row(line: Mapping[str, Any]) -> SameRow:
    """Read a line back. Raises KeyError for one that is none."""
    return SameRow(str(line["key"]), str(line["of"]), str(line.get("at")), str(line.get("run")))


def parse_named(line: Mapping[str, Any]) -> Named:
    """Read a line back. Raises KeyError for one that is none."""
    return Named(str(line["key"]))
