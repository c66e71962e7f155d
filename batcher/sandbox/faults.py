"""Faults on request: what can go wrong, when, and the text that asks for it (`--fault`)."""

from __future__ import annotations

import difflib
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from .calls import Call
from .fault_kinds import Effect, Kind

_STATUSES = (Kind.STATUS, Kind.STATUS_AFTER)
_BY_WORD = {kind.value: kind for kind in Kind if kind not in _STATUSES}
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "ANY"})
_LOWEST_REFUSAL = 400


@dataclass(frozen=True, slots=True)
class Chance:
    """Each matching call, with this probability."""

    probability: float


@dataclass(frozen=True, slots=True)
class Calls:
    """The matching calls with these numbers, counted from 1; an open range has no end."""

    ranges: tuple[tuple[int, int | None], ...]


@dataclass(frozen=True, slots=True)
class Every:
    """Every Nth matching call."""

    step: int


When = Chance | Calls | Every
ALWAYS = Calls(((1, None),))


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `method` None is any.

    Only from Python: `matching` narrows the calls further, `body` replaces that of a status.
    """

    kind: Kind
    status: int = 0
    value: str | None = None
    method: str | None = "POST"
    path: str = ""
    when: When = ALWAYS
    text: str = field(default="", compare=False)
    matching: Callable[[Call], bool] | None = None
    body: bytes | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read one fault as `FAULT_HELP` describes. Raises ValueError whose text says what is allowed."""
        match text.split():
            case [what]:
                fault = _parse_what(text, what)
                return replace(fault, method=fault.kind.method)
            case [method, what]:
                return replace(_parse_what(text, what), method=_parse_method(text, method))
            case [method, path, what] if path.startswith("/"):
                return replace(_parse_what(text, what), method=_parse_method(text, method), path=path)
            case _:
                raise ValueError(
                    f"fault {text!r}: write [METHOD [PATH]] KIND[=VALUE][WHEN], for example reset-after/20"
                )

    @property
    def number(self) -> float:
        """The value as seconds, megabytes or status, whichever this kind takes; its default where none was given."""
        return float(self.value) if self.value is not None else self.kind.default or 0.0

    @property
    def is_main(self) -> bool:
        """Whether it decides how the call ends; the others come on top."""
        return self.kind.effect is not Effect.ADDITIONAL

    def reaches(self, call: Call) -> bool:
        """Whether this call is one that the fault counts."""
        if self.method not in (None, call.method) or not call.path.startswith(self.path):
            return False
        return self.matching is None or self.matching(call)

    def __str__(self) -> str:
        return self.text or self.kind.value


class Faults:
    """Decides for each call which faults it meets. Same seed and same order of calls: same faults."""

    def __init__(self, faults: Sequence[Fault], seed: int) -> None:
        self._early = [_Counted(fault, seed, n) for n, fault in enumerate(faults) if fault.kind is Kind.EARLY]
        self._others = [_Counted(fault, seed, n) for n, fault in enumerate(faults) if fault.kind is not Kind.EARLY]

    def early(self, call: Call) -> Fault | None:
        """The fault that answers before the body is read, if this call meets one."""
        return next((counted.fault for counted in self._early if counted.is_due(call)), None)

    def met_by(self, call: Call) -> Sequence[Fault]:
        """All faults of this call, at most one of them (the first that was asked for) being more than a side effect."""
        if not self._others:
            return ()
        due = [counted.fault for counted in self._others if counted.is_due(call)]
        main = [fault for fault in due if fault.is_main][:1]
        return [fault for fault in due if not fault.is_main] + main


class _Counted:
    """One fault with the number of calls that it has seen, and its own dice."""

    def __init__(self, fault: Fault, seed: int, position: int) -> None:
        self.fault = fault
        self._calls = 0
        self._dice = random.Random(f"{seed}/{position}")

    def is_due(self, call: Call) -> bool:
        if not self.fault.reaches(call):
            return False
        self._calls += 1
        match self.fault.when:
            case Chance(probability):
                return self._dice.random() < probability
            case Every(step):
                return self._calls % step == 0
            case Calls(ranges):
                return any(first <= self._calls and (last is None or self._calls <= last) for first, last in ranges)


def _parse_what(text: str, what: str) -> Fault:
    parts = re.fullmatch(r"([a-z0-9-]+)(?:=([^:@/]*))?([:@/][^:@/]+)?", what)
    if parts is None:
        raise ValueError(f"fault {text!r}: write KIND[=VALUE][WHEN], for example slow=2.5:0.1")
    name, value, when = parts.groups()
    kind, status = _parse_kind(text, name)
    if value is not None:
        _check_value(text, kind, value)
    return Fault(kind, status=status, value=value, when=_parse_when(text, kind, when), text=text)


def _parse_kind(text: str, name: str) -> tuple[Kind, int]:
    if kind := _BY_WORD.get(name):
        return kind, 0
    if number := re.fullmatch(r"([2-5]\d\d)(-after)?", name):
        status = int(number[1])
        if number[2]:
            return Kind.STATUS_AFTER, status
        if status >= _LOWEST_REFUSAL:
            return Kind.STATUS, status
        raise ValueError(
            f"fault {text!r}: a status is 400 to 599; {name}-after carries the request out and answers {name}"
        )
    nearest = difflib.get_close_matches(name, _BY_WORD, n=1)
    meant = f"did you mean {nearest[0]}? Kinds" if nearest else "kinds"
    raise ValueError(
        f"fault {text!r}: there is no kind {name!r}; {meant} are STATUS, STATUS-after, {', '.join(_BY_WORD)}"
    )


def _check_value(text: str, kind: Kind, value: str) -> None:
    if kind in _STATUSES:
        return
    if kind.default is None:
        raise ValueError(f"fault {text!r}: {kind} takes no value")
    if not re.fullmatch(r"\d+(\.\d+)?", value):
        raise ValueError(f"fault {text!r}: {kind} takes a number, for example {kind}={kind.default:g}")


def _parse_when(text: str, kind: Kind, when: str | None) -> When:
    if when is None:
        return ALWAYS
    mark, rest = when[0], when[1:]
    if mark == ":":
        return Chance(_parse_probability(text, kind, rest))
    if mark == "/" and re.fullmatch(r"[1-9]\d*", rest):
        return Every(int(rest))
    if mark == "@" and re.fullmatch(r"[1-9]\d*(-\d*)?(,[1-9]\d*(-\d*)?)*", rest):
        return Calls(tuple(_parse_range(part) for part in rest.split(",")))
    raise ValueError(f"fault {text!r}: {when!r} isn't a WHEN; write :0.05, @20, @3,7, @3-8, @3- or /20")


def _parse_probability(text: str, kind: Kind, rest: str) -> float:
    try:
        probability = float(rest)
    except ValueError:
        probability = -1.0
    if 0.0 <= probability <= 1.0:
        return probability
    meant = f"; a value is written {kind}={rest}" if kind.default is not None or kind in _STATUSES else ""
    raise ValueError(f"fault {text!r}: a probability must be between 0 and 1, not {rest}{meant}")


def _parse_range(part: str) -> tuple[int, int | None]:
    first, dash, last = part.partition("-")
    if not dash:
        return int(first), int(first)
    return int(first), int(last) if last else None


def _parse_method(text: str, method: str) -> str | None:
    if method.upper() not in _METHODS:
        raise ValueError(f"fault {text!r}: {method!r} isn't a method; use POST, GET, PUT, PATCH, DELETE or ANY")
    return None if method.upper() == "ANY" else method.upper()
