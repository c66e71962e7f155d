"""Retry-After as it is met in the wild, and one key's brake by itself."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from batcher.pace.brake import Brake
from batcher.pace.rate import Rate
from batcher.transport.headers import retry_after

NOW = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)
MINUTE = Rate(60, 60.0)


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        pytest.param("17", None, 17.0, id="seconds"),
        pytest.param(" 17 ", None, 17.0, id="blanks"),
        pytest.param("0", None, 0.0, id="zero"),
        pytest.param("1.5", None, 1.5, id="fraction"),
        pytest.param("7200", None, 3600.0, id="capped"),
        pytest.param("Wed, 01 Jul 2026 12:00:30 GMT", None, 30.0, id="date"),
        pytest.param("Wednesday, 01-Jul-26 12:00:30 GMT", None, 30.0, id="old date"),
        pytest.param("Wed Jul  1 12:00:30 2026", None, 30.0, id="asctime date"),
        pytest.param("Wed, 01 Jul 2026 13:00:30 GMT", "Wed, 01 Jul 2026 13:00:00 GMT", 30.0, id="our clock is slow"),
        pytest.param("Wed, 01 Jul 2026 11:00:30 GMT", "Wed, 01 Jul 2026 11:00:00 GMT", 30.0, id="our clock is fast"),
        pytest.param("Wed, 01 Jul 2026 12:00:30 GMT", "yesterday", 30.0, id="server's Date is garbage"),
        pytest.param("Wed, 01 Jul 2026 11:59:00 GMT", None, 0.0, id="date gone by"),
        pytest.param("Fri, 31 Dec 9999 23:59:59 GMT", None, None, id="year 9999"),
        pytest.param(None, None, None, id="absent"),
        pytest.param("", None, None, id="empty"),
        pytest.param("-1", None, None, id="negative"),
        pytest.param("inf", None, None, id="inf"),
        pytest.param("nan", None, None, id="nan"),
        pytest.param("1e99", None, None, id="1e99"),
        pytest.param("9" * 400, None, None, id="too many digits"),
        pytest.param("99999999", None, None, id="three years"),
        pytest.param("soon", None, None, id="a word"),
        pytest.param("12 parsecs", None, None, id="a unit"),
        pytest.param("Wed, 99 Jul 2026 12:00:30 GMT", None, None, id="no such day"),
        pytest.param("٣٠", None, None, id="other digits"),
    ],
)
def test_retry_after(value: str | None, date: str | None, seconds: float | None) -> None:
    """Seconds or a date by the server's own clock; absurd values count as absent."""
    headers = {name: text for name, text in (("retry-after", value), ("date", date)) if text is not None}
    assert retry_after(headers, NOW) == seconds


def test_without_a_time_the_brake_grows() -> None:
    """5, 15, 30, 60, 60 seconds while refusals keep coming."""
    brake, now, waits = Brake(MINUTE), 0.0, []
    for _ in range(5):
        brake.started()
        brake.stop(now, None, started=now - 0.1, limited=True)
        waits.append(brake.until - now)
        now = brake.until + 1
    assert waits == [5.0, 15.0, 30.0, 60.0, 60.0]


def test_the_ladder_begins_again_after_a_calm_while() -> None:
    """Once the pace has fully come back, the next refusal is a first one."""
    brake = Brake(MINUTE)
    brake.stop(0.0, None, started=-0.1, limited=True)
    brake.started()
    brake.passed(brake.settled_at + 1)
    brake.stop(200.0, None, started=199.9, limited=True)
    assert brake.until == 205.0


def test_refusals_in_flight_are_one_event() -> None:
    """Eight requests refused at once brake once, and not longer for the eighth."""
    brake = Brake(MINUTE)
    for n in range(8):
        brake.stop(n * 0.5, None, started=-0.1, limited=True)
    assert brake.until == 5.0
    brake.stop(6.0, None, started=-0.1, limited=True)
    assert brake.until == 5.0, "one that left before the brake and came back after it belongs to it"


def test_an_explicit_time_can_only_lengthen() -> None:
    """The latest time that the server named holds."""
    brake = Brake(MINUTE)
    brake.stop(0.0, 30.0, started=-0.1, limited=True)
    brake.stop(1.0, 60.0, started=-0.1, limited=True)
    brake.stop(2.0, 5.0, started=-0.1, limited=True)
    assert brake.until == 61.0


def test_the_pace_comes_back_gently() -> None:
    """A quarter of the rate at first, all of it after a minute."""
    brake = Brake(MINUTE)
    assert brake.per_second(0.0) == math.inf
    brake.stop(0.0, 10.0, started=-0.1, limited=True)
    assert brake.per_second(9.9) == 0.0
    assert brake.per_second(10.0) == pytest.approx(0.25)
    assert brake.per_second(40.0) == pytest.approx(0.625)
    assert brake.per_second(70.0) == math.inf


def test_an_unlimited_pace_comes_back_gently() -> None:
    """Without a rate there is no quarter of it: a few a second, then more and more."""
    brake = Brake(None)
    brake.stop(0.0, 10.0, started=-0.1, limited=True)
    assert brake.per_second(10.0) == pytest.approx(5.0)
    assert brake.per_second(13.0) == pytest.approx(40.0)
    assert brake.per_second(20.0) == math.inf


def refuse(brake: Brake, now: float, *, limited: bool = True) -> None:
    """One request passes, the next is refused."""
    brake.started()
    brake.passed(now)
    brake.stop(now, 5.0, started=now - 0.1, limited=limited)


def test_one_refusal_lowers_nothing() -> None:
    """The first refusal may be the rest of an earlier run."""
    brake = Brake(MINUTE)
    refuse(brake, 1000.0)
    assert brake.share(1000.0) == 1.0


def test_refusals_that_keep_coming_lower_the_pace_and_it_recovers() -> None:
    """Multiplicative decrease at each event, additive increase afterwards, up to the full rate."""
    brake = Brake(MINUTE)
    refuse(brake, 1000.0)
    refuse(brake, 1060.0)
    first = brake.share(1060.0)
    refuse(brake, 1120.0)
    second = brake.share(1120.0)
    assert second < first < 1.0
    shares = [brake.share(1120.0 + 60.0 * n) for n in range(60)]
    assert shares == sorted(shares)
    assert shares[3] < first, "slowly up to where it met the other client"
    assert shares[-1] == 1.0


def test_maintenance_is_nobody_elses_fault() -> None:
    """A 503 with Retry-After brakes but never lowers the pace."""
    brake = Brake(MINUTE)
    for n in range(6):
        refuse(brake, 1000.0 + 30 * n, limited=False)
    assert brake.share(1300.0) == 1.0


def test_a_closed_door_is_not_a_busy_one() -> None:
    """Refusals with nothing passing in between lengthen the brake, but do not lower the pace."""
    brake, now = Brake(MINUTE), 1000.0
    for _ in range(6):
        brake.started()
        brake.stop(now, None, started=now - 0.1, limited=True)
        now = brake.until + 1
    assert brake.share(now) == 1.0
