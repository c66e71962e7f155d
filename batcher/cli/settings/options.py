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

from .types import API_VERSION, DURATION, RATE, SECONDS, fault_offers, whole

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

    def __init__(
        self, *names: str, group: str, text: str, value: str | None = None, lasting: bool = True, **kwargs: Any
    ) -> None:
        """As click's, with a group; `text` is its help, and `value` what the help calls its value."""
        flag = next(name for name in names if name.startswith("--"))
        self.setting = flag.removeprefix("--").removeprefix("no-")
        variable = "OMNI_BASE_URL" if flag == "--base-url" else f"BATCHER_{self.setting.upper().replace('-', '_')}"
        self.variable = variable if lasting else ""
        self.flag = flag
        self.group = group
        super().__init__(names, envvar=self.variable or None, help=text, metavar=value, **kwargs)

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, ParameterSource]:
        """The raw value: flags > environment > files, which are read when the first setting needs them."""
        if self.variable and self.name not in opts and ctx.default_map is None and not ctx.resilient_parsing:
            from .config_files import read_files  # noqa: PLC0415 - not for --help

            ctx.default_map = read_files(opts.get("config"))
        value, source = super().consume_value(ctx, opts)
        if source is ParameterSource.COMMANDLINE:
            values = value if self.multiple else [value]
            words = [self.flag] if self.is_flag else [word for each in values for word in (self.flag, str(each))]
            ctx.meta.setdefault(TYPED, {})[self] = words
        return value, source


def _value(names: str, value: str, group: str, text: str, kind: Any = None, **kwargs: Any) -> Option:
    """An option with a value; `names` is the flag, and the parameter's name where that is another."""
    return Option(*names.split(), value=value, group=group, text=text, type=kind, **kwargs)


def _file(flag: str, group: str, text: str) -> Option:
    """An option that names a file."""
    return _value(flag, "FILE", group, text, click.Path(path_type=str), lasting=False)


def _flag(flag: str, group: str, text: str, *, lasting: bool = False) -> Option:
    """An option without a value. One that begins with `--no-` gives False to the setting that it is named after."""
    if not flag.startswith("--no-"):
        return Option(flag, group=group, text=text, is_flag=True, lasting=lasting)
    name = flag.removeprefix("--no-").replace("-", "_")
    return Option(flag, name, group=group, text=text, is_flag=True, flag_value=False, default=True, lasting=lasting)


