"""Every setting that flags, environment and files can give: its name, what it allows, where it ends up."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ...config import Reading, RunSettings, Sending
from ...pace.rate import Rate
from .durations import duration_option, parse_duration, parse_seconds


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `target` is its field in `config`; empty: `sources` uses it itself.

    `parse` takes the text of a flag or variable, or a TOML value, and raises ValueError saying what is allowed.
    With `lasting` it may stand in the environment and in files; else it is meant for one run and only a flag gives it.
    """

    name: str
    parse: Callable[[object], object]
    target: str = ""
    lasting: bool = True

    @property
    def flag(self) -> str:
        """The option as typed."""
        return f"--no-{self.name}" if self.name in _NEGATED else f"--{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable, `BATCHER_CONCURRENCY`; the base URL has the ecosystem's name."""
        return "OMNI_BASE_URL" if self.name == "base-url" else f"BATCHER_{self.name.upper().replace('-', '_')}"


_NEGATED = ("fill-identifiers", "preflight", "shared-pace")


def text(value: object) -> str:
    """A text as it is."""
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a text; put it in quotes")  # noqa: TRY004 - the caller reports ValueError
    return value


def boolean(value: object) -> bool:
    """True or false, also as the texts that people put into environment variables."""
    known = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in known:
        return known[value.strip().lower()]
    raise ValueError(f"{value!r} is neither true nor false")


def whole(least: int, most: int) -> Callable[[object], int]:
    """A parser of whole numbers between two bounds."""

    def parse(value: object) -> int:
        number = value if isinstance(value, int) and not isinstance(value, bool) else None
        if isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,15}", value.strip()):
            number = int(value)
        if number is None or not least <= number <= most:
            raise ValueError(f"{value!r} is not allowed; give a whole number from {least:,} to {most:,}")
        return number

    return parse


def seconds(value: object) -> float:
    """A number of seconds, or a duration with its unit; at most an hour, as it bounds one request."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is not a number of seconds")  # noqa: TRY004
    found = parse_seconds(str(value))
    if not 0.1 <= found <= 3600:
        raise ValueError(f"{value!r} is not allowed; give 0.1 to 3,600 seconds")
    return found


def duration(value: object) -> float:
    """A duration with its unit."""
    if not isinstance(value, str):
        raise ValueError(f'{value!r} has no unit; write it as a text, as in "90s", "15m" or "4h"')  # noqa: TRY004
    return parse_duration(value)


def rate(value: object) -> Rate | None:
    """A rate such as `60/min`, or `none`."""
    if not isinstance(value, str):
        raise ValueError(f'{value!r} is not a rate; write it as in "60/min"')  # noqa: TRY004
    return Rate.parse(value)


def one_of(*allowed: str) -> Callable[[object], str]:
    """A parser of one of these words."""

    def parse(value: object) -> str:
        if isinstance(value, str) and value.strip().lower() in allowed:
            return value.strip().lower()
        raise ValueError(f"{value!r} is not allowed; give {', '.join(allowed[:-1])} or {allowed[-1]}")

    return parse


SETTINGS = (
    Setting("base-url", text),
    Setting("instance", text),
    Setting("profile", text),
    Setting("rate", rate, "sending.rate"),
    Setting("concurrency", whole(1, 4096), "sending.concurrency"),
    Setting("max-attempts", whole(1, 100), "sending.max_attempts"),
    Setting("timeout", seconds, "sending.timeout_seconds"),
    Setting("give-up-after", duration, "sending.give_up_after_seconds"),
    Setting("stop-after", whole(1, 1_000_000_000), "sending.stop_after"),
    Setting("deadline", duration),
    Setting("limit", whole(1, 1_000_000_000), "sending.limit", lasting=False),
    Setting("namespace", text, "sending.namespace"),
    Setting("fill-identifiers", boolean, "sending.fill_identifiers"),
    Setting("adopt-existing", boolean, "sending.adopt_existing", lasting=False),
    Setting("resend-uncertain", boolean, "sending.resend_uncertain", lasting=False),
    Setting("recreate-undone", boolean, "sending.recreate_undone", lasting=False),
    Setting("preflight", boolean, "run.preflight"),
    Setting("shared-pace", boolean, "sending.shared_pace"),
    Setting("fsync-ms", whole(0, 60_000), "sending.fsync_ms"),
    Setting("skip-invalid", boolean, "run.skip_invalid"),
    Setting("ignore-unknown", boolean, "reading.ignore_unknown"),
    Setting("format", one_of("csv", "jsonl", "json", "xlsx"), "reading.format"),
    Setting("sheet", text, "reading.sheet"),
    Setting("max-row-bytes", whole(1024, 1 << 31), "reading.max_row_bytes"),
    Setting("log-format", one_of("text", "json")),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}
LASTING = tuple(setting.name for setting in SETTINGS if setting.lasting)


def default_of(setting: Setting) -> object:
    """What holds if no source gives the setting; the dataclasses of `config` decide."""
    section, _, name = setting.target.partition(".")
    match section:
        case "sending":
            return getattr(Sending(), name)
        case "reading":
            return getattr(Reading(), name)
        case "run":
            return next(f.default for f in RunSettings.__dataclass_fields__.values() if f.name == name)
        case _:
            return "text" if setting.name == "log-format" else None


def shown(setting: Setting, value: object) -> str:
    """A value as `batcher config` prints it, in the form in which it could be given."""
    match value:
        case None:
            return "none" if setting.name == "rate" else "-"
        case bool():
            return "true" if value else "false"
        case float():
            return duration_option(value)
        case _:
            return str(value) or "-"
