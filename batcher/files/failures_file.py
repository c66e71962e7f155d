"""The failures file of a run, open: appended to as rows fail, and in the end replaced by exactly the lines that hold."""

from __future__ import annotations

from collections.abc import Iterator

from ..config import Files
from ..models import Failed, Uncertain
from .disk import Storage
from .failures import Form, digest_of, journaled_failures
from .lines import Lines, on_disk


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

    def measure(self, offsets: list[int]) -> tuple[int, str]:
        """Size in bytes and digest of a file of these lines."""
        return digest_of(self._chunks(offsets))

    def replace(self, offsets: list[int]) -> None:
        """Make it a file of these lines, in one step."""
        with on_disk(self._files.failures, "replace"):
            self._storage.replace(self._files.failures, self._chunks(offsets))

    def _chunks(self, offsets: list[int]) -> Iterator[bytes]:
        yield self._form.head()
        for outcome in journaled_failures(self._storage, self._files.journal, offsets):
            yield self._form.line(outcome)
