"""Everything that ends a command early, each with its exit code (contract 10).

BatcherError
 ├─ UsageError         2   flags, configuration, a file that cannot be read: nothing was sent
 │   └─ InvalidInput   2   rows with problems: nothing was sent, nothing was written
 ├─ Stopped            3   the run ended early: key refused, server gone, disk full, the same failure again and again
 │   └─ DiskTrouble    3   a write or fsync failed: nothing new is started
 │       └─ ForeignWriter 4  another run writes to these files, whose locks don't hold: nothing new is started
 ├─ Locked             4   another run holds these files
 └─ InternalError     70   a law of ours was broken, or the counts do not add up

A message says what happened, where, and what to do next; it never holds a key.
"""

from __future__ import annotations

from typing import ClassVar


class BatcherError(Exception):
    """Base of all errors that batcher raises on purpose. `exit_code` is what the command line exits with."""

    exit_code: ClassVar[int] = 70


class UsageError(BatcherError):
    """Flags, configuration or files are wrong; nothing was sent."""

    exit_code: ClassVar[int] = 2


class InvalidInput(UsageError):  # noqa: N818 - named after the thing, as the contract does
    """Rows have problems; they were shown one by one. Nothing was sent or written."""


class Stopped(BatcherError):  # noqa: N818
    """The run stopped early although rows remain. What was in flight has been recorded."""

    exit_code: ClassVar[int] = 3


class DiskTrouble(Stopped):
    """A write or an fsync failed (disk full, file gone, permission)."""


class ForeignWriter(DiskTrouble):
    """Somebody else writes to a file of this run although it holds the locks. What was in flight has been recorded."""

    exit_code: ClassVar[int] = 4


class Locked(BatcherError):  # noqa: N818
    """Another run or undo holds these files; the message says who."""

    exit_code: ClassVar[int] = 4


class InternalError(BatcherError):
    """A law of ours was broken."""

    exit_code: ClassVar[int] = 70
