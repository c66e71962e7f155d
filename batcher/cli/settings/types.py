"""What the values of options look like. The environment and configuration files are parsed by the same types."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ...models import ApiVersion
from ...pace.rate import Rate
from .durations import parse_duration, parse_seconds


class Parsed(click.ParamType):  # type: ignore[type-arg] # generic only in newer releases of click
    """A type that is one function from a text to a value. It raises ValueError saying what is allowed."""

    def __init__(self, parse: Callable[[str], object]) -> None:
        """Take the function, whose name is the type's."""
        self.name = parse.__name__
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The parsed value. Raises click.BadParameter."""
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


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
RATE = Parsed(Rate.parse)


def _version(text: str) -> ApiVersion:
    try:
        return ApiVersion(text.strip().lower())
    except ValueError:
        raise ValueError(f"{text!r} isn't allowed; use {' or '.join(ApiVersion)}") from None


API_VERSION = Parsed(_version)


def file_named(text: str) -> Path:
    """The file that was named; a `~` that begins with nobody's home is a name like any other."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)
