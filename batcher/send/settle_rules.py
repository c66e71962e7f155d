"""What a look at the server says about a row whose fate is in doubt: the decision table of contract 7.

Pure: nothing is asked, written or waited for here. `reconcile.py` makes the looks and carries the decisions out.

| doubt | there | absent | unknown |
|---|---|---|---|
| an attempt is unclear | ours: reconciled · another's: taken or uncertain | send again | uncertain |
| … and the last was refused | as above | old: refused · may lag: ask again · else uncertain | uncertain |
| refused as taken, nothing unclear | reads the same: adopted · else taken | refused | refused |
| a person names the document | reads the same: adopted · else uncertain | uncertain | uncertain |
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import assert_never

from ..omni.verdicts import Absent, Refused, There, Unknown
from ..reasons import HINTS, TRASH, UNCERTAIN_UNNAMED, UNREADABLE

LAG_SECONDS = 30.0  # how long a refusal is held against a GET that says 404
SETTLED_SECONDS = 600.0  # a GET 404 this long after an unclear attempt proves that it did nothing
MAY_LAG = (400, 409, 422)  # refusals that an earlier attempt's document may have caused
ANOTHERS = "another document with different content has it"
STILL_UNCLEAR = "the attempt without an identifier is still unclear"


@dataclass(frozen=True, slots=True)
class Attempt:
    """An unclear attempt. `is_same`: the document that is there reads as what this attempt sent."""

    identifier: str | None
    is_filled: bool
    is_same: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """What is known when a look at `identifier` has come back. None as `look`: the run must stop.

    `unclear` is oldest first, and `age_seconds` the time since its last one ended; `is_filled`: batcher chose the identifier;
    `is_same`: the document reads as the row does now; `refused`: the last attempt was, and `lag_left_seconds` is how much
    longer that may be the lag of reads.
    """

    identifier: str
    look: There | Absent | Unknown | None
    unclear: tuple[Attempt, ...] = ()
    age_seconds: float = 0.0
    is_filled: bool = True
    is_same: bool = False
    adopts_existing: bool = False
    resends_uncertain: bool = False
    refused: Refused | None = None
    lag_left_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Created: the document is the row's, made by the unclear attempt of this number."""

    attempt: int
    there: There


@dataclass(frozen=True, slots=True)
class Adopted:
    """Created: it reads the same, and nobody knows who made it."""

    there: There


@dataclass(frozen=True, slots=True)
class Taken:
    """Failed: another document has the identifier."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class NotCreated:
    """Failed, as the last attempt was refused and nothing is unclear. None as `hint`: the reason's own."""

    refused: Refused
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class SendAgain:
    """Nothing is there. So many of the last attempts certainly did nothing."""

    disproved: int = 0


@dataclass(frozen=True, slots=True)
class AskAgain:
    """The server's reads may lag behind its writes."""

    disproved: int = 0


@dataclass(frozen=True, slots=True)
class StillUncertain:
    """Nobody can tell yet. None as `message` or `hint`: those of the last trouble.

    `is_of_unnamed`: what stays unclear is the attempt without an identifier, not one at the identifier looked at.
    """

    message: str | None = None
    hint: str | None = None
    is_of_unnamed: bool = False
    disproved: int = 0


Decision = Reconciled | Adopted | Taken | NotCreated | SendAgain | AskAgain | StillUncertain


def decide(case: Case) -> Decision:
    """What this look means for the row."""
    match case.look:
        case There() as there:
            return _of_document_there(case, there)
        case Absent():
            return _of_no_document(case)
        case Unknown() | None:
            return StillUncertain() if case.refused is None or case.unclear else NotCreated(case.refused)
        case _:
            assert_never(case.look)


def _of_document_there(case: Case, there: There) -> Decision:
    here = [number for number, attempt in enumerate(case.unclear) if attempt.identifier == case.identifier]
    if not here:  # no unclear attempt says anything about this document: ours at most by what it holds
        if _may_adopt(case):
            return Adopted(there)
        if case.refused is None or case.unclear:
            return StillUncertain()
        return Taken(case.refused.status, case.refused.message)
    if case.unclear[here[-1]].is_filled:  # nobody else would have chosen this identifier: existence is proof
        return Reconciled(here[-1], there)
    if there.document is None:
        message = f"a document {case.identifier!r} exists but cannot be read ({there.status})"
        return StillUncertain(message, UNREADABLE)
    same = [number for number in here if case.unclear[number].is_same]
    if same:
        return Reconciled(same[-1], there)
    if len(here) == len(case.unclear):
        return Taken(there.status, ANOTHERS)
    message = f"{case.identifier}: {ANOTHERS}; an earlier attempt without an identifier is still unclear"
    return StillUncertain(message, is_of_unnamed=True, disproved=len(here))


def _may_adopt(case: Case) -> bool:
    is_same = case.is_same or any(attempt.is_same for attempt in case.unclear)
    return is_same and (case.is_filled or case.adopts_existing)


def _of_no_document(case: Case) -> Decision:
    refused = case.refused
    if not case.unclear and refused is not None:
        return NotCreated(refused, HINTS[refused.reason] + TRASH)
    disproved = _disproved(case)
    left = case.unclear[: len(case.unclear) - disproved]
    if refused is not None:
        if disproved and not left:
            return NotCreated(refused)
        if refused.status in MAY_LAG and case.lag_left_seconds > 0:
            return AskAgain(disproved)
        return StillUncertain(disproved=disproved)
    if case.resends_uncertain or all(attempt.identifier is not None for attempt in left):
        return SendAgain(disproved)
    # sent with --resend-uncertain before, and that came to nothing: the attempt before it is as unclear as ever
    message = f"there is no document {case.identifier!r} (yet); {STILL_UNCLEAR}"
    is_of_unnamed = left[-1].identifier is None
    return StillUncertain(message, UNCERTAIN_UNNAMED, is_of_unnamed=is_of_unnamed, disproved=disproved)


def _disproved(case: Case) -> int:
    """How many of the last attempts a 404 disproves: those at this identifier, if they were long ago."""
    if case.age_seconds <= SETTLED_SECONDS:
        return 0
    return sum(1 for _ in takewhile(lambda attempt: attempt.identifier == case.identifier, reversed(case.unclear)))


def decide_by_hand(
    identifier: str, look: There | Absent | Unknown | None, unclear: tuple[Attempt, ...]
) -> Adopted | StillUncertain:
    """What a look means at the document that a person named, with --adopt-existing, for attempts without an identifier."""
    if isinstance(look, There) and look.document is not None:
        if any(attempt.is_same for attempt in unclear):
            return Adopted(look)
        message = f"the document {identifier!r} is not what this row sent"
    else:
        message = f"no readable document {identifier!r} was found"
    return StillUncertain(f"{message}; {STILL_UNCLEAR}", is_of_unnamed=True)
