"""What a command was given: flags > environment > `--config FILE` > a file found > defaults, and the settings of a run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ...config import Reading, RunSettings, Sending
from ...errors import UsageError
from ..screen.command_lines import CommandLine
from .config_files import ConfigFile
from .durations import duration_option
from .key_sources import PACE_STORE, keys_in, named_in_file, without_password
from .options import SETTINGS, TYPED, Rank
from .target import Target, target_of
from .types import file_named


@dataclass(frozen=True)
class Given:
    """The parsed options of one command. Click has taken each from the source that outranks the others."""

    ctx: click.Context

    def __post_init__(self) -> None:
        """Raise UsageError for options that contradict each other."""
        if self.flag("quiet") and self.flag("verbose"):
            raise UsageError("-q and -v contradict each other; use one of them")
        for name in ("base_url", "instance", "profile") if self.flag("sandbox") else ():
            if self.rank(name) is Rank.FLAG:
                raise UsageError(f"--sandbox and --{name.replace('_', '-')} contradict each other; use one of them")

    def get(self, name: str) -> Any:
        """A parameter's value; None if the command has no such option, or nobody gave it and it has no default."""
        return self.ctx.params.get(name)

    def flag(self, name: str) -> bool:
        """Whether a flag was given; False for one that the command doesn't have."""
        return bool(self.get(name))

    def path(self, name: str) -> Path | None:
        """A file that was named."""
        text = self.get(name)
        return file_named(text) if text is not None else None

    @property
    def inputs(self) -> tuple[str, ...]:
        """The inputs as typed."""
        return tuple(self.get("inputs") or ())

    def rank(self, name: str) -> Rank:
        """Where a parameter's value came from."""
        match self.ctx.get_parameter_source(name):
            case ParameterSource.COMMANDLINE:
                return Rank.FLAG
            case ParameterSource.ENVIRONMENT:
                return Rank.ENVIRONMENT
            case ParameterSource.DEFAULT_MAP:
                return Rank.NAMED_FILE if self._file(name).is_named else Rank.FOUND_FILE
            case _:
                return Rank.DEFAULT

    def origin(self, name: str) -> str:
        """The source of a setting's value, for messages and `batcher config`."""
        option = next(option for option in SETTINGS.values() if option.name == name)
        match self.rank(name):
            case Rank.FLAG:
                return option.flag
            case Rank.ENVIRONMENT:
                return option.variable
            case Rank.DEFAULT:
                return "default"
            case _:
                return self._file(name).origin

    @cached_property
    def command_line(self) -> CommandLine:
        """What was typed."""
        arguments = [self.get(str(p.name)) for p in self.ctx.command.params if isinstance(p, click.Argument)]
        inputs = self.inputs or tuple(str(argument) for argument in arguments)
        typed = self.ctx.meta.get(TYPED, {})
        ordered = sorted(typed, key=lambda option: option.is_eager)  # in the order typed, but output comes last
        return CommandLine(str(self.ctx.info_name), inputs, {option: tuple(typed[option]) for option in ordered})

    @cached_property
    def target(self) -> Target:
        """The instance and the keys. Raises UsageError."""
        return target_of(self)

    def reading(self) -> Reading:
        """How inputs are to be read. Raises UsageError."""
        reading = Reading(**self._fields(Reading), api_keys=self._api_keys)
        if reading.folder is None and not reading.labels:
            return reading
        from ...validate.placement import of_folder, of_label  # noqa: PLC0415 - seldom, and it takes what reading takes

        folder = None if reading.folder is None else of_folder(reading.folder)
        wrong = [("--folder", folder), *(("--label", of_label(label)) for label in reading.labels)]
        for flag, message in wrong:
            if message is not None:
                raise UsageError(f"{flag}: {message}")
        return reading

    def sending(self) -> Sending:
        """How specs are to be sent. The time to connect is a part of the timeout."""
        sending = Sending(**self._fields(Sending))
        return replace(
            sending,
            pace_store=self.pace_store,
            shared_pace=sending.shared_pace and not self.flag("sandbox"),  # each sandbox counts for itself
            connect_timeout_seconds=min(sending.connect_timeout_seconds, sending.timeout_seconds),
        )

    def run_settings(self, *, is_endpoint_needed: bool = True) -> RunSettings:
        """The settings of a run. Raises UsageError."""
        from .files import files_of  # noqa: PLC0415 - it looks into inputs, which `config` and `sandbox` don't

        endpoint = self.target.endpoint(is_needed=is_endpoint_needed)
        return RunSettings(
            inputs=self.inputs,
            endpoint=endpoint,
            files=files_of(
                self.inputs,
                sandbox=endpoint.sandbox,
                results=self.path("results"),
                failures=self.path("failures"),
                sheet=self.path("sheet_out"),
                others=[self.path(name) for name in ("summary", "rows", "config")],
            ),
            reading=self.reading(),
            sending=self.sending(),
            skip_invalid=self.flag("skip_invalid"),
            rekey=self.flag("rekey"),
            create_again=self.flag("create_again"),
            apply_steps=self.flag("apply_steps"),
            create_folders=self.flag("create_folders"),
            create_labels=self.flag("create_labels"),
            **self._rows(),
            preflight=self.get("preflight") is not False,
        )

    def _rows(self) -> dict[str, Any]:
        """For which new rows an answer is meant, or where a refusal writes their keys. Raises UsageError."""
        path, answers = self.path("rows"), [self.flag("rekey"), self.flag("create_again")]
        if all(answers):
            raise UsageError(
                "--rekey and --create-again can't be combined: use --rows FILE to say which rows one is meant for."
            )
        if path is None:
            return {}
        if any(answers):
            from ...plan.rows_file import read_rows  # noqa: PLC0415 - only a run that is told which rows reads it

            return {"rows": read_rows(path, self._api_keys)}
        if path.exists():
            raise UsageError(
                f"{path} exists: say what to do with its rows, --rekey or --create-again, or name a new file."
            )
        return {"rows_to": path}

    def listing(self) -> Iterator[tuple[str, str, str]]:
        """Name, value and origin of every setting, for `batcher config`. Keys are masked. Raises UsageError."""
        target = self.target
        yield "base-url", target.base_url or "-", target.base_url_origin
        yield "api-keys", ", ".join(masked(key.secret) for key in target.keys) or "-", target.keys_origin
        in_file = self._pace_store_in_file
        for name, option in SETTINGS.items():
            parameter = str(option.name)
            if name == "pace-store" and in_file:
                yield name, shown(name, in_file), f"{PACE_STORE}_FILE"
                continue
            if name not in ("base-url", "instance"):
                is_given = self.rank(parameter) is not Rank.DEFAULT
                value = self.get(parameter) if is_given else default_of(parameter)
                yield name, shown(name, value), self.origin(parameter)

    @property
    def pace_store(self) -> str | None:
        """Where hosts share the pace. Raises UsageError."""
        return self._pace_store_in_file or self.get("pace_store")

    @property
    def _pace_store_in_file(self) -> str | None:
        """It as a file has it, since its URL may hold a password. Raises UsageError."""
        return None if self.rank("pace_store") is Rank.FLAG else named_in_file(os.environ, PACE_STORE)

    @property
    def _api_keys(self) -> frozenset[str]:
        return self.target.secrets | frozenset(keys_in(os.environ))

    def _fields(self, section: type[Any]) -> dict[str, Any]:
        """The values that were given for the fields of a section of `config`."""
        names = [field.name for field in fields(section) if field.name in self.ctx.params]
        return {name: self.get(name) for name in names if self.rank(name) is not Rank.DEFAULT}

    def _file(self, name: str) -> ConfigFile:
        files: list[ConfigFile] = self.ctx.default_map.maps  # type: ignore[union-attr]
        return next(file for file in files if name in file)


def default_of(parameter: str) -> object:
    """What holds if no source gives the setting; the dataclasses of `config` decide."""
    for section in (Sending, Reading, RunSettings):
        for field in fields(section):
            if field.name == parameter:
                return field.default
    return "text" if parameter == "log_format" else None


def shown(name: str, value: object) -> str:
    """A value as `batcher config` prints it, in the form in which it could be given."""
    match value:
        case None:
            return "none" if name == "rate" else "-"
        case bool():
            return "true" if value else "false"
        case str() if name == "pace-store":
            return without_password(value)
        case float():
            return duration_option(value)
        case _:
            return str(value) or "-"


def masked(secret: str) -> str:
    """A key's last four characters at most; none of a short one."""
    return f"…{secret[-4:]}" if len(secret) >= 20 else "…"
