"""`batcher.toml` and `[tool.batcher]`: found, read, and every setting in them checked. Keys are refused."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections import ChainMap
from collections.abc import Mapping
from pathlib import Path

import click

from ...errors import UsageError
from .options import FOR_ONE_RUN, SETTINGS
from .types import file_named

_SECRETS = ("key", "token", "secret", "password", "credential", "authorization")


class ConfigFile(dict[str, str]):
    """A file's settings, by the names of their parameters, as texts that one could type.

    `is_named`: with --config; otherwise the file was merely found.
    """

    def __init__(self, table: Mapping[str, object], path: Path, *, is_named: bool) -> None:
        """Check the table. Raises UsageError, which never shows a value that may be a key."""
        super().__init__()
        self.path = path
        self.is_named = is_named
        for spelled, value in table.items():
            name = spelled.strip().lower().replace("_", "-")
            _refuse(name, spelled, path)
            parameter = SETTINGS[name]
            if parameter.name in self:
                raise UsageError(f"{path}: {name} is given twice; keep one of the two spellings")
            self[str(parameter.name)] = text = _text_of(value, f"{path}: {spelled}")
            try:
                parameter.type(text)
            except click.BadParameter as error:
                raise UsageError(f"{path}: {spelled}: {error.message}") from error

    @property
    def origin(self) -> str:
        """For messages and `batcher config`."""
        return f"--config {self.path}" if self.is_named else f"{self.path} (found)"


def read_files(named: str | None) -> ChainMap[str, str]:
    """The settings of the file of `--config`, then of the nearest file found. Raises UsageError."""
    files = [_named_file(file_named(named))] if named is not None else []
    found = _found_file()
    if found is not None and not any(found.path.samefile(file.path) for file in files):
        files.append(found)
    return ChainMap(*files)


def _named_file(path: Path) -> ConfigFile:
    table = _table(path, f"--config {path}")
    if table is None:
        raise UsageError(f"--config {path}: it has no [tool.batcher] table")
    return ConfigFile(table, path, is_named=True)


def _found_file() -> ConfigFile | None:
    """The nearest `batcher.toml`, or `pyproject.toml` with `[tool.batcher]`, in the working directory or above it.

    A directory that is deleted, or that this user may not enter (`sudo -u` from root's home), holds none for us.
    """
    try:
        directory = Path.cwd()
    except OSError:
        return None
    for place in (directory, *directory.parents):
        for path in (place / "batcher.toml", place / "pyproject.toml"):
            if os.access(path, os.F_OK) and path.is_file() and (table := _table(path, str(path))) is not None:
                return ConfigFile(table, path, is_named=False)
    return None


def _table(path: Path, origin: str) -> dict[str, object] | None:
    """The file's settings; None for a `pyproject.toml` that has none, whatever else is in it. Raises UsageError."""
    is_project = path.name == "pyproject.toml"
    try:
        text = path.read_text(encoding="utf-8-sig")
        if is_project and "batcher" not in text:
            return None
        table = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise UsageError(f"{origin}: the file isn't UTF-8 text; save it as UTF-8") from error
    except OSError as error:
        raise UsageError(f"{origin}: can't be read: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error
    tool = table.get("tool")
    inner = tool.get("batcher") if isinstance(tool, dict) else None
    return (inner if isinstance(inner, dict) else None) if is_project else table


def _text_of(value: object, origin: str) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return str(value)
        case _:
            raise UsageError(f"{origin}: a setting is one text, number, true or false")


def _refuse(name: str, spelled: str, path: Path) -> None:
    """Raise for a name that may not be in a file. A value is never shown: it may be a key."""
    if name in SETTINGS:
        return
    if any(word in name for word in _SECRETS):
        raise UsageError(
            f"{path}: {spelled}: keys don't belong in a file; remove it and set OMNI_API_KEY in the environment"
        )
    if name in FOR_ONE_RUN:
        raise UsageError(f"{path}: {spelled} is meant for one run; give it on the command line as --{name}")
    positive = name.removeprefix("no-")
    if positive in SETTINGS:
        raise UsageError(f"{path}: unknown setting {spelled}; write {positive} = false")
    near = difflib.get_close_matches(name, SETTINGS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"the settings are {', '.join(SETTINGS)}"
    raise UsageError(f"{path}: unknown setting {spelled}; {hint}")
