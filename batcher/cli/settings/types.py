"""What the values of options look like. The environment and configuration files are parsed by the same types."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...models import ApiVersion
from ...pace.rate import Rate
from .durations import parse_duration, parse_seconds

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Parsed(click.ParamType):  # type: ignore[type-arg] # generic only in newer releases of click
    """A type that is one function from a text to a value. It raises ValueError saying what is allowed.

    `offers` are the values that a press of Tab offers.
    """

    def __init__(self, parse: Callable[[str], object], offers: Sequence[str] = ()) -> None:
        """Take the function, whose name is the type's."""
        self.name = parse.__name__
        self._parse = parse
        self._offers = offers

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The parsed value. Raises click.BadParameter."""
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The values that begin like this."""
        del ctx, param
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - only on a press of Tab

        return [CompletionItem(offer) for offer in self._offers if offer.startswith(incomplete)]


def whole(least: int, most: int) -> Parsed:
    """Whole numbers between two bounds."""

    def integer(text: str) -> int:
        number = int(text) if re.fullmatch(r"[+-]?\d{1,15}", text.strip()) else None
        if number is None or not least <= number <= most:
            raise ValueError(f"{text!r} isn't allowed; use a whole number from {least:,} to {most:,}")
        return number

    return Parsed(integer)


def _seconds(text: str) -> float:
    number = parse_seconds(text)
    if not 0.1 <= number <= 3600:
        raise ValueError(f"{text!r} isn't allowed; use 0.1 to 3,600 seconds")
    return number


SECONDS = Parsed(_seconds)  # a number of seconds, or a duration with its unit; it bounds one request
DURATION = Parsed(parse_duration)
RATE = Parsed(Rate.parse, ("60/min", "500/min", "30/10s", "none"))


def _version(text: str) -> ApiVersion:
    try:
        return ApiVersion(text.strip().lower())
    except ValueError:
        raise ValueError(f"{text!r} isn't allowed; use {' or '.join(ApiVersion)}") from None


API_VERSION = Parsed(_version, tuple(ApiVersion))


def fault_offers(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The kinds of faults that begin like this; `--faults` says what can follow one."""
    del ctx, param
    from ...sandbox.fault_kinds import Kind  # noqa: PLC0415 - only on a press of Tab

    statuses = {Kind.STATUS: ("429", "500", "502", "503"), Kind.STATUS_AFTER: ("200-after", "500-after", "503-after")}
    kinds = [word for kind in Kind for word in statuses.get(kind, (kind.value,))]
    return [word for word in kinds if word.startswith(incomplete)]


def file_named(text: str) -> Path:
    """The file that was named; a `~` that begins with nobody's home is a name like any other."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)
