"""Header texts as they are met, whatever the server put into them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def printable(header: str) -> str:
    """A header's text fit for messages and files: bytes of it that are not UTF-8 come as surrogates (aiohttp)."""
    return header.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def announced_end(headers: Mapping[str, str]) -> str:
    """What an answer says of its endpoint's end, in the words of its headers; empty if it says nothing."""
    names = [name for name in ("deprecation", "sunset", "link") if name in headers]
    return "; ".join(f"{name}: {printable(headers[name])}" for name in names)


# A wrong header must not hold a run for a day; asking again once an hour costs nothing.
LONGEST_SECONDS = 3600.0
# Nobody means a pause of more than a month: such a value is a mistake, and the brake's own ladder is a better guess.
_ABSURD_SECONDS = 30 * 86400.0


_SECONDS = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})?")


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait by the answer's Retry-After (RFC 9110, 10.2.3): 0 to `LONGEST_SECONDS`; None if absent or absurd.

    A date is measured against the answer's own Date header, so that a wrong clock here does not matter, else
    against `now` (aware). `headers` has lower-case names.
    """
    text = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        seconds = float(text)
    else:
        until = _http_date(text)
        if until is None:
            return None
        seconds = max(0.0, (until - (_http_date(headers.get("date", "")) or now)).total_seconds())
    return min(seconds, LONGEST_SECONDS) if seconds <= _ABSURD_SECONDS else None


def _http_date(text: str) -> datetime | None:
    """A date in one of HTTP's three forms; without a zone it is UTC."""
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):  # what email.utils raises on garbage, depending on the version
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
