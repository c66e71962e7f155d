"""The options, each written once, and the lists that the commands take.

A `lasting` option is a setting: the environment and configuration files can give it, too, and its value ends up in the
field of `config` that its parameter is named after. The others are meant for one run.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import click
from click.core import ParameterSource

from .types import DURATION, RATE, SECONDS, whole

TYPED = "batcher.typed"  # the place in `ctx.meta` for the words that were typed for each option


class Rank(IntEnum):
    """Where a value came from; the first outranks the others."""

    FLAG = 0
    ENVIRONMENT = 1
    NAMED_FILE = 2
    FOUND_FILE = 3
    DEFAULT = 4


class Option(click.Option):
    """An option of a group of the help page. `lasting` makes it a setting."""

    def __init__(self, *names: str, group: str, lasting: bool = True, **kwargs: Any) -> None:
        """As click's, with a group."""
        flag = next(name for name in names if name.startswith("--"))
        self.setting = flag.removeprefix("--").removeprefix("no-")
        variable = "OMNI_BASE_URL" if flag == "--base-url" else f"BATCHER_{self.setting.upper().replace('-', '_')}"
        super().__init__(names, envvar=variable if lasting else None, **kwargs)
        self.group = group
        self.flag = flag
        self.variable = variable if lasting else ""

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, ParameterSource]:
        """The raw value: flags > environment > files, which are read when the first setting needs them."""
        if self.variable and self.name not in opts and ctx.default_map is None and not ctx.resilient_parsing:
            from .config_files import read_files  # noqa: PLC0415 - not for --help

            ctx.default_map = read_files(opts.get("config"))
        value, source = super().consume_value(ctx, opts)
        if source is ParameterSource.COMMANDLINE:
            words = [self.flag] if self.is_flag else [self.flag, str(value)]
            ctx.meta.setdefault(TYPED, {})[self] = words
        return value, source


def _flag(*names: str, lasting: bool = False, **kwargs: Any) -> Option:
    """An option without a value. One that begins with `--no-` gives False to the setting that it is named after."""
    if names[0].startswith("--no-"):
        kwargs |= {"flag_value": False, "default": True}
        names = (*names, names[0].removeprefix("--no-").replace("-", "_"))
    return Option(*names, is_flag=True, lasting=lasting, **kwargs)


