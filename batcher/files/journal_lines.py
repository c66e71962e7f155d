"""The journal's lines, one type each: written by `encode`, read back by `parse_journal_line`.

Lines are JSON objects; a line about one row has its `key` first. The bytes are part of the contract: a journal that an
earlier version began is continued, so no field here is ever renamed.

| on disk | type | says |
|---|---|---|
| journal | JournalHeader | the first line: version, base URL (`sandbox` for any sandbox), namespace, how identifiers are made |
| run | RunBegan | a run began: id, time, directory; with `command`, an undo |
| intent | Intent | one attempt is about to leave: identifier, whether it was filled in, hash and body of what is sent |
| clear | Cleared | the key's last attempt certainly did nothing |
| settled | Settled | none of the key's attempts so far did anything |
| failed, uncertain, unfinished | FailureLine | an outcome, with all fields of its failures line |
| steps | StepsDue | a created row's steps are now these: it was edited, or its document found |
| step | StepDone | one step of a created row is done |
| making | Making | a folder or label that rows ask for is about to be made |
| made | PlaceMade | it's there, or certainly isn't |
| mended | Fixed | the row that failed under this key has another key now, since somebody fixed its key |
| undoing | UndoIntent | one DELETE is about to leave: identifier, and what its `undone` will say |
| undone | Undone | undo deleted this document, which so many lines of the results file named, or found it gone |
| undo_kept | UndoKept | this document is still there after all: its DELETE was refused, or a look-up found it |
| created | FirstCreated | this run has written its first results line |
| no_row | Named | a run has told that no row has the document of this key any more |
| same_row | SameRow | the row that has this key now is the one that was created under another |
| rewriting | Rewriting | the failures file is about to be replaced by one of this size and digest |

Intents are kept for good. The lines of undo are in `undo_lines.py`, those about keys in `identity_lines.py`,
about a run and its files in `run_lines.py`, about steps and what they need in `step_lines.py`.
Fields that are not known are skipped; a line of a type that is not known is `Unknown`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, NamedTuple

import orjson

from ..models import ApiVersion, Failed, Uncertain, Unfinished, encode_failure, parse_failure, stamp
from ..placement import NO_PLACEMENT, Placement, StepKind, steps_of
from .identity_lines import Named, SameRow, parse_named, parse_same_row
from .run_lines import FirstCreated, Rewriting, RunBegan, parse_first_created, parse_rewriting, parse_run_began
from .step_lines import Making, PlaceMade, StepDone, StepsDue, parse_placement, placement_fields, step_parsers
from .undo_lines import UndoIntent, UndoKept, Undone, parse_undo_intent, parse_undo_kept, parse_undone

VERSION = 1
USUAL_TIMEOUT_SECONDS = 60.0  # an intent names its request's timeout only if it's another one
CONTENT = "content"
_NOTHING: dict[str, Any] = {}


class JournalHeader(NamedTuple):
    """Which server and namespace this journal is about. `version` is what the file names, None if it names none.

    `identifiers`: what those that batcher fills in are made of besides, `CONTENT`; None in earlier versions' journals.
    """

    base_url: str
    namespace: str
    version: object = VERSION
    identifiers: object = CONTENT

    def encode(self) -> bytes:
        """The journal's first line."""
        line = {"type": "journal", "version": self.version, "baseUrl": self.base_url, "namespace": self.namespace}
        return _encoded(line if self.identifiers is None else line | {"identifiers": self.identifiers})


RUN_BEGINS = b'{"type":"run",'  # how the line of a `RunBegan` begins


class Intent(NamedTuple):
    """One attempt that is about to leave. `body` is the spec that is sent; `at` is UTC.

    After `timeout_seconds` at the latest nobody waits for its answer. `api`: the version that makes its own body of the spec,
    named only if it isn't v1, whose body is the spec.
    """

    key: str
    identifier: str | None
    is_filled: bool
    attempt: int
    at: datetime
    run: str
    source: str
    line: int
    spec_hash: str
    body: bytes
    is_resend: bool = False
    timeout_seconds: float = USUAL_TIMEOUT_SECONDS
    placement: Placement = NO_PLACEMENT
    api: ApiVersion = ApiVersion.V1

    @property
    def steps(self) -> tuple[StepKind, ...]:
        """What follows if this attempt creates the document."""
        return steps_of(self.placement, goes_with_create=self.api is ApiVersion.V2)

    def encode(self) -> bytes:
        """The line. Folder and labels come first, so that whoever reads a million lines sees at once which have them."""
        line: dict[str, Any] = {
            "key": self.key,
            "type": "intent",
            **(_NOTHING if self.placement == NO_PLACEMENT else placement_fields(self.placement)),
            "identifier": self.identifier,
            "filled": self.is_filled,
            "attempt": self.attempt,
            "at": stamp(self.at),
            "run": self.run,
            "source": self.source,
            "line": self.line,
            "specHash": self.spec_hash,
            "body": orjson.Fragment(self.body),
        }
        if self.is_resend:
            line["resend"] = True
        if self.timeout_seconds != USUAL_TIMEOUT_SECONDS:
            line["timeout"] = self.timeout_seconds
        if self.api is not ApiVersion.V1:
            line["api"] = self.api
        return _encoded(line)


