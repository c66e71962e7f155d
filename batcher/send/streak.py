"""The same trouble again and again: then its cause isn't the rows (contract 9)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Streak:
    """How many in a row ended the same way. `limit` 0: however many do, it's never too long."""

    limit: int
    text: str = ""
    times: int = 0

    def add(self, text: str, *own: str | None) -> bool:
        """One more ended like this; whether the streak is too long now. `own`: parts that differ from row to row."""
        for part in own:
            text = text.replace(part, "…") if part else text
        self.times = self.times + 1 if text == self.text else 1
        self.text = text
        return 0 < self.limit <= self.times

    def end(self) -> None:
        """One that ended well."""
        self.text, self.times = "", 0
