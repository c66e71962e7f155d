"""What stands for a record that can't be read: its text, short enough to keep, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

TOO_LONG = "is longer than --max-row-bytes allows"
_MOST_CHARACTERS = 10_000  # kept of a broken record, which may be the rest of the file
_MOST_BYTES = 1000  # kept of a line that is too long


@dataclass(frozen=True, slots=True)
class Broken:
    """A record that can't be read. A row's key is made of `text`, so the same record always has the same text."""

    text: str
    fault: str


def shortened(text: str) -> str:
    """The text of a broken record: how it begins, and a hash that tells it from others that begin alike."""
    if len(text) <= _MOST_CHARACTERS:
        return text
    digest = blake2b(text.encode(), digest_size=8).hexdigest()
    return f"{text[:_MOST_CHARACTERS]}… ({len(text)} characters, {digest})"


class LongLine:
    """A line that is too long, which comes in pieces. Only its beginning, its size and a hash are kept."""

    def __init__(self, piece: bytes) -> None:
        self._start = b""
        self._digest = blake2b(digest_size=8)
        self._size = 0
        self.add(piece)

    def add(self, piece: bytes) -> None:
        """Take the next piece."""
        self._start += piece[: _MOST_BYTES - len(self._start)]
        self._digest.update(piece)
        self._size += len(piece)

    def broken(self) -> Broken:
        """What stands for the line."""
        start = self._start.decode("utf-8", "replace")
        return Broken(f"{start}… ({self._size} bytes, {self._digest.hexdigest()})", TOO_LONG)
