"""Times in files."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from batcher.models import stamp

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.builds(datetime.fromtimestamp, st.floats(0, 2e11), ZONES | st.just(UTC)))
def test_a_time_is_utc_in_milliseconds(now: datetime) -> None:
    """Whatever zone it is in; milliseconds are cut, not rounded."""
    text = stamp(now)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", text)
    assert timedelta(0) <= now - datetime.fromisoformat(text) < timedelta(milliseconds=1)
