"""Standard error and standard output as batcher uses them: text or JSON lines, never in the way of the run.

A reader that has gone away (`batcher run … | head`, a closed terminal) silences the stream; the run goes on to its end.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TextIO

from ...errors import StopReason
from ...masking import Mask
from ...models import Created, Outcome, Problem, word_of
from ...report.json_fields import fields_of
from .page import Page, page_of

if TYPE_CHECKING:
    from .progress import Snapshot


class Unbreakable:
    """A text stream that swallows the errors of a reader that is gone, and stays quiet from then on.

    `trouble` is what else broke it (a full disk): whoever was to be told something did not get it, or only a part.
    """

    def __init__(self, stream: TextIO) -> None:
        """Wrap a stream; its own buffering is kept."""
        self._stream = stream
        self.broken = False
        self.trouble: OSError | None = None

    def write(self, text: str) -> int:
        """Write, or do nothing once the stream is broken. Characters that it cannot carry are escaped."""
        if not self.broken:
            try:
                self._stream.write(text)
            except UnicodeEncodeError:
                encoding = self._stream.encoding or "ascii"
                self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            except (OSError, ValueError) as error:
                self._break(error)
        return len(text)

    def flush(self) -> None:
        """Flush, or do nothing once the stream is broken."""
        if not self.broken:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._break(error)

    def isatty(self) -> bool:
        return not self.broken and self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def _break(self, error: OSError | ValueError) -> None:
        """Point the descriptor at nothing, so that the interpreter's last flush does not complain either."""
        self.broken = True
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            self.trouble = error
        try:
            descriptor = self._stream.fileno()
        except (OSError, ValueError):
            return
        nothing = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nothing, descriptor)
        finally:
            os.close(nothing)


class Event(StrEnum):
    """What a line of the JSON log is about; `batcher/report/README.md` says what each holds."""

    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"
    PROGRESS = "progress"
    CREATED = "created"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    UNFINISHED = "unfinished"
    MORE_FAILURES = "more_failures"
    SUMMARY = "summary"
    ERROR = "error"


