"""How text is laid out for people: lines that fit the window, and colors where they are wanted, never as the only sign."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

WIDEST = 80  # columns; longer lines are hard to read, however wide the window is
_NARROWEST = 20  # a window that claims to be narrower is asked for too much
_HANGING = "  "
_QUOTED = re.compile(r"`[^`]+`")
_NO_BREAK = "\0"  # in no message: what is printed has no control characters
_CODES = {"red": 31, "yellow": 33, "bold": 1}


class Stream(Protocol):
    """What is asked of a stream."""

    def isatty(self) -> bool:
        """Whether it is a terminal."""

    def fileno(self) -> int:
        """Its descriptor. Raises OSError or ValueError if it has none."""


@dataclass(frozen=True, slots=True)
class Page:
    """Columns to write in, and whether colors may be used. Without a terminal: 80, and none."""

    width: int = WIDEST
    is_colored: bool = False

    def wrap(self, line: str) -> str:
        """A line in several that fit: broken between words, the further ones indented a little more.

        Words stay whole, and so does what is in backticks: a command that is there to be copied.
        """
        if len(line) <= self.width:
            return line
        text = line.lstrip(" ")
        indent = line[: len(line) - len(text)]
        kept = _QUOTED.sub(lambda match: match[0].replace(" ", _NO_BREAK), text)
        wrapped = textwrap.fill(
            kept,
            self.width,
            initial_indent=indent,
            subsequent_indent=indent + _HANGING,
            break_long_words=False,
            break_on_hyphens=False,
        )
        return wrapped.replace(_NO_BREAK, " ")

    def red(self, text: str) -> str:
        """What failed."""
        return self._styled("red", text)

    def yellow(self, text: str) -> str:
        """What needs a look."""
        return self._styled("yellow", text)

    def bold(self, text: str) -> str:
        """What to do next."""
        return self._styled("bold", text)

    def _styled(self, style: str, text: str) -> str:
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self.is_colored else text


PLAIN = Page()


def page_of(stream: Stream, environ: Mapping[str, str] = os.environ) -> Page:
    """The page that a stream is now: its window is asked each time, since people resize it."""
    return Page(min(WIDEST, window_of(stream) or WIDEST), _is_colored(stream, environ))


def window_of(stream: Stream) -> int | None:
    """Columns of the window behind a stream; None if there is none, or it doesn't say."""
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return None
    return max(_NARROWEST, columns) if columns else None


def _is_colored(stream: Stream, environ: Mapping[str, str]) -> bool:
    """NO_COLOR forbids it, FORCE_COLOR wants it on a pipe, too (a CI's log); else a terminal that can do it has it."""
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    return bool(environ.get("FORCE_COLOR")) or (stream.isatty() and bool(environ.get("TERM")))
