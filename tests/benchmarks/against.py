"""Two checkouts measured in turn, round by round, so that the machine's swings meet both; ratios of each line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from .measure import Checkout, measuring
from .table import Line, Target
from .targets import TARGETS, Bench

MOST_WORSE = 1.05  # a median beyond this is a regression


def ratios(name: str, bench: Bench, old: Checkout, new: Checkout) -> Sequence[Line]:
    """The lines of one target as new ÷ old, a ratio for each round; where more is better, turned over: above 1 is worse.

    Both checkouts are measured by this one's harness, from the same input files.
    """
    rounds: dict[str, list[float]] = {}
    shown: dict[str, Line] = {}
    for number in range(bench.rounds):
        pair = (old, new) if number % 2 == 0 else (new, old)  # neither always runs first
        taken = {checkout: _measure(name, bench, checkout) for checkout in pair}
        for before, now in zip(taken[old], taken[new], strict=True):
            ratio = median(now.values) / median(before.values)
            rounds.setdefault(now.name, []).append(1 / ratio if _more_is_better(now) else ratio)
            shown[now.name] = replace(now, note=f"last round: {_last(before)} before, {_last(now)} now")
    return [
        replace(shown[line], unit="x", values=values, target=Target("<=", MOST_WORSE, tolerance=0.0))
        for line, values in rounds.items()
    ]


def _measure(name: str, bench: Bench, checkout: Checkout) -> Sequence[Line]:
    with measuring(checkout):
        return TARGETS[name](replace(bench, rounds=1))


def _more_is_better(line: Line) -> bool:
    return line.unit == "docs/s" or (line.target is not None and line.target.sign == ">=")


def _last(line: Line) -> str:
    return f"{median(line.values):.4g} {line.unit}".strip()
