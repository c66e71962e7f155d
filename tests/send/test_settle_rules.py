"""The decision table of contract 7, row by row, and the laws that hold for every case of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.omni.verdicts import Absent, Document, Refused, There, Unknown
from batcher.reasons import HINTS, TRASH, UNCERTAIN_UNNAMED, UNREADABLE, Reason
from batcher.send.settle_rules import (
    ANOTHERS,
    MAY_LAG,
    SETTLED_SECONDS,
    STILL_UNCLEAR,
    Adopted,
    AskAgain,
    Attempt,
    Case,
    Decision,
    NotCreated,
    Reconciled,
    SendAgain,
    StillUncertain,
    Taken,
    decide,
    decide_by_hand,
)

READABLE = There(200, Document({"name": "a"}))
HIDDEN = There(403, None)
UNKNOWN = Unknown(Reason.SERVER_ERROR, 500, "boom")
OLD = SETTLED_SECONDS + 1
FILLED = Attempt("x", is_filled=True)
OWN = Attempt("x", is_filled=False)
OWN_SAME = Attempt("x", is_filled=False, is_same=True)
UNNAMED = Attempt(None, is_filled=False)
UNNAMED_SAME = Attempt(None, is_filled=False, is_same=True)
REJECTED = Refused(Reason.REJECTED, 400, "Identifier already exists", may_be_taken=True)
CONFLICT = Refused(Reason.REJECTED, 409, "taken", may_be_taken=True)
TOO_LARGE = Refused(Reason.REJECTED, 413, "too large")


def settle(look: There | Absent | Unknown | None, *unclear: Attempt, age: float = 1.0, resends: bool = False) -> Case:
    """Before anything is sent again: what did these attempts do?"""
    return Case("x", look, unclear, age_seconds=age, is_filled=unclear[-1].is_filled, resends_uncertain=resends)


def refuse(
    refused: Refused, look: There | Absent | Unknown | None, *unclear: Attempt, age: float = 1.0, left: float = 30.0
) -> Case:
    """The last attempt was refused, while these are unclear."""
    return Case("x", look, unclear, age_seconds=age, is_filled=False, refused=refused, lag_left_seconds=left)


def take(
    look: There | Absent | Unknown | None, *, filled: bool = True, same: bool = False, adopts: bool = False
) -> Case:
    """Refused as taken, and nothing is unclear."""
    return Case("x", look, is_filled=filled, is_same=same, adopts_existing=adopts, refused=REJECTED)


TABLE: dict[str, tuple[Case, Decision]] = {
    # unclear, with an identifier that batcher filled in: existence is proof
    "filled in, readable": (settle(READABLE, FILLED), Reconciled(0, READABLE)),
    "filled in, not readable": (settle(HIDDEN, FILLED), Reconciled(0, HIDDEN)),
    "filled in, the last of several": (settle(READABLE, FILLED, FILLED), Reconciled(1, READABLE)),
    "filled in after one without": (settle(READABLE, UNNAMED, FILLED), Reconciled(1, READABLE)),
    # unclear, with the user's own identifier: what's readable must equal what was sent
    "own, reads the same": (settle(READABLE, OWN_SAME), Reconciled(0, READABLE)),
    "own, an earlier attempt's content": (settle(READABLE, OWN_SAME, OWN), Reconciled(0, READABLE)),
    "own, other content": (settle(READABLE, OWN), Taken(200, ANOTHERS)),
    "own, not readable": (
        settle(HIDDEN, OWN),
        StillUncertain("a document 'x' exists but cannot be read (403)", UNREADABLE),
    ),
    "own, other content, one without before": (
        settle(READABLE, UNNAMED, OWN, OWN),
        StillUncertain(
            f"x: {ANOTHERS}; an earlier attempt without an identifier is still unclear", is_of_unnamed=True, disproved=2
        ),
    ),
    # unclear and absent: sent again, and long after it's proof
    "absent": (settle(Absent(), FILLED), SendAgain()),
    "absent, at the bound of what is old": (settle(Absent(), FILLED, age=SETTLED_SECONDS), SendAgain()),
    "absent for long": (settle(Absent(), FILLED, FILLED, age=OLD), SendAgain(disproved=2)),
    "absent, one without before, resent": (settle(Absent(), UNNAMED, FILLED, resends=True), SendAgain()),
    "absent for long, one without before, resent": (
        settle(Absent(), UNNAMED, FILLED, age=OLD, resends=True),
        SendAgain(disproved=1),
    ),
    "absent, one without before": (
        settle(Absent(), UNNAMED, FILLED),
        StillUncertain(f"there is no document 'x' (yet); {STILL_UNCLEAR}", UNCERTAIN_UNNAMED),
    ),
    "absent for long, one without before": (
        settle(Absent(), UNNAMED, FILLED, age=OLD),
        StillUncertain(
            f"there is no document 'x' (yet); {STILL_UNCLEAR}", UNCERTAIN_UNNAMED, is_of_unnamed=True, disproved=1
        ),
    ),
    "unclear, and the server doesn't tell": (settle(UNKNOWN, FILLED), StillUncertain()),
    "unclear, and the run must stop": (settle(None, FILLED), StillUncertain()),
    # refused after an unclear attempt: perhaps because that one made it
    "refused, since the attempt before made it": (refuse(REJECTED, READABLE, FILLED), Reconciled(0, READABLE)),
    "refused, another's document": (refuse(REJECTED, READABLE, OWN), Taken(200, ANOTHERS)),
    "refused, reads may lag": (refuse(REJECTED, Absent(), FILLED), AskAgain()),
    "conflict, reads may lag": (refuse(CONFLICT, Absent(), FILLED, left=0.1), AskAgain()),
    "refused, no longer lag": (refuse(REJECTED, Absent(), FILLED, left=0.0), StillUncertain()),
    "refused for what no lag explains": (refuse(TOO_LARGE, Absent(), FILLED), StillUncertain()),
    "refused, absent for long": (refuse(REJECTED, Absent(), FILLED, age=OLD), NotCreated(REJECTED)),
    "refused, absent for long, one without before": (
        refuse(REJECTED, Absent(), UNNAMED, FILLED, age=OLD),
        AskAgain(disproved=1),
    ),
    "refused, and the server doesn't tell": (refuse(REJECTED, UNKNOWN, FILLED), StillUncertain()),
    "refused, and the run must stop": (refuse(REJECTED, None, FILLED), StillUncertain()),
    # resent without knowing, refused as taken: the attempt without an identifier is another document
    "resent, taken by another's": (refuse(REJECTED, READABLE, UNNAMED), StillUncertain()),
    "resent, filled in, taken by the same": (
        Case("x", READABLE, (UNNAMED_SAME,), is_filled=True, refused=REJECTED),
        Adopted(READABLE),
    ),
    "resent, own, taken by the same": (refuse(REJECTED, READABLE, UNNAMED_SAME), StillUncertain()),
    # refused as taken, nothing unclear: nobody knows that it's ours
    "taken, filled in, reads the same": (take(READABLE, same=True), Adopted(READABLE)),
    "taken, filled in, other content": (take(READABLE), Taken(400, REJECTED.message)),
    "taken, filled in, not readable": (take(HIDDEN), Taken(400, REJECTED.message)),
    "taken, own, reads the same": (take(READABLE, filled=False, same=True), Taken(400, REJECTED.message)),
    "taken, own, reads the same, adopted": (
        take(READABLE, filled=False, same=True, adopts=True),
        Adopted(READABLE),
    ),
    "taken, own, other content, adopted": (take(READABLE, filled=False, adopts=True), Taken(400, REJECTED.message)),
    "refused, absent: Trash may hold it": (take(Absent()), NotCreated(REJECTED, HINTS[Reason.REJECTED] + TRASH)),
    "refused as taken, the server doesn't tell": (take(UNKNOWN), NotCreated(REJECTED)),
    "refused as taken, the run must stop": (take(None), NotCreated(REJECTED)),
}
BY_HAND: dict[str, tuple[There | Absent | Unknown | None, tuple[Attempt, ...], Decision]] = {
    "reads the same": (READABLE, (UNNAMED_SAME,), Adopted(READABLE)),
    "any attempt's content": (READABLE, (UNNAMED_SAME, UNNAMED), Adopted(READABLE)),
    "other content": (
        READABLE,
        (UNNAMED,),
        StillUncertain(f"the document 'x' is not what this row sent; {STILL_UNCLEAR}", is_of_unnamed=True),
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_the_table(name: str) -> None:
    """Each row of contract 7."""
    case, decision = TABLE[name]
    assert decide(case) == decision


@pytest.mark.parametrize("name", BY_HAND)
def test_a_document_named_by_hand(name: str) -> None:
    """A person says which document it is of a row that was sent without an identifier."""
    look, unclear, decision = BY_HAND[name]
    assert decide_by_hand("x", look, unclear) == decision


@pytest.mark.parametrize("look", [HIDDEN, Absent(), UNKNOWN, None])
def test_a_document_named_by_hand_that_cannot_be_read(look: There | Absent | Unknown | None) -> None:
    """It proves nothing, whatever was sent."""
    still = StillUncertain(f"no readable document 'x' was found; {STILL_UNCLEAR}", is_of_unnamed=True)
    assert decide_by_hand("x", look, (UNNAMED,)) == still


_LOOKS = st.sampled_from([READABLE, HIDDEN, Absent(), UNKNOWN, None])
_NAMED = st.builds(Attempt, st.sampled_from(["x"]), st.booleans(), st.booleans())
_UNNAMED = st.builds(Attempt, st.none(), st.just(value=False), st.booleans())
# a row is sent without an identifier first, if ever: while an attempt is unclear it keeps that one's
_UNCLEAR = st.tuples(st.lists(_UNNAMED, max_size=2), st.lists(_NAMED, max_size=2)).map(
    lambda both: (*both[0], *both[1])
)
_REFUSED = st.none() | st.sampled_from([REJECTED, CONFLICT, TOO_LARGE])

_CASES = st.builds(
    Case,
    identifier=st.just("x"),
    look=_LOOKS,
    unclear=_UNCLEAR,
    age_seconds=st.sampled_from([0.0, SETTLED_SECONDS, OLD]),
    is_filled=st.booleans(),
    is_same=st.booleans(),
    adopts_existing=st.booleans(),
    resends_uncertain=st.booleans(),
    refused=_REFUSED,
    lag_left_seconds=st.sampled_from([0.0, 30.0]),
).filter(lambda case: bool(case.unclear or case.refused))


@given(_CASES)
def test_what_no_case_may_lead_to(case: Case) -> None:
    """Never sent again or failed while it may exist; never ours without an attempt of ours or the same content."""
    decision = decide(case)
    match decision:
        case Reconciled(attempt, there):
            assert there is case.look
            assert case.unclear[attempt].identifier == case.identifier
            assert case.unclear[attempt].is_filled or case.unclear[attempt].is_same or case.unclear[-1].is_filled
        case Adopted(there):
            assert there is case.look
            assert case.is_same or any(attempt.is_same for attempt in case.unclear)
            assert case.is_filled or case.adopts_existing
        case Taken():
            assert isinstance(case.look, There)
            assert all(attempt.identifier == case.identifier for attempt in case.unclear)
        case NotCreated(refused):
            assert refused is case.refused
            assert not case.unclear or (isinstance(case.look, Absent) and case.age_seconds > SETTLED_SECONDS)
        case SendAgain(disproved) | AskAgain(disproved):
            assert isinstance(case.look, Absent)
            assert disproved == 0 or case.age_seconds > SETTLED_SECONDS
        case StillUncertain(disproved=disproved):
            assert case.unclear
            assert disproved < max(1, len(case.unclear))
    if isinstance(decision, AskAgain):
        assert case.refused is not None
        assert case.refused.status in MAY_LAG
