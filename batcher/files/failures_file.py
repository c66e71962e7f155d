"""The failures file of a run, open: appended to as rows fail, and in the end replaced by exactly the lines that hold."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

from ..config import Files
from ..models import Failure
from .disk import Storage
from .failures_view import Form, digest_of, failures_text, is_current
from .history import Reported
from .lines import Lines
from .trouble import on_disk


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
        self._written: hashlib.blake2b | None = None  # what the file holds if nobody else writes to it

    def open(self, lines: Lines) -> None:
        """Take the open file; without it nothing is appended. A new one gets what such a file begins with."""
        if lines.size() == 0 and (head := self._form.head()):
            lines.write(head)
        self._lines = lines

    def watch(self) -> None:
        """Remember what the file holds now."""
        self._written = self._read()

    def keep_edited(self, run: str) -> Path | None:
        """A file that somebody else has written to since `watch` is copied before it is replaced; the copy's path."""
        before, self._written = self._written, None
        if before is None or self._storage.size(self._files.failures) is None:
            return None
        if self._read().digest() == before.digest():
            return None
        path = self._files.failures
        kept = next(
            name
            for number in itertools.count(1)
            if self._storage.size(
                name := path.with_name(f"{path.stem}.{run}{f'-{number}' * (number > 1)}{path.suffix}")
            )
            is None
        )
        with on_disk(kept, "write"):
            self._storage.copy(path, kept)
        return kept

    def _read(self) -> hashlib.blake2b:
        written = hashlib.blake2b(digest_size=16)
        if self._storage.size(self._files.failures):
            with on_disk(self._files.failures, "read"), self._storage.read(self._files.failures) as stream:
                while piece := stream.read(1 << 20):
                    written.update(piece)
        return written

    def append(self, outcome: Failure) -> None:
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
        written, self._written = self._written, None  # what a failed write leaves behind is no edit
        if lines is not None and waited:
            lines.write(waited)
            if written is not None:
                written.update(waited)
        self._lines, self._written = lines, written

    def is_current(self, reported: Reported) -> bool:
        """Whether it is exactly what it must be."""
        return is_current(self._storage, self._files.failures, self._files.journal, reported, self._form)

    def measure(self, reported: Reported) -> tuple[int, str]:
        """Size in bytes and digest of what it must be."""
        return digest_of(failures_text(self._storage, self._files.journal, reported, self._form))

    def replace(self, reported: Reported) -> None:
        """Make it what it must be, in one step."""
        self._waiting = []
        text = failures_text(self._storage, self._files.journal, reported, self._form)
        with on_disk(self._files.failures, "replace"):
            self._storage.replace(self._files.failures, text)
