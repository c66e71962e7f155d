"""What is known of one row that has no document: its attempts that may have made one, and its last failure.

A value. The journal's reader and the ledger let it follow the journal line by line, by the same rules, so that a run
knows at every moment exactly what a later run would read.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple, assert_never

from ..models import ApiVersion, Failed, Unfinished
from .journal_lines import USUAL_TIMEOUT_SECONDS, Cleared, FailureLine, Fixed, Intent, KeyLine, Settled
from .undo_lines import Undone

IN_MEMORY = -1  # the offset of an intent of this run: its body is kept, so nobody asks where it is


class SentAttempt(NamedTuple):
    """One unclear attempt. `body` is what it sent, or None if that is in the journal's line at `offset` (bytes)."""

    identifier: str | None
    is_filled: bool
    at: datetime
    spec_hash: str
    offset: int
    body: bytes | None = None
    timeout_seconds: float = USUAL_TIMEOUT_SECONDS
    api: ApiVersion = ApiVersion.V1

    @property
    def ended_by(self) -> datetime:
        """When nobody waited for its answer any more at the latest, as far as the journal tells."""
        return self.at + timedelta(seconds=self.timeout_seconds)


class KeyHistory(NamedTuple):
    """One key's past: its unclear attempts (oldest first), its identifier, and the offset of its last failure's line.

    `identifier` is the last one that it was sent under if batcher filled it in; `undone` counts how often undo deleted
    it, and `undone_hash` is the spec hash of what was deleted, None once the key was sent again.
    """

    unclear: tuple[SentAttempt, ...] = ()
    identifier: str | None = None
    undone: int = 0
    undone_hash: str | None = None
    failure: int | None = None
    is_uncertain: bool = False

    def after(self, line: KeyLine, offset: int) -> KeyHistory:
        """What is known once the journal holds this line, at this offset."""
        match line:
            case Intent():
                return self._with_attempt(line, offset)
            case Cleared():
                return self._replace(unclear=self.unclear[:-1])
            case Settled():
                return self._replace(unclear=())
            case FailureLine(Failed()):
                return self._replace(unclear=(), failure=offset, is_uncertain=False)
            case FailureLine(Unfinished()):  # of a row that is created; `due_steps.py` follows these
                return self
            case FailureLine():
                return self._replace(failure=offset, is_uncertain=True)
            case Fixed():
                return self._replace(failure=None)
            case Undone():
                return KeyHistory(undone=self.undone + 1, undone_hash=line.spec_hash)
            case _:
                assert_never(line)

    def _with_attempt(self, intent: Intent, offset: int) -> KeyHistory:
        body = intent.body if offset == IN_MEMORY else None
        sent = SentAttempt(
            intent.identifier,
            intent.is_filled,
            intent.at,
            intent.spec_hash,
            offset,
            body,
            intent.timeout_seconds,
            intent.api,
        )
        identifier = intent.identifier if intent.is_filled else self.identifier
        return KeyHistory((*self.unclear, sent), identifier, self.undone, None, self.failure, self.is_uncertain)

    @property
    def is_open(self) -> bool:
        """Whether an attempt of it is unclear."""
        return bool(self.unclear)

    @property
    def is_undone(self) -> bool:
        """Deleted by undo, and nothing was tried since."""
        return self.undone > 0 and not self.unclear and self.failure is None and self.undone_hash is not None

    @property
    def may_be_settled_absent(self) -> bool:
        """Whether there is something to look up or to report, should its row be gone from the input."""
        return self.unclear[-1].identifier is not None if self.unclear else self.is_uncertain

    @property
    def is_unreported(self) -> bool:
        """Whether no failures line reports its unclear attempt: a process died, or its disk was full."""
        return self.is_open and not self.is_uncertain


NO_HISTORY = KeyHistory()
