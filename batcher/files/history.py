"""What the journal says about rows that are not created: read once, when a run begins.

Only keys without a created document are kept in memory, so that a run over a million created rows stays small.
An attempt is *unclear* until a later line says otherwise; a process that died in between says nothing, so its last
intent is unclear too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from ..errors import UsageError
from .disk import Storage
from .lines import JoinedLines, corrupt, is_object, parse_line, read_lines

_UNDONE = b'"undone"'
_KEYED = re.compile(rb'\{"key":"([^"\\]*)"')
_INTENT = re.compile(rb'\{"key":"([^"\\]+)","type":"intent",')  # how an intent begins whose key needs no escape
ALL_LINES = 1 << 62

# By key and identifier: how many lines of the results file told of that document when undo deleted it. With more lines
# than these it was created anew, under the same identifier.
Undone = Mapping[str, Mapping[str, int]]


class Sent(NamedTuple):
    """One unclear attempt. `body` is what it sent; None for an earlier run's: then it stands in the journal at `offset`."""

    identifier: str | None
    is_filled: bool
    at: datetime
    spec_hash: str
    offset: int
    body: bytes | None = None


@dataclass(slots=True)
class History:
    """One key's past: its unclear attempts (oldest first), its identifier, and its last failure's offset.

    `identifier` is the last one that it was sent under if batcher filled it in; `undone` counts how often undo deleted
    it, and `undone_hash` is what was deleted.
    """

    unclear: list[Sent] = field(default_factory=list)
    identifier: str | None = None
    undone: int = 0
    undone_hash: str | None = None
    failure: int | None = None
    is_uncertain: bool = False

    @property
    def is_undone(self) -> bool:
        """Deleted by undo, and nothing was tried since."""
        return self.undone > 0 and not self.unclear and self.failure is None and self.undone_hash is not None

    @property
    def may_be_orphan(self) -> bool:
        """Whether there is something to look up or to say, should its row be no longer in the input."""
        return self.unclear[-1].identifier is not None if self.unclear else self.is_uncertain

    @property
    def is_untold(self) -> bool:
        """Whether no failures line tells of its unclear attempt: a process died, or its disk was full."""
        return bool(self.unclear) and not self.is_uncertain

    @property
    def is_open(self) -> bool:
        """Whether an attempt of it is unclear."""
        return bool(self.unclear)


@dataclass(frozen=True, slots=True)
class Rewriting:
    """A rewriting of the failures file: its size and digest afterwards, and where in the journal that is said."""

    offset: int
    size: int
    digest: str


@dataclass(slots=True)
class Journaled:
    """All that the journal says. `header` is None if there is no journal; `last_run` is where the last run began.

    `may_tell_of_undone`: if not, then undo has deleted nothing.
    """

    header: dict[str, object] | None = None
    histories: dict[str, History] = field(default_factory=dict)
    rewritings: list[Rewriting] = field(default_factory=list)
    has_created: bool = False
    last_run: int = -1
    may_tell_of_undone: bool = False


def undone_identifiers(storage: Storage, path: Path) -> Undone:
    """What undo deleted. Costs one look through the journal; almost always empty."""
    undone: dict[str, dict[str, int]] = {}
    if storage.size(path) is None or not _speaks_of(_UNDONE, storage, path):
        return undone
    for number, (_, line) in enumerate(read_lines(storage, path), 1):
        if _UNDONE in line:
            said = parse_line(line, path, str(number))
            if said.get("type") == "undone":
                lines = said.get("lines")
                if "key" not in said or "identifier" not in said:
                    raise corrupt(path, str(number), "it does not say which document was deleted")
                identifiers = undone.setdefault(str(said["key"]), {})
                identifiers[str(said["identifier"])] = lines if isinstance(lines, int) else ALL_LINES
    return undone


def _speaks_of(text: bytes, storage: Storage, path: Path) -> bool:
    """Whether this text is anywhere in the file; many times faster than line by line."""
    with storage.read(path) as stream:
        tail = b""
        while piece := stream.read(1 << 20):
            if text in piece or text in tail + piece[: len(text)]:
                return True
            tail = piece[-len(text) :]
    return False


def read_journal(
    storage: Storage, path: Path, is_created: Callable[[str], bool], undone: Collection[str] = ()
) -> Journaled:
    """Read the journal. Lines of created keys are passed over unparsed. Raises UsageError for a corrupt line.

    The keys `undone` are not passed over, whether created or not.
    """
    said = Journaled()
    if storage.size(path) is None:
        return said
    offset, is_intent, single = 0, _INTENT.match, JoinedLines(b"specHash").holds
    with storage.read(path) as stream:
        for number, line in enumerate(stream, 1):
            at, offset = offset, offset + len(line)
            found = is_intent(line)  # nearly all lines are intents, nearly all of them of created keys
            if found is not None and number > 1 and single(line):
                key = found[1].decode("utf-8", "replace")
                if "\N{REPLACEMENT CHARACTER}" not in key and key not in undone and is_created(key):
                    continue
            if line[-1:] != b"\n" and not is_object(line):
                break  # a torn tail
            parsed = parse_line(line, path, str(number))
            said.may_tell_of_undone = said.may_tell_of_undone or parsed.get("type") == "undone"
            if number == 1 or "key" not in parsed or (key := str(parsed["key"])) in undone or not is_created(key):
                _take_in(said, parsed, at, path, number)
    return said


def key_of_line(line: bytes) -> str | None:
    """The key at a line's fixed place, many times faster than by parsing; None if it is not there, or has escapes."""
    found = _KEYED.match(line)
    try:
        return None if found is None else found[1].decode()
    except UnicodeDecodeError:
        return None


def _take_in(said: Journaled, line: dict[str, object], offset: int, path: Path, number: int) -> None:
    if number == 1:
        if line.get("type") != "journal":
            raise UsageError(f"{path}:1: this is not a batcher journal. Name other files with --results.")
        said.header = line
        return
    try:
        match line.get("type"):
            case "rewriting":
                said.rewritings.append(Rewriting(offset, int(str(line["size"])), str(line["digest"])))
            case "created":
                said.has_created = True
            case "run":
                said.last_run = offset
            case "intent" | "clear" | "settled" | "failed" | "uncertain" | "mended" | "undone":
                history = said.histories.setdefault(str(line["key"]), History())
                _apply(history, line, offset)
            case _:
                pass  # something that a later version writes
    except (KeyError, ValueError) as error:
        raise UsageError(
            f"{path}:{number}: this journal line lacks something ({error}). Restore the file from a copy, "
            "then run again; nothing was sent."
        ) from None


def _apply(history: History, line: dict[str, object], offset: int) -> None:
    match line["type"]:
        case "intent":
            identifier = line["identifier"]
            sent = Sent(
                None if identifier is None else str(identifier),
                bool(line["filled"]),
                datetime.fromisoformat(str(line["at"])),
                str(line["specHash"]),
                offset,
            )
            history.unclear.append(sent)
            history.undone_hash = None
            if sent.is_filled:
                history.identifier = sent.identifier
        case "clear":  # the last attempt did nothing
            if history.unclear:
                history.unclear.pop()
        case "settled":  # none of the attempts did anything
            history.unclear.clear()
        case "failed":
            history.unclear.clear()
            history.failure, history.is_uncertain = offset, False
        case "uncertain":
            history.failure, history.is_uncertain = offset, True
        case "mended":  # under another key
            history.failure = None
        case _:  # undone
            history.unclear.clear()
            history.identifier, history.failure, history.is_uncertain = None, None, False
            history.undone += 1
            history.undone_hash = str(line.get("specHash") or "")
