"""The requests that arrived at the sandbox: one record each for observers, and a log that is one of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from batcher.errors import UsageError

from .answers.ids import iso


@dataclass(frozen=True, slots=True)
class RequestRecord:
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


Observer = Callable[[RequestRecord], None]


def key_hash(authorization: str | None) -> str | None:
    """A short hash that stands for a key."""
    return None if authorization is None else hashlib.sha256(authorization.encode()).hexdigest()[:12]


@contextmanager
def open_log(path: Path) -> Iterator[Observer]:
    """The observer that appends each request to this file, unbuffered: its line is there before its answer is.

    Raises UsageError if the file cannot be opened.
    """
    try:
        log = path.open("ab", buffering=0)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}. Name a log file that can be written.") from error
    with log:

        def append(record: RequestRecord) -> None:
            log.write(record.line())

        yield append