def _output(*names: str, text: str, lasting: bool = False, **kwargs: Any) -> Option:
    """An option about how the command speaks: read first, so that errors in the others are shown as asked for."""

    def pass_on(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        if ctx.obj is not None and not ctx.resilient_parsing:
            ctx.obj.set_output(param.name, value)
        return value

    return Option(*names, group="Output", text=text, is_eager=True, lasting=lasting, callback=pass_on, **kwargs)


_FORMATS = click.Choice(["csv", "jsonl", "json", "xlsx"], case_sensitive=False)
_LOG_FORMATS = click.Choice(["text", "json"], case_sensitive=False)
_MANY = whole(1, 1_000_000_000)

INPUTS = (click.Argument(["inputs"], metavar="INPUT...", nargs=-1, required=True, type=click.Path(allow_dash=True)),)
ENDPOINT = (
    _value("--base-url", "URL", "Where to", "the instance, such as https://acme.omniapp.co"),
    _value("--instance", "NAME", "Where to", "short for https://NAME.omniapp.co"),
    _flag("--sandbox", "Where to", "rehearse on the embedded server; needs no account"),
    _value("--api", "v1|v2", "Where to", "version of the documents API (v1)", API_VERSION),
    _value("--profile", "NAME", "Where to", "endpoint and key of an Omni CLI profile"),
    _file("--config", "Where to", "a settings file; outranks a batcher.toml"),
)
FILES = (
    _file("--results", "Files", "results file (INPUT.results.jsonl)"),
    _file("--failures", "Files", "failures file (next to the results)"),
)
SHEET_OUT = (_file("--sheet-out", "Files", "all rows with their outcomes, as a .csv"),)
PLACEMENT = (
    _value("--folder", "FOLDER", "Input", "folder of rows without their own", lasting=False),
    _value(
        "--label labels", "NAME", "Input", "label of rows without their own; repeatable", multiple=True, lasting=False
    ),
)
STEPS = (
    _flag("--create-folders", "Sending", "make missing folders first"),
    _flag("--create-labels", "Sending", "make missing labels first"),
    _flag("--apply-steps", "Sending", "apply changed folders and labels to created rows"),
)
RATE_LIMIT = (_value("--rate", "N/PERIOD", "Sending", "60/min, 500/m, 50/s, 30/10s, none (60/min)", RATE),)
SENDING = (
    *RATE_LIMIT,
    _value("--concurrency", "N", "Sending", "at most N requests at once (8)", whole(1, 4096)),
    _value("--max-attempts", "N", "Sending", "attempts per row, the first included (5)", whole(1, 100)),
    _value("--timeout timeout_seconds", "SECONDS", "Sending", "per request, up to 10 of them to connect (60)", SECONDS),
    _flag("--no-shared-pace", "Sending", "ignore other batcher runs that use this key", lasting=True),
    _value("--pace-store", "URL", "Sending", "share the pace with other hosts: redis://HOST:6379"),
)
RUN_ONLY = (
    _flag("--no-preflight", "Sending", "skip the key and model check", lasting=True),
    _value("--fsync-ms", "N", "Sending", "outcomes reach the disk within N ms (100)", whole(0, 60_000)),
)
LIMIT = (
    _value("--limit", "N", "Stopping", "create at most N documents (a canary)", whole(0, 1_000_000_000), lasting=False),
)
_GIVE_UP = "--give-up-after give_up_after_seconds"
OUTAGES = (
    _value("--deadline", "DURATION", "Stopping", "stop gracefully after 90s, 15m, 4h (never)", DURATION),
    _value(_GIVE_UP, "DURATION", "Stopping", "give up if no server answers for this long (15m)", DURATION),
)
STOP_AFTER = (_value("--stop-after", "N", "Stopping", "stop after the same failure N times in a row (10)", _MANY),)
READING = (
    _value("--format", "FORMAT", "Input", "csv, jsonl, json or xlsx (from the file name)", _FORMATS),
    _value("--sheet", "NAME", "Input", "sheet of a workbook (the first)"),
    _value("--max-row-bytes", "N", "Input", "longer rows are invalid (16777216)", whole(1024, 1 << 31)),
    _flag("--ignore-unknown", "Input", "ignore unknown columns", lasting=True),
)
INVALID = (_flag("--skip-invalid", "Input", "record invalid rows as failures, create the rest", lasting=True),)
NAMESPACE = (_value("--namespace", "TEXT", "Identity", "give the same rows different identifiers (empty)"),)
FILLING = (_flag("--no-fill-identifiers", "Identity", "let the server choose (makes resending unsafe)", lasting=True),)
IDENTITY = (
    *NAMESPACE,
    *FILLING,
    _flag("--adopt-existing", "Identity", "adopt existing documents that match"),
    _flag("--resend-uncertain", "Identity", "send uncertain rows again; may create duplicates"),
    _flag("--recreate-undone", "Identity", "re-create documents removed by undo"),
)
SAME_CONTENT = (
    _flag("--rekey", "Identity", "treat new rows with created content as the same rows"),
    _flag("--create-again", "Identity", "create second documents for such rows"),
    _file("--rows", "Identity", "apply them only to keys in FILE; alone: write it"),
)
JSON = (_output("--json", is_flag=True, text="one final JSON object on standard output"),)
SUMMARY = (_output("--summary", value="FILE", type=click.Path(), text="write that object to a file"),)
_METRICS_TEXT = "write the result for Prometheus, as a .prom"
AT_END = (
    _output("--metrics-file", value="FILE", type=click.Path(), text=_METRICS_TEXT),
    _output("--on-end", value="COMMAND", text="run it at the end, with that object as its input"),
)
_LOG_TEXT = "format of the lines on standard error (text)"
LOG_FORMAT = (_output("--log-format", value="text|json", type=_LOG_FORMATS, lasting=True, text=_LOG_TEXT),)
LOUDNESS = (
    _output("-q", "--quiet", is_flag=True, text="only problems, warnings and errors"),
    _output("-v", "--verbose", is_flag=True, text="also each outcome; tracebacks"),
)
ALL = (_flag("--all", "Output", "one line for each problem"),)
OUTPUT = (*JSON, *SUMMARY, *LOG_FORMAT, *LOUDNESS)

RUN = (
    *(*INPUTS, *ENDPOINT, *FILES, *SHEET_OUT, *SENDING, *RUN_ONLY, *STEPS, *LIMIT, *OUTAGES, *STOP_AFTER),
    *(*READING, *PLACEMENT, *INVALID, *IDENTITY, *SAME_CONTENT, *ALL),
    *(*JSON, *SUMMARY, *AT_END, *LOG_FORMAT, *LOUDNESS),
)
ONLINE = (_flag("--online", "Where to", "also ask the instance: key, models, identifiers"),)
CHECK = (*INPUTS, *ONLINE, *ENDPOINT, *FILES, *RATE_LIMIT, *READING, *PLACEMENT, *NAMESPACE, *FILLING, *ALL, *OUTPUT)
STATUS = (
    *INPUTS,
    *ENDPOINT,
    *FILES,
    *SHEET_OUT,
    *RATE_LIMIT,
    *READING,
    *PLACEMENT,
    *INVALID,
    *IDENTITY,
    *ALL,
    *JSON,
    *LOG_FORMAT,
    *LOUDNESS,
)
MODELS = (*ENDPOINT, *SENDING, *JSON, *LOG_FORMAT, *LOUDNESS)
SAMPLE = (_value("--sample", "N", "Verify", "compare only N documents, chosen at random", _MANY, lasting=False),)
VERIFY = (*INPUTS, *SAMPLE, *ENDPOINT, *FILES, *SENDING, *READING, *PLACEMENT, *NAMESPACE, *FILLING, *ALL, *OUTPUT)
UNDO = (
    click.Argument(["results_file"], metavar="RESULTS", type=click.Path(path_type=str)),
    _flag("--yes", "Undo", "delete; without it, only list what would be deleted"),
    _flag("--force", "Undo", "delete even while rows are uncertain"),
    _value("--limit", "N", "Undo", "only the newest N", _MANY, lasting=False),
    *(*ENDPOINT, *SENDING, *OUTAGES, *NAMESPACE, *OUTPUT),
)
_ONCE: dict[str, Any] = {"lasting": False}
_FAULT: dict[str, Any] = {"multiple": True, "shell_complete": fault_offers}
_NO_V2 = click.Choice(["404", "405", "410"])
SANDBOX = (
    _value(
        "--port",
        "N",
        "Server",
        "on 127.0.0.1 (the last port of --state, or any)",
        whole(0, 65535),
        default="0",
        **_ONCE,
    ),
    _value("--rate", "N/PERIOD", "Server", "what each key may send; Omni: 60/min (none)", RATE, **_ONCE),
    _flag("--blocked-count", "Server", "blocked requests count against it, too"),
    _value("--latency", "SECONDS", "Server", "how long each answer takes (0)", SECONDS, **_ONCE),
    _file("--key-file", "Server", "accept only the keys in it, one per line (any)"),
    _value("--unknown-model", "UUID", "Server", "a model that gets a 404; repeatable", multiple=True, **_ONCE),
    _flag("--no-v1", "Server", "v1 create and read are gone (410)"),
    _value("--no-v2", "STATUS", "Server", "there is no v2: it answers 404, 405 or 410", _NO_V2, **_ONCE),
    _file("--state", "State", "an SQLite file that keeps what is created"),
    _file("--log", "State", "a JSON line for each request"),
    _value("--fault", "FAULT", "Faults", "what goes wrong; repeatable", **_FAULT, **_ONCE),
    _value("--seed", "N", "Faults", "for faults with a probability (0)", whole(0, 1 << 53), default="0", **_ONCE),
    _flag("--faults", "Faults", "list what --fault accepts, and exit"),
    *LOUDNESS,
)
SETTINGS = {option.setting: option for option in RUN if isinstance(option, Option) and option.variable}
FOR_ONE_RUN = frozenset(
    option.setting for option in (*RUN, *CHECK, *UNDO, *SANDBOX) if isinstance(option, Option) and not option.variable
)
_OTHERS = tuple(option for option in SETTINGS.values() if option not in ENDPOINT and option.group != "Output")
CONFIG = (*ENDPOINT, *_OTHERS, *JSON, *LOG_FORMAT)
