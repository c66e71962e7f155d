"""What the journal says about rows that have no document: read once, when a run begins.

Only keys without a created document are kept in memory, so that a run over a million created rows stays small.
An attempt is *unclear* until a later line says otherwise; a process that died in between says nothing, so its last
intent is unclear too.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UsageError
from ..models import Unfinished
from .disk import Storage
from .due_steps import DueSteps, StepsLeft
from .identity_lines import Named, SameRow
from .journal_lines import FailureLine, Intent, JournalHeader, JournalLine, Unknown, parse_journal_line
from .key_history import NO_HISTORY, KeyHistory
from .lines import JoinedLines, is_object, read_lines
from .run_lines import FirstCreated, Rewriting, RunBegan
from .step_lines import Making, PlaceMade, StepDone, StepsDue
from .trouble import corrupt, on_disk
from .undo_lines import UndoIntent, UndoKept, Undone

_INTENT = re.compile(rb'\{"key":"([^"\\]+)","type":"intent",')  # how an intent begins whose key needs no escape
_PLACED = (b'"folder":', b'"labels":')  # what follows there if it asks for steps
_ABOUT_ROWS = (b'"intent"', b'"failed"', b'"uncertain"', b'"run"')  # what has none of these need not be parsed

# By key and identifier: how many lines of the results file named that document when undo deleted it.
UndoneDocuments = Mapping[str, Mapping[str, int]]
Reported = Mapping[str, KeyHistory | DueSteps]  # what may have a failures line, by key
OpenUndos = Mapping[tuple[str, str], UndoIntent]  # by key and identifier: a DELETE may have left, and nobody knows more


@dataclass(frozen=True, slots=True)
class Announced:
    """A rewriting of the failures file, announced in the journal at this offset; `size` and `digest` are afterwards'."""

    offset: int
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Journaled:
    """All that the journal says. `header` is None if there is no journal.

    `same_rows`: a row's key in the inputs → its key here. `named`: keys of documents that were told to have no row.
    `runs`: the ids of all runs. `steps`: what created rows lack.
    """

    header: JournalHeader | None = None
    histories: dict[str, KeyHistory] = field(default_factory=dict)
    undone: UndoneDocuments = field(default_factory=dict)
    open_undos: OpenUndos = field(default_factory=dict)
    rewritings: tuple[Announced, ...] = ()
    same_rows: dict[str, str] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    runs: set[str] = field(default_factory=set)
    has_created: bool = False
    steps: StepsLeft = field(default_factory=StepsLeft)

    @property
    def reported(self) -> Reported:
        """Whatever may have a failures line, by key."""
        return ChainMap[str, KeyHistory | DueSteps](dict(self.histories), dict(self.steps.due))


def read_journal(storage: Storage, path: Path, is_created: Callable[[str], bool]) -> Journaled:
    """Read the journal. Of created keys only what undo deleted is kept. Raises UsageError for a corrupt line."""
    reading = _Reading()
    if storage.size(path) is None:
        return reading.journaled()
    lost = 0  # the first line with NULs, if there is one
    offset, is_intent, is_single = 0, _INTENT.match, JoinedLines(b"specHash").holds
    with storage.read(path) as stream:
        for number, text in enumerate(stream, 1):
            start, offset = offset, offset + len(text)
            match = is_intent(text)  # nearly all lines are intents, nearly all of them of created keys
            if match is not None and number > 1 and is_single(text):
                key = match[1].decode("utf-8", "replace")
                is_placed = text.startswith(_PLACED, match.end())
                if not is_placed and "\N{REPLACEMENT CHARACTER}" not in key and is_created(key):
                    reading.steps.due.pop(key, None)  # what an earlier attempt asked for isn't asked for any more
                    continue
            if text[-1:] != b"\n" and not is_object(text):
                break  # a torn tail
            if b"\0" in text and number > 1:
                lost = lost or number
                continue
            line = read_line(text, path, str(number))
            if lost and isinstance(line, RunBegan):  # at whose beginning the disk had it all: no power cut did this
                raise corrupt(path, str(lost), "it holds NULs")
            if number == 1 and not isinstance(line, JournalHeader):
                raise UsageError(f"{path}:1: this is not a batcher journal. Name other files with --results.")
            reading.take(line, start, is_created)
    return reading.journaled()


