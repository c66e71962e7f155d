"""The journal's lines about a run and its files: it began, has created something, or replaces the failures file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson


class RunBegan(NamedTuple):
    """A run (or the `command`) began in this directory. `at` is UTC, ISO 8601 with milliseconds."""

    run: str
    at: str
    command: str | None = None
    directory: str | None = None

    def encode(self) -> bytes:
        """The line."""
        more = {"command": self.command, "directory": self.directory}
        given = {name: value for name, value in more.items() if value is not None}
        return _encoded({"type": "run", "run": self.run, "at": self.at} | given)


@dataclass(frozen=True, slots=True)
class FirstCreated:
    """This run has written its first results line: from now on the results file must be there."""

    run: str

    def encode(self) -> bytes:
        """The line."""
        return _encoded({"type": "created", "run": self.run})


@dataclass(frozen=True, slots=True)
class Rewriting:
    """The failures file is about to be replaced by one of this size (bytes) and digest."""

    size: int
    digest: str
    run: str

    def encode(self) -> bytes:
        """The line."""
        return _encoded({"type": "rewriting", "size": self.size, "digest": self.digest, "run": self.run})


def parse_run_began(line: Mapping[str, Any]) -> RunBegan:
    """Read a line back."""
    return RunBegan(str(line.get("run")), str(line.get("at")), line.get("command"), line.get("directory"))


def parse_first_created(line: Mapping[str, Any]) -> FirstCreated:
    """Read a line back."""
    return FirstCreated(str(line.get("run")))


def parse_rewriting(line: Mapping[str, Any]) -> Rewriting:
    """Read a line back. Raises KeyError and ValueError for one that is none."""
    return Rewriting(int(line["size"]), str(line["digest"]), str(line.get("run")))


def _encoded(line: dict[str, Any]) -> bytes:
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
