"""Arguments that a program gives, refused by name where it gives them, not somewhere deep inside (contract 12)."""

from __future__ import annotations

from collections.abc import Callable

_NAMES = {str: "text", bool: "True or False", int: "a whole number", float: "a number", Callable: "something to call"}


def expect(name: str, value: object, *kinds: type | None) -> None:
    """Raise TypeError unless the value is of one of these kinds. A float may be whole; True and False are no numbers."""
    for kind in kinds:
        if kind is None:
            if value is None:
                return
        elif isinstance(value, (int, float) if kind is float else kind) and (
            kind is bool or not isinstance(value, bool)
        ):
            return
    raise TypeError(f"{name} must be {' or '.join(map(_words_of, kinds))}, not {type(value).__name__}")


def ignore(_: object) -> None:
    """What is called where a program gives nothing to call."""


def expect_at_least(name: str, value: float | None, least: float) -> None:
    """Raise ValueError for a number that is too small, or none at all (NaN)."""
    if value is not None and not value >= least:
        raise ValueError(f"{name} must be at least {least:g}, not {value:g}")


def _words_of(kind: type | None) -> str:
    if kind is None:
        return "None"
    module = "batcher." if kind.__module__.startswith("batcher") else ""
    return _NAMES.get(kind) or f"a {module}{kind.__name__}"
