"""The fault grammar, and when faults strike."""

from __future__ import annotations

import re
from dataclasses import replace
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.sandbox import FAULT_HELP, Fault
from batcher.sandbox.calls import Call
from batcher.sandbox.delivery import retry_after
from batcher.sandbox.fault_kinds import Kind
from batcher.sandbox.faults import ALWAYS, Calls, Chance, Every, Faults

POST = Call("POST", "/api/v1/documents")
GET = Call("GET", "/api/v1/documents/x")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("reset-after:0.05", Fault(Kind.RESET_AFTER, when=Chance(0.05))),
        ("reset-after@20", Fault(Kind.RESET_AFTER, when=Calls(((20, 20),)))),
        ("reset-after/20", Fault(Kind.RESET_AFTER, when=Every(20))),
        ("hang-before", Fault(Kind.HANG_BEFORE, when=ALWAYS)),
        ("429", Fault(Kind.STATUS, status=429)),
        ("503=30@3-8", Fault(Kind.STATUS, status=503, value="30", when=Calls(((3, 8),)))),
        ("429=date+5@1,4-", Fault(Kind.STATUS, status=429, value="date+5", when=Calls(((1, 1), (4, None))))),
        ("500-after", Fault(Kind.STATUS_AFTER, status=500)),
        ("200-after", Fault(Kind.STATUS_AFTER, status=200)),
        ("slow=2.5:0.1", Fault(Kind.SLOW, value="2.5", when=Chance(0.1))),
        ("404-lag=3", Fault(Kind.LAG, value="3", method="GET")),
        ("GET 404-lag", Fault(Kind.LAG, method="GET")),
        ("revoke-key@9", Fault(Kind.REVOKE_KEY, method=None, when=Calls(((9, 9),)))),
        ("any 502", Fault(Kind.STATUS, status=502, method=None)),
        ("GET /api/v1/models 404", Fault(Kind.STATUS, status=404, method="GET", path="/api/v1/models")),
    ],
)
def test_the_grammar(text: str, fault: Fault) -> None:
    """Each form of the grammar reads as what it says."""
    assert Fault.parse(text) == fault
    assert str(Fault.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "write [METHOD [PATH]] KIND"),
        ("reset-aftr", "did you mean reset-after? Kinds are STATUS, STATUS-after, reset-before"),
        ("reset-after:2", "a probability must be between 0 and 1, not 2"),
        ("slow:2", "a value is written slow=2"),
        ("slow=fast", "slow takes a number, for example slow=1"),
        ("truncate=3", "truncate takes no value"),
        ("reset-after@0", "'@0' isn't a WHEN"),
        ("reset-after/x", "'/x' isn't a WHEN"),
        ("200", "200-after carries the request out"),
        ("FETCH 500", "'FETCH' isn't a method"),
        ("GET models 500", "write [METHOD [PATH]] KIND"),
    ],
)
def test_a_wrong_fault_says_what_is_right(text: str, message: str) -> None:
    """Errors name the fault, what is wrong, and the kinds where the kind is wrong."""
    with pytest.raises(ValueError, match=re.escape(message)):
        Fault.parse(text)


def test_the_help_names_every_kind() -> None:
    """Each kind has its line in the help that the command prints, and the examples there can be read."""
    for kind in Kind:
        assert re.search(rf"^  {re.escape(kind)} +\S", FAULT_HELP, re.MULTILINE)
        if kind not in (Kind.STATUS, Kind.STATUS_AFTER):
            assert Fault.parse(kind.value).kind is kind
    assert max(map(len, FAULT_HELP.splitlines())) <= 80
    examples = FAULT_HELP.rsplit("Examples:", 1)[1]
    for quoted, plain in re.findall(r'"([^"]+)"|(\S+)', examples):
        Fault.parse(quoted or plain)


@given(st.integers(0, 2**32), st.lists(st.booleans(), max_size=200))
def test_the_same_seed_and_calls_meet_the_same_faults(seed: int, reads: list[bool]) -> None:
    """Chance is seeded: two runs over the same calls strike alike."""
    faults = [Fault.parse(text) for text in ("reset-after:0.3", "GET 500:0.5", "ANY slow:0.2", "truncate/7")]
    calls = [GET if read else POST for read in reads]
    first, second = Faults(faults, seed), Faults(faults, seed)
    assert [first.met_by(call) for call in calls] == [second.met_by(call) for call in calls]


def test_calls_are_counted_by_method_and_path() -> None:
    """GETs do not move the count of a POST's fault."""
    faults = Faults([Fault.parse("reset-after@2"), Fault.parse("GET 500/2")], 0)
    met = [[str(fault) for fault in faults.met_by(call)] for call in (POST, GET, GET, POST, POST, GET, GET)]
    assert met == [[], [], ["GET 500/2"], ["reset-after@2"], [], [], ["GET 500/2"]]


def test_only_the_first_main_fault_strikes_beside_all_side_effects() -> None:
    """Two faults that both end a call: the one asked for first; delays and headers come on top."""
    faults = Faults([Fault.parse(text) for text in ("truncate", "slow", "hang-after", "deprecated")], 0)
    assert {fault.kind for fault in faults.met_by(POST)} == {Kind.TRUNCATE, Kind.SLOW, Kind.DEPRECATED}


def test_a_predicate_narrows_what_is_counted() -> None:
    """Only matching calls count towards the Nth."""
    bodied = Call("POST", "/api/v1/documents", body=b"x")
    faults = Faults([replace(Fault.parse("500@2"), matching=lambda call: call.body == b"x")], 0)
    assert [bool(faults.met_by(call)) for call in (bodied, POST, POST, bodied, bodied)] == [
        False,
        False,
        False,
        True,
        False,
    ]


def test_retry_after_can_be_a_date() -> None:
    """`date+5` is an HTTP date in GMT; anything else is sent as it is."""
    assert parsedate_to_datetime(retry_after("date+5")).tzinfo is not None
    assert retry_after("30") == "30"
