"""Is a 429 about the row or about the rate? About the row if it keeps coming while others pass (contract 8)."""

from __future__ import annotations

TOO_OFTEN = 5  # this many 429s in a row for one row, while others pass: a firewall may object to its content


class LimitedRows:
    """The rows that were answered 429 since they last passed. `passed` counts all answers that no brake held up."""

    def __init__(self) -> None:
        self.passed = 0
        self._limits: dict[str, tuple[int, int]] = {}  # row → how many 429s; how many had passed at the last of them

    def add(self, row: str) -> bool:
        """Note a 429. Whether it's about the row: it had one before, and others passed since.

        Then nobody else is to blame, and the pace need not be lowered for all that follow.
        """
        times, passed_before = self._limits.get(row, (0, -1))
        is_next = self.passed > passed_before
        self._limits[row] = (times + is_next, self.passed)
        return is_next and times > 0

    def is_hopeless(self, row: str) -> bool:
        """Whether there's no point in sending this row again."""
        return self._limits.get(row, (0, 0))[0] >= TOO_OFTEN

    def passes(self, row: str) -> None:
        """Another answer than 429 or maintenance."""
        self.passed += 1
        self._limits.pop(row, None)
