"""What is fuzzed: bytes go in, and laws are held against what comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True, slots=True)
class Target:
    """One way in. `hold` raises whatever it must not raise, and AssertionError for a law that is broken.

    `words` are what a mutation may put in; `most` is how many bytes an input may have. With `is_slow` an execution takes
    milliseconds, so that the suite tries fewer.
    """

    name: str
    hold: Callable[[bytes], None]
    words: tuple[bytes, ...] = ()
    most: int = 4096
    is_slow: bool = False

    @property
    def seeds(self) -> list[Path]:
        """The files that mutations begin with, and those that once broke a law."""
        return sorted((CORPUS / self.name).iterdir())
