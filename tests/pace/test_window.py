"""The window law by itself."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.pace.rate import Rate
from batcher.pace.window import Window


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
