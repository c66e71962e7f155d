"""The nouns: what a row is on its way to an outcome. Values only; nothing here reads, sends or writes.

What every row becomes on its way is a named tuple: a frozen dataclass takes ten times as long to make, and making them
was an eighth of a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar, assert_never

from .placement import NO_PLACEMENT, Placement, StepKind
from .reasons import Reason

F = TypeVar("F", "Failed", "Uncertain", "Unfinished")


class ApiVersion(StrEnum):
    """A version of the documents API."""

    V1 = "v1"
    V2 = "v2"

    @property
    def other(self) -> ApiVersion:
        """The one that isn't this."""
        return ApiVersion.V2 if self is ApiVersion.V1 else ApiVersion.V1


class How(StrEnum):
    """How a created document came to be known as this row's (contract 6 and 7)."""

    CREATED = "created"
    RECONCILED = "reconciled"
    ADOPTED = "adopted"
    BEFORE = "before"  # by an earlier run; in no file, only told to programs that ask for it


class Row(NamedTuple):
    """One raw row of an input, as read.

    `fields` is keyed by the API's field name (`modelId`; an unknown one by its own spelling) in input order.
    With `cells` the values are the texts of a spreadsheet's cells and `columns` holds the header as it was written,
    one name for each entry of `fields`. A row too broken to have fields has `fault` (what is wrong) and `text`.
    `line` is 1-based: the line where the row begins (in a workbook: the sheet's row). `is_fed_back`: a failures line
    (or one of a sheet, `is_sheet`, that has its key),
    and `is_uncertain` what it says. `refused_as` is the key that a row was given which was refused for its own: that one
    is in `fields`, fixed or not.
    """

    source: str
    line: int
    fields: dict[str, object]
    cells: bool = False
    columns: tuple[str, ...] = ()
    text: str | None = None
    fault: str | None = None
    is_fed_back: bool = False
    is_sheet: bool = False
    is_uncertain: bool = False
    refused_as: str | None = None

    @property
    def place(self) -> str:
        """`dashboards.csv:17`, for messages."""
        return f"{self.source}:{self.line}"


UNKNOWN = "unknown field"  # a problem's cause


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with one row: where, which field, the value met, and what is allowed.

    `cause` is the same for all problems of a field that have one cause; empty where the message is as good.
    """

    source: str
    line: int
    field: str
    message: str
    cause: str = ""

    def __str__(self) -> str:
        where = f"{self.source}:{self.line}: "
        return f"{where}{self.field}: {self.message}" if self.field else f"{where}{self.message}"


class Spec(NamedTuple):
    """A validated row. `body` is the JSON object to POST (UTF-8, compact); it holds an identifier only if the user gave one.

    `spec_hash` is `identity.spec_hash` of the body, and of the `placement` if there is one. `record` is the row as read, or
    the text of the JSON object that it is.
    """

    key: str
    source: str
    line: int
    name: str
    model_id: str
    identifier: str | None
    body: bytes
    spec_hash: str
    record: Row | bytes
    placement: Placement = NO_PLACEMENT

    @property
    def row(self) -> Row:
        """The row as read. Hardly any is asked for: one that fails is."""
        if isinstance(self.record, Row):
            return self.record
        import orjson  # noqa: PLC0415 - only for a row that fails; `--help` needs none of it

        return Row(self.source, self.line, orjson.loads(self.record))

    @property
    def place(self) -> str:
        """`dashboards.csv:17`, for messages."""
        return f"{self.source}:{self.line}"


class Created(NamedTuple):
    """The row's document exists. `response` is the create's answer as JSON text, `b"null"` when it was never read.

    `elapsed_ms` is the last request's time; `at` is UTC, ISO 8601 with milliseconds; `attempts` counts POSTs of this run.
    """

    key: str
    source: str
    line: int
    how: How
    spec_hash: str
    identifier: str
    name: str
    model_id: str
    url: str
    dashboard_id: str | None
    workbook_id: str | None
    attempts: int
    status: int | None
    elapsed_ms: int
    at: str
    run: str
    response: bytes = b"null"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """A line of the failures file. `spec` is the row as read: an object, or its text if it was too broken for that.

    `attempts` counts POSTs of this run; `at` is UTC, ISO 8601 with milliseconds; `message` is the API's own words.
    """

    key: str
    source: str
    line: int
    reason: Reason
    status: int | None
    message: str
    hint: str
    attempts: int
    identifier: str | None
    at: str
    run: str
    spec: dict[str, object] | str = field(repr=False)

    def become(self, kind: type[F], **changes: Any) -> F:
        """The same facts as an outcome of another kind."""
        return kind(**{each.name: getattr(self, each.name) for each in fields(self)} | changes)


class Failed(_Failure):
    """The row has no document: no attempt of it is unclear."""

    __slots__ = ()


class Uncertain(_Failure):
    """Nobody knows yet whether the row's document exists: an attempt of it is unclear."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished(_Failure):
    """The row's document exists, its `Created` came before, but this `step` is missing, and perhaps later ones."""

    step: StepKind


Failure = Failed | Uncertain | Unfinished  # what has a line in the failures file
Outcome = Created | Failure


def word_of(outcome: Failure) -> str:
    """What a failures line calls it."""
    match outcome:
        case Failed():
            return "failed"
        case Uncertain():
            return "uncertain"
        case Unfinished():
            return "unfinished"
        case _:
            assert_never(outcome)


def encode_failure(outcome: Failure) -> dict[str, Any]:
    """The JSON object of a failures line (contract 6), its fields in the contract's order."""
    return {
        "key": outcome.key,
        "source": outcome.source,
        "line": outcome.line,
        "outcome": word_of(outcome),
        **({"step": outcome.step} if isinstance(outcome, Unfinished) else {}),
        "reason": outcome.reason,
        "status": outcome.status,
        "message": outcome.message,
        "hint": outcome.hint,
        "attempts": outcome.attempts,
        "identifier": outcome.identifier,
        "at": outcome.at,
        "run": outcome.run,
        "spec": outcome.spec,
    }


def parse_failure(line: Mapping[str, Any]) -> Failure:
    """`encode_failure`, undone. Raises KeyError for a field that is missing, ValueError for a word that is unknown."""
    kind: type[Failure] = _KINDS[line["outcome"]]
    read: dict[str, Any] = {"key": str(line["key"]), "reason": Reason(line["reason"])}
    if kind is Unfinished:
        read["step"] = StepKind(line["step"])
    return kind(**{each.name: line[each.name] for each in fields(kind)} | read)


_KINDS: dict[str, type[Failure]] = {"failed": Failed, "uncertain": Uncertain, "unfinished": Unfinished}


def stamp(now: datetime) -> str:
    """UTC, ISO 8601 with milliseconds (cut, not rounded): 2026-11-23T22:16:04.123+00:00."""
    utc = now if now.tzinfo is UTC else now.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds")