@dataclass(slots=True)
class Console:
    """Writes messages to standard error, none with a secret. `above` prints text above a bar while there is one.

    `run` is the id of the run, which each line of the JSON log holds.

    `print_found` prints a command's findings where they are what it was asked for; None: they are messages like others.
    """

    stream: Unbreakable
    json: bool = False
    quiet: bool = False
    run: str = ""
    above: Callable[[str], None] | None = None
    mask: Mask = field(default_factory=Mask)
    print_found: Callable[[str], None] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def page(self) -> Page:
        """How the stream looks now."""
        return Page(sys.maxsize) if self.json else page_of(self.stream)

    @property
    def takes_bar(self) -> bool:
        """A bar needs a terminal that can move its cursor, and a log format for people."""
        return not self.json and self.stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")

    def problem(self, problem: Problem, text: str = "", count: int = 1) -> None:
        """`text` is what people read of `count` rows that have this problem, of which it is the first."""
        if self.print_found is not None and not self.json:
            found = self.mask.text(one_line(text or str(problem)))
            if self.above is not None and sys.stdout.isatty():  # a bar is painted in the same window
                self.above(self.page.wrap(found))
            else:
                self.print_found(found)
            return
        place = {"source": problem.source, "line": problem.line, "field": problem.field}
        rows = {} if count == 1 else {"rows": count}
        self._put("error", Event.PROBLEM, text or str(problem), place | rows)

    def warning(self, message: str) -> None:
        self._put("warning", Event.WARNING, message, {}, prefix="warning: ")

    def notice(self, message: str) -> None:
        """What a signal does; shown even with -q."""
        self._put("warning", Event.WARNING, message, {})

    def error(self, message: str, code: int, stop_reason: StopReason) -> None:
        """What ends the command."""
        fields = {"exitCode": code, "stoppedReason": stop_reason}
        self._put(_level(code), Event.ERROR, message, fields, prefix="batcher: ")

    def note(self, message: str) -> None:
        """An explanation; not with -q."""
        if not self.quiet:
            self._put("info", Event.NOTE, message, {})

    def progress(self, snapshot: Snapshot, line: str) -> None:
        counts = fields_of(snapshot, "created failed uncertain left requests in_flight seconds_left")
        self._put("info", Event.PROGRESS, line, counts)

    def outcome(self, outcome: Outcome) -> None:
        """One row's outcome."""
        place: dict[str, object] = {"key": outcome.key, "source": outcome.source, "line": outcome.line}
        where = f"{outcome.source}:{outcome.line}"
        if isinstance(outcome, Created):
            self._put("info", Event.CREATED, f"{where}: {outcome.how}: {outcome.url}", place | {"url": outcome.url})
            return
        kind = Event(word_of(outcome))
        reason: dict[str, object] = fields_of(outcome, "reason status hint")
        self._put("warning", kind, f"{where}: {kind} ({outcome.reason}): {outcome.message}", place | reason)

    def more_failures(self, count: int) -> None:
        """How many rows the log doesn't name."""
        rows = "1 more row" if count == 1 else f"{count:,} more rows"
        self._put(
            "warning",
            Event.MORE_FAILURES,
            f"{rows} failed, uncertain or unfinished: see the failures file",
            {"rows": count},
        )

    def summary(self, text: str, fields: Mapping[str, object], code: int) -> None:
        """The closing words; with -q only in a log, of a command that didn't do everything."""
        if not self.quiet or (self.json and code):
            message = text.partition("\n")[0] if self.json else text  # the rest is in the fields
            self._put(_level(code), Event.SUMMARY, message, {"exitCode": code} | dict(fields))

    def _put(self, level: str, event: Event, message: str, fields: Mapping[str, object], *, prefix: str = "") -> None:
        if self.json:
            begin = {"time": _now(), "level": level, "event": event, "run": self.run, "message": message}
            line = as_json(begin | dict(fields)).decode()
        elif event is Event.SUMMARY:
            line = message
        else:
            line = self._laid_out(prefix, one_line(message), level)
        line = self.mask.text(line)
        above = self.above
        if above is not None:
            above(line)
            return
        with self._lock:
            self.stream.write(line + "\n")
            self.stream.flush()

    def _laid_out(self, prefix: str, message: str, level: str) -> str:
        """Wrapped in a window; a line of a log stays one, so that it's found."""
        page = self.page
        text = page.wrap(prefix + message) if self.stream.isatty() else prefix + message
        mark = {"warning": page.yellow, "error": page.red}.get(level, page.bold)
        return text.replace(prefix, mark(prefix), 1) if prefix else text


def _level(code: int) -> str:
    """Of the line that ends a command with this exit code."""
    return {0: "info", 4: "warning", 6: "warning", 130: "warning"}.get(code, "error")


def count(number: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def one_line(message: str) -> str:
    """A message without control characters: what a server or a spreadsheet wrote must not move the cursor."""
    if message.isprintable():
        return message
    return "".join(c if c.isprintable() else (" " if c in "\n\t" else f"\\x{ord(c):02x}") for c in message)


def print_text(text: str, *, is_for_people: bool = False) -> OSError | None:
    """A result on standard output; what hindered that, if anything did (no reader that is gone).

    For people its lines are wrapped in a window; what is piped has the same lines at any width.
    """
    out = Unbreakable(sys.stdout)
    if is_for_people and out.isatty():
        text = "\n".join(map(page_of(out).wrap, text.split("\n")))
    out.write(text + "\n")
    out.flush()
    return out.trouble


def as_json(fields: Mapping[str, object], *, is_indented: bool = False) -> bytes:
    """One object, without a newline. What is not text (a file's name in another encoding) shows as `?`."""
    import json  # noqa: PLC0415 - text output does without

    form: dict[str, Any] = {"indent": 2} if is_indented else {"separators": (",", ":")}
    return json.dumps(fields, ensure_ascii=False, default=str, **form).encode("utf-8", "replace")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
