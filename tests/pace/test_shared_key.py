"""A server that enforces a true sliding window and counts what it blocks: alone, with strays, with somebody else at the key.

Fast rates are simulated for less than an hour, and with few seeds; `python -m tests.pace` prints the whole table.
"""

from __future__ import annotations

import pytest

from batcher.pace.rate import Rate

from .firewall import Firewall, Other, Scenario, measure, simulate


def rate_of(text: str) -> Rate:
    rate = Rate.parse(text)
    assert rate is not None
    return rate


@pytest.mark.parametrize(("text", "seconds"), [("60/min", 3600), ("500/min", 600), ("30/10s", 900)])
def test_alone_we_are_never_blocked(text: str, seconds: float) -> None:
    """A long time at the full rate: not one 429, and at least 99 % of what is allowed."""
    rate = rate_of(text)
    firewall = simulate(seconds, Firewall(rate.limit, rate.period_seconds), rate)
    assert not firewall.blocked["we"]
    assert len(firewall.passed["we"]) >= 0.99 * rate.per_second * seconds


@pytest.mark.parametrize(
    ("text", "retry_after", "seconds"),
    [
        ("60/min", None, 3600),
        ("60/min", "10", 3600),
        ("60/min", "60", 3600),
        ("500/min", None, 1800),
        ("30/10s", None, 1800),
        ("30/10s", "10", 1800),
        ("30/10s", "60", 1800),
    ],
)
def test_we_leave_room_for_somebody_else(text: str, retry_after: str | None, seconds: float) -> None:
    """Beside a client at half the rate that never backs off: few 429s, and the key is well used all the same."""
    seen = measure(Scenario("", other=Other(0.5), retry_after=retry_after), rate_of(text), seconds)
    assert seen.blocked <= 0.03
    assert seen.everybodys >= 0.80


def test_we_take_the_room_back_when_the_other_stops() -> None:
    """Half an hour after the other client has gone we send at the full rate."""
    rate = Rate(60, 60.0)
    firewall = simulate(3600, Firewall(rate.limit, rate.period_seconds), rate, Other(0.5, [(0, 1200)]))
    assert sum(at > 3000 for at in firewall.passed["we"]) >= 0.98 * 600


@pytest.mark.parametrize(
    ("text", "strays", "least"),
    [
        ("60/min", 0.001, 0.97),
        ("500/min", 0.001, 0.97),
        ("60/min", 0.01, 0.90),
        ("500/min", 0.01, 0.85),
        ("60/min", 0.03, 0.70),
        ("500/min", 0.03, 0.65),
    ],
)
def test_strays_cost_little(text: str, strays: float, least: float) -> None:
    """So many of our requests are answered 429 whatever our pace is (failed before: 4 to 95 % were left of the rate)."""
    seconds = 1200 if text == "500/min" and strays < 0.03 else 3600
    for seed in range(2):
        assert measure(Scenario("", strays=strays), rate_of(text), seconds, seed).ours >= least


@pytest.mark.parametrize("retry_after", ["0", "Wed, 01 Jul 2020 12:00:00 GMT", "soon"])
def test_a_useless_retry_after_is_none(retry_after: str) -> None:
    """0 s, a time that has gone by, or a word: as if the header weren't there (failed before: 0 was asked again at once)."""
    scenario = Scenario("", strays=0.01, retry_after=retry_after)
    assert measure(scenario, Rate(60, 60.0), 1800) == measure(Scenario("", strays=0.01), Rate(60, 60.0), 1800)


@pytest.mark.parametrize("text", ["60/min", "500/min", "30/10s"])
def test_a_server_that_allows_less_than_we_were_told(text: str) -> None:
    """Half of it: nearly all of that is used, and few requests are blocked."""
    seen = measure(Scenario("", limit=0.5), rate_of(text), 1800 if text == "500/min" else 3600)
    assert seen.blocked <= 0.03
    assert seen.ours >= 0.8 * 0.5
