"""The one table: what was measured beside its target, with the spread of the rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles

TOLERANCE = 0.10  # the machine's noise: a median this near to the target counts as reached


@dataclass(frozen=True, slots=True)
class Target:
    """What must be reached: at least (`>=`) or at most (`<=`) this much."""

    sign: str
    value: float
    tolerance: float = TOLERANCE

    def judged(self, median: float) -> str:
        """In a word."""
        short = 1 - median / self.value if self.sign == ">=" else median / self.value - 1
        return "reached" if short <= 0 else f"within {self.tolerance:.0%}" if short <= self.tolerance else "MISSED"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table; `values` has one number for each round."""

    name: str
    unit: str
    values: Sequence[float]
    target: Target | None = None
    note: str = ""

    def cells(self) -> tuple[str, ...]:
        """As shown."""
        low, median, high = _quartiles(self.values)
        spread = f"{_short(low)} to {_short(high)}" if len(self.values) > 1 else ""
        goal = f"{self.target.sign} {_short(self.target.value)}" if self.target else ""
        verdict = self.target.judged(median) if self.target else ""
        return (self.name, f"{_short(median)} {self.unit}".strip(), spread, goal, verdict, self.note)


HEAD = ("what", "median", "quartiles", "target", "", "note")


def text(lines: Sequence[Line]) -> str:
    """A Markdown table, readable as it is."""
    rows = [HEAD, *(line.cells() for line in lines)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEAD))]
    shown = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    shown.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(shown)


def _quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, median, high = quantiles(values, n=4, method="inclusive")
    return low, median, high


def _short(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