def _output(*names: str, lasting: bool = False, **kwargs: Any) -> Option:
    """An option about how the command speaks: read first, so that errors in the others are shown as asked for."""

    def pass_on(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        if ctx.obj is not None and not ctx.resilient_parsing:
            ctx.obj.set_output(param.name, value)
        return value

    return Option(*names, group="Output", is_eager=True, lasting=lasting, callback=pass_on, **kwargs)


def _file(*names: str, **kwargs: Any) -> Option:
    """An option that names a file."""
    return Option(*names, metavar="FILE", type=click.Path(path_type=str), lasting=False, **kwargs)


_TO: dict[str, Any] = {"group": "Where to"}
_SEND: dict[str, Any] = {"group": "Sending"}
_STOP: dict[str, Any] = {"group": "Stopping"}
_INPUT: dict[str, Any] = {"group": "Input"}
_ID: dict[str, Any] = {"group": "Identity"}
_SERVER: dict[str, Any] = {"group": "Server", "lasting": False}
_FAULTS: dict[str, Any] = {"group": "Faults", "lasting": False}
_FORMATS = click.Choice(["csv", "jsonl", "json", "xlsx"], case_sensitive=False)
_MANY = whole(1, 1_000_000_000)

INPUTS = (click.Argument(["inputs"], metavar="INPUT...", nargs=-1, required=True, type=click.Path(allow_dash=True)),)
ENDPOINT = (
    Option("--base-url", metavar="URL", **_TO, help="the instance, such as https://acme.omniapp.co"),
    Option("--instance", metavar="NAME", **_TO, help="short for https://NAME.omniapp.co"),
    _flag("--sandbox", **_TO, help="rehearse on the embedded server; needs no account"),
    Option("--profile", metavar="NAME", **_TO, help="endpoint and key of an Omni CLI profile"),
    _file("--config", **_TO, help="a settings file; outranks a batcher.toml"),
)
FILES = (
    _file("--results", group="Files", help="results file (INPUT.results.jsonl)"),
    _file("--failures", group="Files", help="failures file (beside the results)"),
)
RATE_LIMIT = (
    Option("--rate", metavar="N/PERIOD", type=RATE, **_SEND, help="60/min, 500/m, 50/s, 30/10s, none (60/min)"),
)
REQUESTS = (
    Option("--concurrency", metavar="N", type=whole(1, 4096), **_SEND, help="at most N requests at once (8)"),
    Option("--max-attempts", metavar="N", type=whole(1, 100), **_SEND, help="attempts per row, the first included (5)"),
    Option(
        "--timeout",
        "timeout_seconds",
        metavar="SECONDS",
        type=SECONDS,
        **_SEND,
        help="for each request, up to 10 of them to connect (60)",
    ),
)
SHARED_PACE = (_flag("--no-shared-pace", lasting=True, **_SEND, help="ignore other batcher runs that use this key"),)
RUN_ONLY = (
    _flag("--no-preflight", lasting=True, **_SEND, help="skip the key and model check"),
    Option("--fsync-ms", metavar="N", type=whole(0, 60_000), **_SEND, help="outcomes reach the disk within N ms (100)"),
)
LIMIT = (
    Option("--limit", metavar="N", type=_MANY, lasting=False, **_STOP, help="create at most N documents (a canary)"),
)
OUTAGES = (
    Option("--deadline", metavar="DURATION", type=DURATION, **_STOP, help="stop gracefully after 90s, 15m, 4h (never)"),
    Option(
        "--give-up-after",
        "give_up_after_seconds",
        metavar="DURATION",
        type=DURATION,
        **_STOP,
        help="give up if no server answers for this long (15m)",
    ),
)
STOP_AFTER = (
    Option("--stop-after", metavar="N", type=_MANY, **_STOP, help="stop after the same failure N times in a row (10)"),
)
READING = (
    Option("--format", metavar="FORMAT", type=_FORMATS, **_INPUT, help="csv, jsonl, json or xlsx (by the file name)"),
    Option("--sheet", metavar="NAME", **_INPUT, help="sheet of a workbook (the first)"),
    Option(
        "--max-row-bytes", metavar="N", type=whole(1024, 1 << 31), **_INPUT, help="longer rows are invalid (16777216)"
    ),
    _flag("--ignore-unknown", lasting=True, **_INPUT, help="ignore unknown columns"),
)
INVALID = (_flag("--skip-invalid", lasting=True, **_INPUT, help="record invalid rows as failures, create the rest"),)
NAMESPACE = (Option("--namespace", metavar="TEXT", **_ID, help="gives the same rows other identifiers (empty)"),)
FILLING = (_flag("--no-fill-identifiers", lasting=True, **_ID, help="let the server choose; resending is unsafe then"),)
IDENTITY = (
    *NAMESPACE,
    *FILLING,
    _flag("--adopt-existing", **_ID, help="adopt existing documents that match"),
    _flag("--resend-uncertain", **_ID, help="send uncertain rows again; may create duplicates"),
    _flag("--recreate-undone", **_ID, help="re-create documents removed by undo"),
)
JSON = (_output("--json", is_flag=True, help="one final JSON object on standard output"),)
SUMMARY = (_output("--summary", metavar="FILE", type=click.Path(), help="write that object to a file"),)
LOG_FORMAT = (
    _output(
        "--log-format",
        metavar="text|json",
        type=click.Choice(["text", "json"], case_sensitive=False),
        lasting=True,
        help="format of the lines on standard error (text)",
    ),
)
LOUDNESS = (
    _output("-q", "--quiet", is_flag=True, help="only problems, warnings and errors"),
    _output("-v", "--verbose", is_flag=True, help="also each outcome; tracebacks"),
)
OUTPUT = (*JSON, *SUMMARY, *LOG_FORMAT, *LOUDNESS)

SENDING = (*RATE_LIMIT, *REQUESTS, *SHARED_PACE)
RUN = (
    *(*INPUTS, *ENDPOINT, *FILES, *SENDING, *RUN_ONLY, *LIMIT, *OUTAGES, *STOP_AFTER),
    *(*READING, *INVALID, *IDENTITY, *OUTPUT),
)
ONLINE = (_flag("--online", **_TO, help="also ask the instance: key, models, identifiers"),)
CHECK = (*INPUTS, *ONLINE, *ENDPOINT, *FILES, *RATE_LIMIT, *READING, *NAMESPACE, *FILLING, *OUTPUT)
STATUS = (*INPUTS, *ENDPOINT, *FILES, *RATE_LIMIT, *READING, *INVALID, *IDENTITY, *JSON, *LOG_FORMAT, *LOUDNESS)
VERIFY = (*INPUTS, *ENDPOINT, *FILES, *SENDING, *READING, *NAMESPACE, *FILLING, *OUTPUT)
UNDO = (
    click.Argument(["results_file"], metavar="RESULTS", type=click.Path(path_type=str)),
    _flag("--yes", group="Undo", help="delete; without it, only list what would be deleted"),
    _flag("--force", group="Undo", help="even while rows are uncertain"),
    Option("--limit", metavar="N", type=_MANY, group="Undo", lasting=False, help="only the newest N"),
    *(*ENDPOINT, *SENDING, *OUTAGES, *NAMESPACE, *OUTPUT),
)
SANDBOX = (
    Option(
        "--port", metavar="N", type=whole(0, 65535), default="0", **_SERVER, help="on 127.0.0.1; 0 is any free one (0)"
    ),
    Option("--rate", metavar="N/PERIOD", type=RATE, **_SERVER, help="allow each key so much, as Omni: 60/min (none)"),
    _flag("--blocked-count", group="Server", help="blocked requests fill the window too"),
    Option("--latency", metavar="SECONDS", type=SECONDS, **_SERVER, help="how long each answer takes (0)"),
    _file("--key-file", group="Server", help="accept only the keys in it, one per line (any)"),
    Option("--unknown-model", metavar="UUID", multiple=True, **_SERVER, help="a model that gets a 404; repeatable"),
    _file("--state", group="State", help="an SQLite file that keeps the documents"),
    _file("--log", group="State", help="a JSON line for each request"),
    Option("--fault", metavar="FAULT", multiple=True, **_FAULTS, help="what goes wrong; repeatable"),
    Option(
        "--seed", metavar="N", type=whole(0, 1 << 53), default="0", **_FAULTS, help="of faults with a probability (0)"
    ),
    _flag("--faults", group="Faults", help="list what --fault accepts, and exit"),
    *LOUDNESS,
)
SETTINGS = {option.setting: option for option in RUN if isinstance(option, Option) and option.variable}
FOR_ONE_RUN = frozenset(
    option.setting for option in (*RUN, *CHECK, *UNDO, *SANDBOX) if isinstance(option, Option) and not option.variable
)
CONFIG = (*ENDPOINT, *(option for option in SETTINGS.values() if option not in ENDPOINT and option.group != "Output"))
CONFIG = (*CONFIG, *JSON, *LOG_FORMAT)
