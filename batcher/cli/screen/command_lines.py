"""Command lines that can be pasted: the same one again, or with another input."""

from __future__ import annotations

import shlex
from collections.abc import Sequence


def again(argv: Sequence[str]) -> str:
    """The same command line."""
    return shlex.join(["batcher", *argv])


def with_inputs(argv: Sequence[str], old: Sequence[str], new: Sequence[str], extra: Sequence[str] = ()) -> str:
    """The same command line with other inputs, which stand where the first input stood, and further options."""
    left = list(old)
    kept: list[str] = []
    for position, word in enumerate(argv):
        value_of_option = position > 0 and argv[position - 1].startswith("--") and argv[position - 1] in _WITH_VALUE
        if word in left and not value_of_option:
            if len(left) == len(old):
                kept.extend(new)
            left.remove(word)
        else:
            kept.append(word)
    return shlex.join(["batcher", *kept, *extra])


def without(argv: Sequence[str], option: str) -> list[str]:
    """The words without an option and its value."""
    kept: list[str] = []
    skip = False
    for word in argv:
        if skip:
            skip = False
        elif word == option:
            skip = option in _WITH_VALUE
        elif not word.startswith(f"{option}="):
            kept.append(word)
    return kept


_WITH_VALUE = frozenset(
    [
        "--base-url",
        "--instance",
        "--profile",
        "--config",
        "--results",
        "--failures",
        "--rate",
        "--concurrency",
        "--max-attempts",
        "--timeout",
        "--fsync-ms",
        "--limit",
        "--deadline",
        "--give-up-after",
        "--stop-after",
        "--format",
        "--sheet",
        "--max-row-bytes",
        "--namespace",
        "--summary",
        "--log-format",
    ]
)


def only(argv: Sequence[str], options: Sequence[str]) -> list[str]:
    """The words of these options and their values."""
    kept: list[str] = []
    value_of = False
    for word in argv:
        name = word.partition("=")[0]
        if value_of or name in options:
            kept.append(word)
        value_of = not value_of and word in options and word in _WITH_VALUE
    return kept
