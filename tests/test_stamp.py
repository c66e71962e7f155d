"""Times in files: what `datetime.isoformat` says, by a quicker way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from batcher.models import stamp

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.builds(datetime.fromtimestamp, st.floats(0, 2e11), ZONES | st.just(UTC)))
def test_it_says_what_isoformat_says(now: datetime) -> None:
    """In UTC, whatever zone the time is in; milliseconds are cut, not rounded."""
    assert stamp(now) == now.astimezone(UTC).isoformat(timespec="milliseconds")
    assert datetime.fromisoformat(stamp(now)) <= now
