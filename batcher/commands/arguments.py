"""How specs are sent, as a program says it: in settings of its own, or by the arguments that are used most."""

from __future__ import annotations

from ..arguments import expect
from ..config import Sending
from ..pace.rate import Rate


def sending_of(
    settings: Sending | None, rate: str | Rate | None, concurrency: int, max_attempts: int, *, shared_pace: bool
) -> Sending:
    """The settings; without them, those that the arguments say. Raises TypeError, ValueError."""
    expect("settings", settings, Sending, None)
    expect("rate", rate, str, Rate, None)
    if settings is not None:
        return settings
    pace = Rate.parse(rate) if isinstance(rate, str) else rate
    return Sending(rate=pace, concurrency=concurrency, max_attempts=max_attempts, shared_pace=shared_pace)
