"""What was typed, joined with all other sources, and the console to speak through."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .end import Invocation
from .settings.sources import Sources
from .settings.table import BY_NAME


@dataclass(frozen=True, slots=True)
class Given:
    """The options of one command line by their parameter names, as click parsed them."""

    options: Mapping[str, Any]

    def flag(self, name: str) -> bool:
        """Whether a flag was given; False for one that the command does not have."""
        return bool(self.options.get(name, False))

    def path(self, name: str) -> Path | None:
        """A file that was named."""
        text = self.options.get(name)
        return Path(text).expanduser() if text is not None else None

    @property
    def inputs(self) -> tuple[str, ...]:
        """The inputs as typed."""
        return tuple(self.options.get("inputs", ()))


def prepare(invocation: Invocation, command: str, options: Mapping[str, Any]) -> tuple[Given, Sources]:
    """Set up the console and read all sources. Raises UsageError."""
    given = Given(options)
    invocation.command = command
    invocation.json, invocation.verbose = given.flag("json_"), given.flag("verbose")
    invocation.console.quiet = given.flag("quiet")
    early = options.get("log_format") or os.environ.get("BATCHER_LOG_FORMAT", "")
    invocation.console.json = str(early).lower() == "json"
    if given.flag("quiet") and given.flag("verbose"):
        raise UsageError("-q and -v contradict each other; give one of them")
    invocation.summary = _summary_file(given)
    sources = Sources(
        _flags(options), os.environ, Path.cwd(), sandbox=given.flag("sandbox"), config=given.path("config")
    )
    invocation.console.json = sources.get("log-format").value == "json"
    _check_sandbox(given)
    return given, sources


def speak(invocation: Invocation, sources: Sources) -> None:
    """Pass on what the sources had to say, and keep their keys out of tracebacks."""
    if not sources.sandbox:  # whose key is no secret, but a word that its files are named by
        invocation.secrets = tuple(key.secret for key in sources.keys().keys)
    for note in sources.notes:
        invocation.console.warning(note)


def _flags(options: Mapping[str, Any]) -> dict[str, object]:
    """Only what was given, under the names of `settings`; a `--no-…` flag gives False to the name without no."""
    flags: dict[str, object] = {}
    for parameter, value in options.items():
        name = parameter.replace("_", "-")
        positive = name.removeprefix("no-")
        if positive in BY_NAME and value is not None and value is not False:
            flags[positive] = positive == name if value is True else value
    return flags


def _check_sandbox(given: Given) -> None:
    if given.flag("sandbox"):
        for name in ("base_url", "instance", "profile"):
            if given.options.get(name) is not None:
                raise UsageError(f"--sandbox and --{name.replace('_', '-')} contradict each other; give one of them")


def _summary_file(given: Given) -> Path | None:
    """The file of `--summary`; its directory must exist before anything is sent. A pipe or a device is written as it is."""
    path = given.path("summary")
    if path is None:
        return None
    is_plain = not path.exists() or path.is_file()
    if not path.parent.is_dir() or path.is_dir() or not os.access(path.parent if is_plain else path, os.W_OK):
        raise UsageError(f"--summary {path}: cannot be written there; name a file in a directory that exists")
    return path