@dataclass(slots=True)
class _Reading:
    """What the lines so far amount to."""

    header: JournalHeader | None = None
    histories: dict[str, KeyHistory] = field(default_factory=dict)
    undone: dict[str, dict[str, int]] = field(default_factory=dict)
    open_undos: dict[tuple[str, str], UndoIntent] = field(default_factory=dict)
    rewritings: list[Announced] = field(default_factory=list)
    same_rows: dict[str, str] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    runs: set[str] = field(default_factory=set)
    has_created: bool = False
    steps: StepsLeft = field(default_factory=StepsLeft)

    def take(self, line: JournalLine | Unknown, offset: int, is_created: Callable[[str], bool]) -> None:
        """The next line, which begins at `offset`."""
        match line:
            case JournalHeader():
                self.header = self.header or line
            case Rewriting():
                self.rewritings.append(Announced(offset, line.size, line.digest))
            case FirstCreated():
                self.has_created = True
            case SameRow():
                self.same_rows[line.key] = line.of
            case Named():
                self.named.add(line.key)
            case RunBegan():
                self.runs.add(line.run)
            case Unknown():
                pass
            case UndoIntent():
                self.open_undos[line.key, line.identifier] = line
            case UndoKept():
                self.open_undos.pop((line.key, line.identifier), None)
            case StepsDue() | StepDone() | Making() | PlaceMade() | FailureLine(Unfinished()):
                self.steps.take(line, offset, is_created)
            case _:
                if isinstance(line, Undone):
                    self.undone.setdefault(line.key, {})[line.identifier] = line.lines
                    self.open_undos.pop((line.key, line.identifier), None)
                    self.steps.forget(line.key)
                if is_created(line.key):
                    if isinstance(line, Intent):
                        self.steps.intended(line)
                else:
                    self.histories[line.key] = self.histories.get(line.key, NO_HISTORY).after(line, offset)

    def journaled(self) -> Journaled:
        """The value."""
        return Journaled(
            self.header,
            self.histories,
            self.undone,
            self.open_undos,
            tuple(self.rewritings),
            self.same_rows,
            self.named,
            self.runs,
            self.has_created,
            self.steps,
        )


def lines_about_rows(
    storage: Storage, path: Path, is_passed_over: Callable[[str], bool]
) -> Iterator[tuple[Intent | FailureLine | RunBegan, int]]:
    """The journal's intents and failures, but for keys that are passed over, and its runs' beginnings; with offsets (bytes).

    Raises UsageError for a corrupt line.
    """
    if storage.size(path) is None:
        return
    for offset, text in read_lines(storage, path):
        match = _INTENT.match(text)
        if match is not None and is_passed_over(match[1].decode("utf-8", "replace")):
            continue
        if match is None and not any(word in text for word in _ABOUT_ROWS):
            continue
        line = read_line(text, path, f"offset {offset}")
        if isinstance(line, FailureLine) and isinstance(line.outcome, Unfinished):
            continue  # of a row that is created
        if isinstance(line, RunBegan) or (isinstance(line, Intent | FailureLine) and not is_passed_over(line.key)):
            yield line, offset


def read_line(text: bytes, path: Path, number_or_offset: str) -> JournalLine | Unknown:
    """One line of the journal. Raises UsageError naming file and place: a corrupt line is never guessed at."""
    try:
        return parse_journal_line(text)
    except ValueError as error:
        raise corrupt(path, number_or_offset, str(error)) from None


def intent_at(storage: Storage, path: Path, offset: int) -> Intent:
    """The intent that the journal holds at this offset (bytes). Raises UsageError if somebody broke that line."""
    with on_disk(path, "read"), storage.read(path) as stream:
        stream.seek(offset)
        line = read_line(stream.readline(), path, f"offset {offset}")
    if not isinstance(line, Intent):
        raise corrupt(path, f"offset {offset}", "not an intent")
    return line
