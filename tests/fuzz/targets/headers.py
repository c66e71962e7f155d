"""Texts of one line: headers, base URLs."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from yarl import URL

from batcher.errors import UsageError
from batcher.transport.base_url import is_known, is_loopback, normalise, of_instance
from batcher.transport.headers import LONGEST_SECONDS, printable, retry_after

_NOW = datetime(2026, 11, 23, 22, 16, 4, tzinfo=UTC)


def hold_retry_after(data: bytes) -> None:
    """A finite wait, or none; the first line is Retry-After, the second Date. As aiohttp gives them: odd bytes escaped."""
    lines = [line.decode("utf-8", "surrogateescape") for line in data.split(b"\n")]
    headers = {"retry-after": lines[0], **({"date": lines[1]} if len(lines) > 1 else {})}
    seconds = retry_after(headers, _NOW)
    assert seconds is None or (math.isfinite(seconds) and 0 <= seconds <= LONGEST_SECONDS)
    printable(lines[0]).encode()


def hold_base_url(data: bytes) -> None:
    """What is accepted is normal: it is scheme and host, for every URL library the same, and encrypted or on this machine."""
    text = data.decode("utf-8", "surrogateescape")
    for accept in (normalise, of_instance):
        try:
            url = accept(text, "--base-url")
        except UsageError:
            continue
        assert normalise(url, "") == url
        assert url.isascii()
        assert url.isprintable()
        read = URL(url)
        assert str(read).rstrip("/") == url or "[" in url
        assert str(read.origin()) == url or "[" in url
        assert read.scheme == "https" or is_loopback(read.host or "")
        assert not any((read.user, read.password, read.query_string, read.fragment))
        assert is_known(url) in (True, False)
        assert "@" not in url
