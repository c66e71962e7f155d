"""The rate as it is written, and the window law by itself."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.pace.rate import Rate, Window


@pytest.mark.parametrize(
    ("text", "limit", "period_seconds", "shown"),
    [
        ("60/min", 60, 60.0, "60/min"),
        ("500/m", 500, 60.0, "500/min"),
        ("50/s", 50, 1.0, "50/s"),
        ("30/10s", 30, 10.0, "30/10s"),
        ("1/h", 1, 3600.0, "1/h"),
        (" 1_000 / Seconds ", 1000, 1.0, "1000/s"),
        ("1,000 per hour", 1000, 3600.0, "1000/h"),
        ("90/90min", 90, 5400.0, "90/90min"),
        ("100/day", 100, 86400.0, "100/24h"),
    ],
)
def test_rates_are_read_and_shown(text: str, limit: int, period_seconds: float, shown: str) -> None:
    """Every spelling gives its rate, and what is shown can be read back."""
    rate = Rate.parse(text)
    assert rate == Rate(limit, period_seconds)
    assert str(rate) == shown
    assert Rate.parse(str(rate)) == rate


@pytest.mark.parametrize("text", ["none", "NONE", " none "])
def test_none_is_unlimited(text: str) -> None:
    """`none` is no rate at all."""
    assert Rate.parse(text) is None


@pytest.mark.parametrize(
    "text",
    ["", "60", "60/", "/min", "60/year", "0/s", "5/0s", "-1/s", "0.5/s", "1e3/s", "60/min!", "sixty/min", "60/ss"],
)
def test_what_is_no_rate_says_what_to_write(text: str) -> None:
    """A wrong rate is answered with examples."""
    with pytest.raises(ValueError, match="60/min"):
        Rate.parse(text)


@given(st.integers(1, 10**7), st.floats(0.1, 1e6))
def test_a_divided_rate_implies_the_whole_one(limit: int, period_seconds: float) -> None:
    """Dividing a rate never allows more, and gives up less than a hundredth of a percent of it."""
    whole = Rate(limit, period_seconds)
    part = whole.divided()
    parts = round(whole.period_seconds / part.period_seconds)
    assert part.limit <= 10_000
    assert part.limit * parts <= whole.limit
    assert part.limit * parts >= whole.limit * 0.9998


def test_a_window_waits_for_slots_that_have_not_started() -> None:
    """A granted slot counts as long as nobody knows when it starts."""
    window = Window(Rate(2, 10.0))
    window.grant()
    window.grant()
    assert window.opens_at(1000.0) == math.inf
    window.start(1000.0)
    assert window.opens_at(1001.0) == pytest.approx(1010.05, abs=0.001)
    window.give_back()
    assert window.opens_at(1001.0) == 1001.0


@given(
    st.integers(1, 6),
    st.lists(st.tuples(st.sampled_from(["grant", "start", "give back"]), st.floats(0.0, 8.0)), max_size=200),
)
def test_no_window_ever_holds_more_than_the_limit(limit: int, steps: list[tuple[str, float]]) -> None:
    """Whatever the order and delay of grants, starts and returns, at most `limit` start in a window."""
    window = Window(Rate(limit, 10.0))
    now, out = 0.0, 0
    starts: list[float] = []
    for step, pause in steps:
        now += pause
        if step == "grant" and window.opens_at(now) <= now:
            window.grant()
            out += 1
        elif step == "start" and out:
            window.start(now)
            starts.append(now)
            out -= 1
        elif step == "give back" and out:
            window.give_back()
            out -= 1
    assert all(later - earlier >= 10.05 for earlier, later in zip(starts, starts[limit:], strict=False))
