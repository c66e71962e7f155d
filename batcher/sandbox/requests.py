"""What arrived at the sandbox: counts, and a log with one JSON line for each request."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import orjson

from batcher.errors import UsageError

from .answers import iso


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that arrived. `arrived_seconds` is the loop's time at its first byte; `at` is seconds since 1970.

    `status` None: no answer was sent, `fault` says why. `identifier` is the document's that it was about.
    """

    arrived_seconds: float
    at: float
    method: str
    path: str
    status: int | None
    fault: str | None
    identifier: str | None
    authorization: str | None = field(repr=False)

    def line(self) -> bytes:
        """The log's line: the key only as a hash."""
        return orjson.dumps(
            {
                "at": iso(self.at),
                "method": self.method,
                "path": self.path,
                "status": self.status,
                "key": key_hash(self.authorization),
                "identifier": self.identifier,
                "fault": self.fault,
            },
            option=orjson.OPT_APPEND_NEWLINE,
        )


class Requests:
    """How many requests arrived, by method, route and status. As small as the number of routes, however many arrive."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, int | None]] = Counter()

    def add(self, method: str, route: str, status: int | None) -> None:
        """Count one request. `route` is a template such as `/api/v1/documents/{identifier}`."""
        self._counts[method, route, status] += 1

    def count(self, method: str | None = None, route: str | None = None, status: int | None = None) -> int:
        """How many requests were of this method, route and status; what is not given may be any."""
        return sum(
            count
            for (a_method, a_route, a_status), count in self._counts.items()
            if method in (None, a_method) and route in (None, a_route) and status in (None, a_status)
        )

    def table(self) -> list[tuple[str, str, int | None, int]]:
        """All counts as (method, route, status, count), sorted; status None got no answer."""
        rows = [(*place, count) for place, count in self._counts.items()]
        return sorted(rows, key=lambda row: (row[0], row[1], row[2] or 0))


def key_hash(authorization: str | None) -> str | None:
    """A short hash that stands for a key."""
    return None if authorization is None else hashlib.sha256(authorization.encode()).hexdigest()[:12]


@contextmanager
def open_log(path: Path | None) -> Iterator[BinaryIO | None]:
    """Open the log for appending, unbuffered: a line is there as soon as its request was answered."""
    if path is None:
        yield None
        return
    try:
        log = path.open("ab", buffering=0)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}. Name a log file that can be written.") from error
    with log:
        yield log
