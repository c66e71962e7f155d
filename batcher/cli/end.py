"""How a command ends: every error as one line and one exit code; a traceback only where it helps; a key nowhere."""

from __future__ import annotations

import difflib
import os
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ..errors import BatcherError, DiskTrouble, InternalError, StopReason, UsageError
from ..masking import Mask
from .at_end import call, checked_metrics, metrics_of, missing, words_of
from .final_files import writable, write
from .screen.console import Console, Unbreakable, as_json, print_text
from .settings.key_sources import passwords_in, secrets_of
from .settings.options import Option
from .settings.types import file_named

if TYPE_CHECKING:
    from .settings.given import Given

INTERRUPTED = 130
_ABOVE_NOT_WRITTEN = (0, 1, 5, 6)  # codes that give way to "stopped early" (contract 10)
UNSENT = "interrupted before anything was sent"


@dataclass(slots=True)
class Invocation:
    """One command line: what was typed, how it speaks, and its exit code once that is known.

    `beside` is the directory of the results, where a traceback may go.
    """

    argv: tuple[str, ...]
    started: float
    command: str = ""
    console: Console = field(default_factory=lambda: Console(Unbreakable(sys.stderr)))
    json: bool = False
    verbose: bool = False
    summary: Path | None = None
    metrics: Path | None = None
    on_end: tuple[str, ...] = ()
    beside: Path | None = None
    has_sent: Callable[[], bool] = bool
    release: Callable[[], None] = lambda: None
    code: int = 0

    def __post_init__(self) -> None:
        """Know the secrets, and guess the log format for errors that come before the options are read."""
        text = f"{os.environ.get('BATCHER_LOG_FORMAT', '')} {' '.join(self.argv)}"
        self.console.run = os.urandom(4).hex()
        self.console.mask = Mask.of(secrets_of(os.environ))
        self.console.json = re.match(r"json |.*--log-format[ =]json", text, re.IGNORECASE) is not None

    def set_output(self, option: str, value: Any) -> None:
        """Follow an output option, by its parameter's name. Raises UsageError for a file that can't be written."""
        match option:
            case "json":
                self.json = value
            case "verbose":
                self.verbose = value
            case "quiet":
                self.console.quiet = value
            case "log_format":
                self.console.json = value == "json"
            case "on_end":
                self.on_end = () if value is None else words_of(value)
            case "metrics_file":
                self.metrics = None if value is None else checked_metrics(file_named(value))
            case _:
                self.summary = None if value is None else writable(file_named(value), "--summary")

    def use(self, given: Given) -> None:
        """Pass on the notes about the target, and keep its keys out of everything that is said. Raises UsageError."""
        secrets = given.target.secrets | frozenset(passwords_in(given.pace_store or ""))
        self.console.mask = self.console.mask.and_of(secrets)
        for note in given.target.notes:
            self.console.warning(note)
        if (absent := missing(self.on_end)) is not None:
            self.console.warning(absent)

    def failed(self, message: str, stop_reason: StopReason) -> None:
        """Say what ended the command, on standard error and, if asked for, as the final object."""
        self.console.error(message, self.code, stop_reason)
        self.final({"error": message, "stoppedReason": stop_reason})

    def final(self, fields: Mapping[str, object]) -> None:
        """Print the final object with `--json`, and write it where it is asked for. What of that fails shows in `code`.

        Then the command of `--on-end` is called, which shows in nothing but a warning.
        """

        def whole() -> dict[str, object]:
            return {"command": self.command, "exitCode": self.code} | dict(fields)

        def written() -> bytes:
            return self.console.mask.body(as_json(whole(), is_indented=True)) + b"\n"

        if self.summary is not None and (trouble := write(self.summary, written())):
            self._not_written(f"--summary {self.summary}", trouble)
        if self.json and (trouble := print_text(self.clean(as_json(whole()).decode()))):
            self._not_written("standard output", trouble)
            if self.summary is not None:
                write(self.summary, written())  # with the code that it is now
        if self.metrics is not None and (trouble := write(self.metrics, metrics_of(self.metrics, whole()))):
            self._not_written(f"--metrics-file {self.metrics}", trouble)
        if self.on_end and (trouble_of_hook := call(self.on_end, written())):
            self.console.warning(trouble_of_hook)

    def print(self, text: str) -> None:
        """Print what was asked for on standard output, for people or pipes."""
        if trouble := print_text(self.clean(text), is_for_people=True):
            self._not_written("standard output", trouble)

    def _not_written(self, where: str, trouble: OSError) -> None:
        """Whoever waits for it must not take silence for success, as when the disk is full."""
        if self.code in _ABOVE_NOT_WRITTEN:
            self.code = DiskTrouble.exit_code if self.has_sent() else UsageError.exit_code
        state = "Everything sent is recorded" if self.has_sent() else "Nothing was sent"
        self.console.error(
            f"{where}: can't be written: {trouble.strerror or trouble}. {state}; free up space or name another file, "
            "and run the same command again",
            self.code,
            StopReason.DISK,
        )

    def clean(self, text: str) -> str:
        """The text without any key that is known to this process."""
        return self.console.mask.text(text)