@dataclass(frozen=True, slots=True)
class _KeyOnly:
    key: str
    kind: ClassVar[str]

    def encode(self) -> bytes:
        """The line."""
        return _encoded({"key": self.key, "type": self.kind})


class Cleared(_KeyOnly):
    """The key's last attempt certainly did nothing."""

    kind = "clear"


class Settled(_KeyOnly):
    """None of the key's attempts so far did anything."""

    kind = "settled"


class Fixed(_KeyOnly):
    """The row that failed under this key has another key now."""

    kind = "mended"  # the word of earlier versions, whose journals are continued


@dataclass(frozen=True, slots=True)
class FailureLine:
    """A row ended without a document that we know of, or without all of its steps."""

    outcome: Failed | Uncertain | Unfinished

    @property
    def key(self) -> str:
        """The row's key."""
        return self.outcome.key

    def encode(self) -> bytes:
        """The line: the failures file's fields, and the type behind the key."""
        fields = encode_failure(self.outcome)
        return _encoded({"key": self.key, "type": fields["outcome"]} | fields)


class Unknown(NamedTuple):
    """A line of a type that a later version writes."""


KeyLine = Intent | Cleared | Settled | FailureLine | Fixed | Undone
StepLine = StepsDue | StepDone | Making | PlaceMade
JournalLine = (
    JournalHeader | RunBegan | KeyLine | StepLine | UndoIntent | UndoKept | SameRow | Named | FirstCreated | Rewriting
)


def parse_journal_line(text: bytes) -> JournalLine | Unknown:
    """Read a line back. Raises ValueError saying what is wrong with it."""
    line = orjson.loads(text)
    if not isinstance(line, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - what is wrong is the file, not the caller's argument
    kind = line.get("type")
    parse = _PARSERS.get(kind) if isinstance(kind, str) else None
    if parse is None:
        return Unknown()
    try:
        return parse(line)
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None


def _failure(line: Mapping[str, Any]) -> FailureLine:
    orjson.dumps(line)  # it's written into the failures file; a TypeError here says that it can't be
    return FailureLine(parse_failure(line))


def _intent(line: Mapping[str, Any]) -> Intent:
    identifier, at = line["identifier"], datetime.fromisoformat(line["at"])
    if at.tzinfo is None:
        raise ValueError("its time names no zone")
    return Intent(
        str(line["key"]),
        None if identifier is None else str(identifier),
        bool(line["filled"]),
        int(line.get("attempt") or 0),
        at,
        str(line.get("run") or ""),
        str(line.get("source") or ""),
        int(line.get("line") or 0),
        str(line["specHash"]),
        orjson.dumps(line["body"]),
        bool(line.get("resend")),
        float(line.get("timeout", USUAL_TIMEOUT_SECONDS)),
        parse_placement(line),
        ApiVersion(line.get("api", ApiVersion.V1)),
    )


_PARSERS: dict[str, Callable[[Mapping[str, Any]], JournalLine]] = {
    "journal": lambda line: JournalHeader(
        str(line.get("baseUrl")), str(line.get("namespace")), line.get("version"), line.get("identifiers")
    ),
    "run": parse_run_began,
    "intent": _intent,
    "clear": lambda line: Cleared(str(line["key"])),
    "settled": lambda line: Settled(str(line["key"])),
    "failed": _failure,
    "uncertain": _failure,
    "unfinished": _failure,
    "mended": lambda line: Fixed(str(line["key"])),
    "undoing": parse_undo_intent,
    "undone": parse_undone,
    "undo_kept": parse_undo_kept,
    "same_row": parse_same_row,
    "no_row": parse_named,
    "created": parse_first_created,
    "rewriting": parse_rewriting,
    **step_parsers,
}


def _encoded(line: dict[str, Any]) -> bytes:
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
