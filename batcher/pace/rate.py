"""The rate: how many requests may start in what time, as people write it.

Imports stay small here, because `config.py`, hence `--help`, needs `Rate`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

# The guarded window is 0.5 % longer than the period (contract 8), so that at most N arrive in any period although the
# way to the server varies a little; a microsecond more keeps sums of floats on the right side.
MARGIN = 1.005
_EPSILON_SECONDS = 1e-6

# Starts keep a distance that would allow this much of the rate: what a busy machine delayed is made up for slowly,
# never in a burst, and the window still has the last word.
CATCH_UP = 1.02

# More starts than these are not remembered one by one: see `Rate.divided`.
_REMEMBERED = 10_000

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_RATE = re.compile(
    r"(?P<limit>[0-9][0-9_,]*)\s*(?:/|per)\s*(?P<count>[0-9]+)?\s*"
    r"(?P<unit>[smhd]|(?:sec|second|min|minute|hour|day)s?)",
    re.IGNORECASE,
)
_HELP = "write how many requests in what time, like 60/min, 500/m, 50/s, 30/10s or 1/h, or none"


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `limit` request starts in any `period_seconds`."""

    limit: int
    period_seconds: float

    def __post_init__(self) -> None:
        if self.limit < 1 or not 0 < self.period_seconds < math.inf:
            raise ValueError(f"a rate needs at least one request in a time above zero: {_HELP}")

    @classmethod
    def parse(cls, text: str) -> Rate | None:
        """`60/min`, `500/m`, `50/s`, `30/10s`, `1/h`; `none` gives None.

        Raises:
            ValueError: the text isn't a rate; the message says what to write.
        """
        wanted = text.strip()
        if wanted.lower() == "none":
            return None
        match = _RATE.fullmatch(wanted)
        if match is None:
            raise ValueError(f"{text!r} is not a rate: {_HELP}")
        limit, count = int(re.sub("[_,]", "", match["limit"])), int(match["count"] or 1)
        if limit == 0 or count == 0:
            raise ValueError(f"{text!r} would never send anything: {_HELP}")
        return cls(limit, float(count * _UNITS[match["unit"][0].lower()]))

    def __str__(self) -> str:
        for unit, seconds in (("h", 3600), ("min", 60), ("s", 1)):
            count = self.period_seconds / seconds
            if count >= 1 and count == int(count):
                return f"{self.limit}/{unit}" if count == 1 else f"{self.limit}/{int(count)}{unit}"
        return f"{self.limit}/{self.period_seconds:g}s"

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return self.limit / self.period_seconds

    @property
    def guarded_seconds(self) -> float:
        """The window in which at most `limit` requests may start: a little longer than the period."""
        return self.period_seconds * MARGIN + _EPSILON_SECONDS

    def divided(self) -> Rate:
        """The same rate over a shorter period, if its limit is too large to remember every start of one.

        n starts in any 1/k of the period are at most k * n in the period, so the law of the result implies this one's.
        """
        parts = -(-self.limit // _REMEMBERED)
        return self if parts == 1 else Rate(self.limit // parts, self.period_seconds / parts)