@contextmanager
def end(invocation: Invocation) -> Iterator[None]:
    """Turn whatever a command raises into its message and exit code."""
    try:
        yield
    except KeyboardInterrupt:
        invocation.code = INTERRUPTED
        message = "interrupted; the next run settles the requests that were in flight"
        invocation.failed(message if invocation.has_sent() else UNSENT, StopReason.INTERRUPTED)
    except BatcherError as error:
        invocation.code = error.exit_code
        if isinstance(error, InternalError):
            _keep_traceback(invocation)
        invocation.failed(str(error), error.stop_reason)
    except BrokenPipeError:
        invocation.code = 0  # the reader of --help or the like has seen enough
    except BaseExceptionGroup as group:
        _group(invocation, group)
    except Exception as error:  # noqa: BLE001 - the last stop before the user
        if _is_of_machine(error) and not invocation.has_sent():
            _refused(invocation, error)
        else:
            _unexpected(invocation, error)
    finally:
        Unbreakable(sys.stdout).flush()


def usage_text(error: click.ClickException) -> str:
    """What click complains of, and what to type instead."""
    context = getattr(error, "ctx", None)
    where = context.command_path if context else "batcher"
    match error:
        case click.NoSuchOption() if re.search(r"key|token", error.option_name, re.IGNORECASE):
            message = f"no option {error.option_name}: others could read a key there; set OMNI_API_KEY instead"
        case click.NoSuchOption():
            near = difflib.get_close_matches(error.option_name, error.possibilities or [], n=1)
            message = f"no option {error.option_name}" + (f"; did you mean {near[0]}?" if near else "")
        case click.MissingParameter():
            message = f"{(error.param and error.param.metavar) or 'an argument'} is missing"
        case click.BadParameter(param=Option() as option) if context is not None:
            is_environment = context.get_parameter_source(str(option.name)) is ParameterSource.ENVIRONMENT
            return f"{option.variable if is_environment else option.flag}: {error.message.rstrip('.')}"
        case _:
            sentence = error.format_message().rstrip(".")
            message = f"{sentence[:1].lower()}{sentence[1:]}"
    return f"{message} (help: {where} --help)"


def _group(invocation: Invocation, group: BaseExceptionGroup[BaseException]) -> None:
    """Task groups wrap what ended them; the one error of ours, or an interrupt, is what counts."""
    is_unsent = not invocation.has_sent()
    ours, rest = group.split(
        lambda error: isinstance(error, BatcherError | KeyboardInterrupt) or (is_unsent and _is_of_machine(error))
    )
    if rest is not None or ours is None:
        _unexpected(invocation, group)
        return
    error: BaseException = ours.subgroup(KeyboardInterrupt) or ours
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    with end(invocation):
        raise error


def _is_of_machine(error: BaseException) -> bool:
    """Python says RuntimeError, and no kind of it, where a thread or a home directory can't be had."""
    return isinstance(error, OSError) or type(error) is RuntimeError


def _refused(invocation: Invocation, error: BaseException) -> None:
    """What the machine refused before anything was sent: a file, a descriptor, a thread. That's no bug of ours."""
    if invocation.verbose:
        _keep_traceback(invocation)
    what = ""
    if isinstance(name := getattr(error, "filename", None), str | bytes):
        what = f"{os.fsdecode(name)}: "
    elif isinstance(error, FileNotFoundError):
        what = "the working directory: "  # what has no name, and is missing all the same
    invocation.code = UsageError.exit_code
    said = getattr(error, "strerror", None) or str(error)
    message = f"{what}{said}. Nothing was sent; fix that and run it again (-v for the details)"
    invocation.failed(message, StopReason.USAGE)


def _unexpected(invocation: Invocation, error: BaseException) -> None:
    invocation.code = InternalError.exit_code
    kept = _keep_traceback(invocation)
    where = f"the details are in {kept}" if kept else "run it again with -v for the details"
    message = f"internal error ({type(error).__name__}); {where}. Everything recorded is safe; run it again."
    invocation.failed(message, StopReason.INTERNAL)


def _keep_traceback(invocation: Invocation) -> Path | None:
    """Print the traceback with -v, else put it beside the results; None if it was not written."""
    text = invocation.clean(traceback.format_exc())
    if invocation.verbose:
        invocation.console.stream.write(text)
        return None
    if invocation.beside is None:
        return None
    path = invocation.beside / f"batcher-error-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.txt"
    try:
        path.write_text(f"{invocation.clean(' '.join(invocation.argv))}\n\n{text}", "utf-8", "backslashreplace")
    except OSError:
        return None
    return path
