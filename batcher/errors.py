"""Everything that ends a command early, each with its exit code (contract 10).

BatcherError
 ├─ UsageError         2   flags, configuration, a file that cannot be read: nothing was sent
 │   └─ InvalidInput   2   rows with problems: nothing was sent, nothing was written
 ├─ Stopped            3   the run ended early: key refused, server gone, disk full, the same failure again and again
 │   └─ DiskTrouble    3   a write or fsync failed: nothing new is started
 │       └─ ForeignWriter 4  another run writes to these files, whose locks don't hold: nothing new is started
 ├─ Locked             4   another run holds these files
 └─ InternalError     70   a law of ours was broken, or the counts do not add up

A message says what happened, where, and what to do next; it never holds a key. `stop_reason` says in one word what ended the
command (contract 3).
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class StopReason(StrEnum):
    """What ended a command before all was done: `stoppedReason` of the summary and the log (contract 3)."""

    KEY_REFUSED = "key_refused"  # every API key
    UNREACHABLE = "unreachable"  # no server there, or nothing but its trouble, for too long
    RATE_LIMITED = "rate_limited"  # nothing but 429 for too long
    SAME_FAILURE = "same_failure"  # of one row after the other
    DISK = "disk"  # full, gone, not permitted
    OTHER_WRITER = "other_writer"  # somebody else writes to our files
    NOT_OMNI = "not_omni"  # what answers at the base URL
    ENDPOINT_GONE = "endpoint_gone"  # no create of this API version there
    CERTIFICATE = "certificate"  # of the server: not to be trusted
    PLACES = "places"  # folders or labels that rows ask for can't be listed or made
    MODELS = "models"  # they can't be listed
    FIREWALL = "firewall"  # something before the server refuses everything
    UNREADABLE = "unreadable"  # the first answers
    WRONG_DOCUMENT = "wrong_document"  # an answer names another one than was asked for
    INTERRUPTED = "interrupted"  # by a signal
    DEADLINE = "deadline"
    LIMIT = "limit"
    USAGE = "usage"  # flags, settings or a file that can't be read
    INVALID_INPUT = "invalid_input"
    LOCKED = "locked"
    INTERNAL = "internal"


class BatcherError(Exception):
    """Base of all errors that batcher raises on purpose. `exit_code` is what the command line exits with."""

    exit_code: ClassVar[int] = 70
    stop_reason: StopReason = StopReason.INTERNAL


class UsageError(BatcherError):
    """Flags, configuration or files are wrong; nothing was sent."""

    exit_code: ClassVar[int] = 2
    stop_reason = StopReason.USAGE


class InvalidInput(UsageError):  # noqa: N818 - named after the thing, as the contract does
    """Rows have problems; they were shown one by one. Nothing was sent or written."""

    stop_reason = StopReason.INVALID_INPUT


class Stopped(BatcherError):  # noqa: N818
    """The run stopped early although rows remain. What was in flight has been recorded."""

    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, stop_reason: StopReason | None = None) -> None:
        super().__init__(message)
        self.stop_reason = stop_reason or type(self).stop_reason


class DiskTrouble(Stopped):
    """A write or an fsync failed (disk full, file gone, permission)."""

    stop_reason = StopReason.DISK


class ForeignWriter(DiskTrouble):
    """Somebody else writes to a file of this run although it holds the locks. What was in flight has been recorded."""

    exit_code: ClassVar[int] = 4
    stop_reason = StopReason.OTHER_WRITER


class Locked(BatcherError):  # noqa: N818
    """Another run or undo holds these files; the message says who."""

    exit_code: ClassVar[int] = 4
    stop_reason = StopReason.LOCKED


class InternalError(BatcherError):
    """A law of ours was broken."""

    exit_code: ClassVar[int] = 70
