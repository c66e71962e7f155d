"""Spans of time as people write them (`90s`, `15m`, `1h30m`) and as they like to read them (`1 h 30 min`)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from itertools import pairwise

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|min|s|m|h|d)")
LONGEST_SECONDS = 366 * 86400.0


def parse_duration(text: str) -> float:
    """Seconds of `90s`, `15m`, `4h`, `1h30m`, `2d`. Raises ValueError with what is allowed."""
    compact = re.sub(r"\s+", "", text).lower()
    parts = _PART.findall(compact)
    if not parts or "".join(number + unit for number, unit in parts) != compact:
        raise ValueError(f"{text!r} isn't a duration; write a number with its unit, as in 90s, 15m, 4h or 1h30m")
    seconds: float = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if not 0 < seconds <= LONGEST_SECONDS:
        raise ValueError(f"{text!r} is out of range; use a duration from 1ms to 366d")
    return seconds


def parse_seconds(text: str) -> float:
    """Seconds of `60`, `2.5` or anything that `parse_duration` takes. Raises ValueError."""
    try:
        return parse_duration(f"{float(text)}s")
    except ValueError:
        return parse_duration(text)


def duration_text(seconds: float) -> str:
    """The two largest units: `45 s`, `12 min 5 s`, `3 h 20 min`, `2 d 4 h`."""
    if 0 < seconds < 1:
        return "less than 1 s"
    whole = max(0, round(seconds))
    for (unit, size), (smaller, small) in pairwise((("d", 86400), ("h", 3600), ("min", 60), ("s", 1))):
        if whole >= size:
            count, rest = whole // size, whole % size // small
            return f"{count} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def about_text(seconds: float) -> str:
    """An estimate in two digits: `about 50 min`, `about 3.3 h`, or `less than 1 s`."""
    if seconds < 1:
        return "less than 1 s"
    if seconds < 90:
        return f"about {seconds:.0f} s"
    if seconds < 90 * 60:
        return f"about {seconds / 60:.0f} min"
    if seconds < 10 * 3600:
        return f"about {seconds / 3600:.1f} h".replace(".0 h", " h")
    return f"about {seconds / 3600:.0f} h" if seconds < 48 * 3600 else f"about {seconds / 86400:.0f} days"


def duration_option(seconds: float) -> str:
    """A short text that `parse_duration` reads back: `90s`, `15m`, `90m`, `4h`."""
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds >= 2 * size and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s" if seconds == int(seconds) else f"{round(seconds * 1000)}ms"


def clock_text(seconds_ahead: float, now: datetime) -> str:
    """When that will be by the local clock: `16:40`, `16:40 tomorrow`, or `16:40 on 3 March`."""
    then = now + timedelta(seconds=seconds_ahead)
    time = f"{then:%H:%M}"
    match (then.date() - now.date()).days:
        case 0:
            return time
        case 1:
            return f"{time} tomorrow"
        case _:
            return f"{time} on {then.day} {then:%B}"
