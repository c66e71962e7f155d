"""`batcher.toml` and `[tool.batcher]`: found, parsed, and every setting in them checked. Keys are refused."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import UsageError
from .table import BY_NAME, LASTING

_ONLY_FLAGS = (
    "results",
    "failures",
    "sandbox",
    "config",
    "json",
    "summary",
    "quiet",
    "verbose",
    "port",
    "yes",
    "force",
)
_SECRETS = ("key", "token", "secret", "password", "credential", "authorization")


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A file's settings, parsed, by their names. `named` tells whether the user named it, or it was merely found."""

    path: Path
    values: Mapping[str, object]
    named: bool

    @property
    def origin(self) -> str:
        """For messages and `batcher config`."""
        return f"--config {self.path}" if self.named else f"{self.path} (found)"


def named_file(path: Path) -> ConfigFile:
    """The file of `--config`. Raises UsageError."""
    text = _text(path, f"--config {path}")
    table = _tables(text, path)
    inner = _tool_table(table) if path.name == "pyproject.toml" else table
    if inner is None:
        raise UsageError(f"--config {path}: it has no [tool.batcher] table")
    return ConfigFile(path, _checked(inner, path), named=True)


def found_file(directory: Path) -> ConfigFile | None:
    """The nearest `batcher.toml`, or `pyproject.toml` with `[tool.batcher]`, in the directory or above it."""
    for place in (directory, *directory.parents):
        own = place / "batcher.toml"
        if own.is_file():
            return ConfigFile(own, _checked(_tables(_text(own, str(own)), own), own), named=False)
        project = place / "pyproject.toml"
        if project.is_file() and "batcher" in (text := _text(project, str(project))):
            inner = _tool_table(_tables(text, project))
            if inner is not None:
                return ConfigFile(project, _checked(inner, project), named=False)
    return None


def _text(path: Path, origin: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{origin}: the file is not UTF-8 text; save it as UTF-8") from error
    except OSError as error:
        raise UsageError(f"{origin}: cannot be read: {error.strerror}") from error


def _tables(text: str, path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error


def _tool_table(table: dict[str, object]) -> dict[str, object] | None:
    tool = table.get("tool")
    inner = tool.get("batcher") if isinstance(tool, dict) else None
    return inner if isinstance(inner, dict) else None


def _checked(table: Mapping[str, object], path: Path) -> dict[str, object]:
    values: dict[str, object] = {}
    for spelled, value in table.items():
        name = spelled.strip().lower().replace("_", "-")
        _refuse(name, spelled, path)
        if name in values:
            raise UsageError(f"{path}: {name} is given twice; keep one of the two spellings")
        try:
            values[name] = BY_NAME[name].parse(value)
        except ValueError as error:
            raise UsageError(f"{path}: {spelled}: {error}") from error
    return values


def _refuse(name: str, spelled: str, path: Path) -> None:
    """Raise for a name that may not stand in a file. A value is never shown: it may be a key."""
    if name in LASTING:
        return
    if any(word in name for word in _SECRETS):
        raise UsageError(
            f"{path}: {spelled}: keys do not belong in a file; remove it and set OMNI_API_KEY in the environment"
        )
    if name in BY_NAME or name in _ONLY_FLAGS:
        raise UsageError(f"{path}: {spelled} is meant for one run; give it on the command line as --{name}")
    positive = name.removeprefix("no-")
    if positive in LASTING:
        raise UsageError(f"{path}: unknown setting {spelled}; write {positive} = false")
    near = difflib.get_close_matches(name, LASTING, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(LASTING)}"
    raise UsageError(f"{path}: unknown setting {spelled}; {hint}")
