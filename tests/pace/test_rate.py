"""The rate as people write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.pace.rate import Rate


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
