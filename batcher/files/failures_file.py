"""The failures file of a run, open: appended to as rows fail, and in the end replaced by exactly the lines that hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..config import Files
from ..models import Failed, Reason, Uncertain
from .disk import Storage
from .failures import Form, digest_of, journaled_failures
from .lines import Lines, on_disk


@dataclass(slots=True)
class FailureCounts:
    """The failures file's lines, counted: those of this run's inputs, and others."""

    failed: int = 0
    invalid: int = 0
    uncertain: int = 0
    others: int = 0

    def count(self, outcome: Failed | Uncertain, is_input: Callable[[str], bool]) -> None:
        """Count one line."""
        if not is_input(outcome.key):
            self.others += 1
        elif isinstance(outcome, Uncertain):
            self.uncertain += 1
        else:
            self.failed += 1
            self.invalid += outcome.reason is Reason.INVALID


class FailuresFile:
    """Written from the journal's lines, which `offsets` (ascending) name. Raises DiskTrouble from all that writes.

    One that is not appended to is being read as input; nor is one that somebody's columns do not fit.
    """

    def __init__(self, storage: Storage, files: Files, form: Form, *, is_appended: bool) -> None:
        self._storage = storage
        self._files = files
        self._form = form
        self._is_appended = is_appended and form.fits(storage, files.failures)

    def open(self, lines: Lines) -> None:
        """Take the open file."""
        self._lines = lines

    def begin(self) -> None:
        """Write what a new file begins with."""
        if self._is_appended and self._lines.size() == 0 and (start := self._form.head()):
            self._lines.write(start)

    def append(self, outcome: Failed | Uncertain) -> None:
        """One more line, of an outcome that the journal holds."""
        if self._is_appended:
            self._lines.write(self._form.line(outcome))

    async def sync(self) -> None:
        """Return once what was appended is durable."""
        await self._lines.sync()

    def count(self, offsets: list[int], is_input: Callable[[str], bool]) -> FailureCounts:
        """Count these lines, and leave the file as it is."""
        held = FailureCounts()
        for outcome in journaled_failures(self._storage, self._files.journal, offsets):
            held.count(outcome, is_input)
        return held

    def measure(self, offsets: list[int]) -> tuple[int, str]:
        """Size in bytes and digest of a file of these lines."""
        return digest_of(self._chunks(offsets, lambda _: None))

    def replace(self, offsets: list[int], is_input: Callable[[str], bool]) -> FailureCounts:
        """Make it a file of these lines, in one step, and count them."""
        held = FailureCounts()
        with on_disk(self._files.failures, "replace"):
            self._storage.replace(
                self._files.failures, self._chunks(offsets, lambda outcome: held.count(outcome, is_input))
            )
        return held

    def _chunks(self, offsets: list[int], see: Callable[[Failed | Uncertain], None]) -> Iterator[bytes]:
        yield self._form.head()
        for outcome in journaled_failures(self._storage, self._files.journal, offsets):
            see(outcome)
            yield self._form.line(outcome)
