"""The failures file of a run, open: appended to as rows fail, and in the end replaced by exactly the lines that hold."""

from __future__ import annotations

from collections.abc import Mapping

from ..config import Files
from ..models import Failed, Uncertain
from .disk import Storage
from .failures_view import Form, digest_of, failures_text, is_current
from .key_history import KeyHistory
from .lines import Lines, on_disk


class FailuresFile:
    """Written from the journal. Raises DiskTrouble from all that writes.

    A line waits until the journal holds it durably, so that the file never says anything that the journal does not. After
    the first line that the disk did not take there are no more, so that none is missing in between.
    """

    def __init__(self, storage: Storage, files: Files, form: Form) -> None:
        self._storage = storage
        self._files = files
        self._form = form
        self._lines: Lines | None = None
        self._waiting: list[bytes] = []

    def open(self, lines: Lines) -> None:
        """Take the open file; without it nothing is appended."""
        self._lines = lines

    def append(self, outcome: Failed | Uncertain) -> None:
        """One more line, of an outcome that the journal holds."""
        if self._lines is not None:
            self._waiting.append(self._form.line(outcome))

    def take_waiting(self) -> bytes:
        """The lines that wait for the journal's next fsync."""
        waiting, self._waiting = self._waiting, []
        return b"".join(waiting)

    def write(self, waited: bytes) -> None:
        """Append lines that are durable in the journal now."""
        lines, self._lines = self._lines, None
        if lines is not None and waited:
            lines.write(waited)
        self._lines = lines

    def is_current(self, histories: Mapping[str, KeyHistory]) -> bool:
        """Whether it is exactly what it must be."""
        return is_current(self._storage, self._files.failures, self._files.journal, histories, self._form)

    def measure(self, histories: Mapping[str, KeyHistory]) -> tuple[int, str]:
        """Size in bytes and digest of what it must be."""
        return digest_of(failures_text(self._storage, self._files.journal, histories, self._form))

    def replace(self, histories: Mapping[str, KeyHistory]) -> None:
        """Make it what it must be, in one step."""
        self._waiting = []
        text = failures_text(self._storage, self._files.journal, histories, self._form)
        with on_disk(self._files.failures, "replace"):
            self._storage.replace(self._files.failures, text)
