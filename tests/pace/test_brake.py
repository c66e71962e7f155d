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


@pytest.mark.parametrize("seconds", [None, 0.0])
def test_without_a_time_the_brake_grows(seconds: float | None) -> None:
    """1, 2, 4, 8 … 60 seconds while refusals keep coming; a Retry-After of 0 s, or one gone by, is no time."""
    brake, now, waits = Brake(MINUTE), 0.0, []
    for _ in range(8):
        brake.started()
        brake.stop(now, seconds, started=now - 0.1, limited=True)
        waits.append(brake.until - now)
        now = brake.until + 1
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_the_ladder_begins_again_once_a_later_request_has_passed() -> None:
    """One that started before the block says nothing about its end; one that started after it does."""
    brake = Brake(MINUTE)
    refuse(brake, 100.0)
    assert brake.until == 101.0
    brake.started()
    brake.passed(101.6, started=99.9)
    brake.stop(102.0, None, started=101.5, limited=True)
    assert brake.until == 104.0, "second step"
    brake.started()
    brake.passed(105.0, started=104.5)
    brake.stop(106.0, None, started=105.5, limited=True)
    assert brake.until == 107.0


def test_refusals_in_flight_are_one_event() -> None:
    """Eight requests refused at once brake once, and not longer for the eighth."""
    brake = Brake(MINUTE)
    for n in range(8):
        brake.stop(n * 0.1, None, started=-0.1, limited=True)
    assert brake.until == 1.0
    brake.started()
    brake.stop(6.0, None, started=-0.1, limited=True)
    assert brake.until == 1.0, "one that left before the brake and came back after it belongs to it"


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


def test_after_a_short_pause_the_pace_comes_back_soon() -> None:
    """A stray costs its second, and not a minute at a quarter of the rate (failed before: a minute)."""
    brake = Brake(MINUTE)
    brake.stop(0.0, None, started=-0.1, limited=True)
    assert brake.per_second(1.0) == pytest.approx(0.25)
    assert brake.per_second(2.0) == math.inf


def test_an_unlimited_pace_comes_back_gently() -> None:
    """Without a rate there is no quarter of it: a few a second, then more and more."""
    brake = Brake(None)
    brake.stop(0.0, 10.0, started=-0.1, limited=True)
    assert brake.per_second(10.0) == pytest.approx(5.0)
    assert brake.per_second(13.0) == pytest.approx(40.0)
    assert brake.per_second(20.0) == math.inf


def refuse(brake: Brake, now: float, seconds: float | None = None, *, limited: bool = True) -> None:
    """One request passes, the next is refused."""
    brake.started()
    brake.passed(now, started=now - 0.1)
    brake.stop(now, seconds, started=now - 0.1, limited=limited)


@pytest.mark.parametrize("seconds", [None, 5.0])
def test_one_refusal_lowers_nothing(seconds: float | None) -> None:
    """The first refusal may be the rest of an earlier run."""
    brake = Brake(MINUTE)
    refuse(brake, 1000.0, seconds)
    assert brake.share(1001.0) == 1.0


@pytest.mark.parametrize("seconds", [None, 5.0])
def test_refusals_that_keep_coming_lower_the_pace_and_it_recovers(seconds: float | None) -> None:
    """Multiplicative decrease while they come, additive increase afterwards, up to the full rate."""
    brake, now = Brake(MINUTE), 1000.0
    shares = [1.0]
    while len(shares) < 3:
        refuse(brake, now, seconds)
        now += 60.0
        if brake.share(now) < shares[-1]:
            shares.append(brake.share(now))
    assert now < 2000.0
    shares = shares[-1:]
    for n in range(2000):
        brake.passed(now + n)
        shares.append(brake.share(now + n))
    assert shares == sorted(shares)
    assert shares[100] < 0.7, "slowly up to where it met the other client"
    assert shares[-1] == 1.0


def test_maintenance_is_nobody_elses_fault() -> None:
    """A 503 with Retry-After brakes but never lowers the pace."""
    brake = Brake(MINUTE)
    for n in range(20):
        refuse(brake, 1000.0 + 30 * n, 5.0, limited=False)
    assert brake.share(1600.0) == 1.0


def test_a_closed_door_lowers_the_pace_once() -> None:
    """Refusals with nothing passing in between lengthen the brake, but tell nothing about a pace that was lowered."""
    brake, now = Brake(MINUTE), 1000.0
    for _ in range(20):
        brake.started()
        brake.stop(now, None, started=now - 0.1, limited=True)
        now = brake.until + 1
    assert brake.share(now) == pytest.approx(0.7)


def test_what_was_learned_is_forgotten() -> None:
    """After a quarter of an hour without an answer nobody knows who uses the key."""
    brake = Brake(MINUTE)
    for n in range(3):
        refuse(brake, 1000.0 + 10 * n, 5.0)
    assert brake.share(1900.0) < 1.0
    assert brake.share(2000.0) == 1.0
