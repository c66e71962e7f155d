"""The firewall's window: never more than the limit in any period, and nothing refused that fits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batcher.pace.rate import Rate
from batcher.sandbox.limiter import SlidingWindows
from tests.support.faulty import most_in_window

GAPS = st.lists(st.integers(0, 30), max_size=80)
RATES = st.builds(Rate, st.integers(1, 6), st.integers(1, 40).map(float))


def times(gaps: list[int]) -> list[float]:
    """Arrival times, in whole seconds so that sums are exact."""
    total, found = 0, []
    for gap in gaps:
        total += gap
        found.append(float(total))
    return found


@given(rate=RATES, gaps=GAPS)
def test_no_window_admits_more_than_the_limit(rate: Rate, gaps: list[int]) -> None:
    """The law of the limiter, and its other half: a request is refused only if its window is full."""
    windows = SlidingWindows(rate)
    admitted: list[float] = []
    for now in times(gaps):
        inside = [before for before in admitted if now - before < rate.period_seconds]
        wait_seconds = windows.blocked_for("Bearer k", now)
        assert (wait_seconds == 0.0) == (len(inside) < rate.limit)
        if wait_seconds == 0.0:
            admitted.append(now)
        else:
            assert wait_seconds == inside[0] + rate.period_seconds - now
    assert most_in_window(admitted, rate.period_seconds) <= rate.limit


@given(rate=RATES, gaps=GAPS)
def test_blocked_requests_can_fill_the_window(rate: Rate, gaps: list[int]) -> None:
    """Where blocked requests count, a request passes only if fewer than the limit of any kind came before it."""
    windows = SlidingWindows(rate, blocked_count=True)
    arrived: list[float] = []
    for now in times(gaps):
        inside = sum(now - before < rate.period_seconds for before in arrived)
        assert (windows.blocked_for("Bearer k", now) == 0.0) == (inside < rate.limit)
        arrived.append(now)


def test_each_authorization_value_has_its_own_window() -> None:
    """The bucket is the exact header value."""
    windows = SlidingWindows(Rate(1, 60.0))
    assert windows.blocked_for("Bearer a", 0.0) == 0.0
    assert windows.blocked_for("Bearer b", 1.0) == 0.0
    assert windows.blocked_for("Bearer a", 2.0) == 58.0
