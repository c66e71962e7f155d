"""The options, each once, and the lists that the commands take.

Values are parsed by `settings`, which environment and configuration files share.
"""

from __future__ import annotations

import click

from ..help import flag, option

_PATH = click.Path(path_type=str)

INPUTS = (click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=click.Path(allow_dash=True)),)
ENDPOINT = (
    option("--base-url", metavar="URL", group="Where to", help="instance, as in https://acme.omniapp.co"),
    option("--instance", metavar="NAME", group="Where to", help="short for https://NAME.omniapp.co"),
    flag("--sandbox", group="Where to", help="rehearse on the embedded server; needs no account"),
    option("--profile", metavar="NAME", group="Where to", help="endpoint and key of an Omni CLI profile"),
    option("--config", metavar="FILE", type=_PATH, group="Where to", help="settings; before a batcher.toml found"),
)
FILES = (
    option("--results", metavar="FILE", type=_PATH, group="Files", help="results; default INPUT.results.jsonl"),
    option("--failures", metavar="FILE", type=_PATH, group="Files", help="failures; default beside the results"),
)
RATE = (option("--rate", metavar="N/PERIOD", group="Sending", help="60/min, 500/m, 50/s, 30/10s, none (60/min)"),)
SENDING = (
    *RATE,
    option("--concurrency", metavar="N", group="Sending", help="at most N requests at once (8)"),
    option("--max-attempts", metavar="N", group="Sending", help="attempts for each row, the first included (5)"),
    option("--timeout", metavar="SECONDS", group="Sending", help="for each request, 10 of them to connect (60)"),
    flag("--no-preflight", group="Sending", help="do not look at key and models first"),
    flag("--no-shared-pace", group="Sending", help="ignore other batcher runs with this key"),
    option("--fsync-ms", metavar="N", group="Sending", help="outcomes reach the disk within N ms (100)"),
)
STOPPING = (
    option("--limit", metavar="N", group="Stopping", help="a canary: only the first N rows that are sent"),
    option("--deadline", metavar="DURATION", group="Stopping", help="stop in good order after 90s, 15m, 4h (never)"),
    option("--give-up-after", metavar="DURATION", group="Stopping", help="stop if no server answers so long (15m)"),
    option("--stop-after", metavar="N", group="Stopping", help="stop after the same failure N times running (10)"),
)
READING = (
    option("--format", metavar="FORMAT", group="Input", help="csv, jsonl, json or xlsx (by its name)"),
    option("--sheet", metavar="NAME", group="Input", help="sheet of a workbook (the first)"),
    option("--max-row-bytes", metavar="N", group="Input", help="a longer row is invalid (16777216)"),
    flag("--ignore-unknown", group="Input", help="leave unknown fields out instead of refusing"),
)
INVALID = (flag("--skip-invalid", group="Input", help="note invalid rows as failed, send the rest"),)
IDENTITY = (
    option("--namespace", metavar="TEXT", group="Identity", help="other identifiers for the same rows (empty)"),
    flag("--no-fill-identifiers", group="Identity", help="let the server choose; no safe resend then"),
    flag("--adopt-existing", group="Identity", help="take documents that exist and match as ours"),
    flag("--resend-uncertain", group="Identity", help="send uncertain rows again; may duplicate"),
    flag("--recreate-undone", group="Identity", help="create what was undone once more"),
)
JSON = (flag("--json", "json_", group="Output", help="one final JSON object on standard output"),)
SUMMARY = (option("--summary", metavar="FILE", type=_PATH, group="Output", help="write that object to a file"),)
OUTPUT = (
    option("--log-format", metavar="text|json", group="Output", help="form of the lines on standard error (text)"),
    flag("-q", "--quiet", group="Output", help="only problems, warnings and errors"),
    flag("-v", "--verbose", group="Output", help="also each outcome; tracebacks"),
)

RUN = (*INPUTS, *ENDPOINT, *FILES, *SENDING, *STOPPING, *READING, *INVALID, *IDENTITY, *JSON, *SUMMARY, *OUTPUT)
ONLINE = (flag("--online", group="Where to", help="also ask the instance: key, models, identifiers"),)
CHECK = (*INPUTS, *ONLINE, *ENDPOINT, *FILES, *RATE, *READING, *IDENTITY[:2], *JSON, *SUMMARY, *OUTPUT)
STATUS = (*INPUTS, *ENDPOINT, *FILES, *RATE, *READING, *INVALID, *IDENTITY, *JSON, *OUTPUT)
VERIFY = (*INPUTS, *ENDPOINT, *FILES, *SENDING[:4], *SENDING[5:6], *READING, *IDENTITY[:2], *JSON, *SUMMARY, *OUTPUT)
UNDO = (
    click.argument("results_file", metavar="RESULTS", type=_PATH),
    flag("--yes", group="Undo", help="delete; without it only say what would be deleted"),
    flag("--force", group="Undo", help="even while rows are uncertain"),
    option("--limit", metavar="N", group="Undo", help="only the newest N"),
    *ENDPOINT,
    *SENDING[:4],
    *SENDING[5:6],
    *STOPPING[1:3],
    *IDENTITY[:1],
    *JSON,
    *SUMMARY,
    *OUTPUT,
)
CONFIG = (*ENDPOINT, *JSON)
SANDBOX = (
    option("--port", metavar="N", group="Server", help="port on 127.0.0.1; 0 is any free one (0)"),
    option("--rate", metavar="N/PERIOD", group="Server", help="allow each key so much, as Omni: 60/min (none)"),
    flag("--blocked-count", group="Server", help="blocked requests fill the window too"),
    option("--latency", metavar="SECONDS", group="Server", help="how long each answer takes (0)"),
    option(
        "--key-file", metavar="FILE", type=_PATH, group="Server", help="accept only the keys in it, one a line (any)"
    ),
    option("--unknown-model", metavar="UUID", multiple=True, group="Server", help="a model that is answered 404"),
    option("--state", metavar="FILE", type=_PATH, group="State", help="an SQLite file that keeps the documents"),
    option("--log", metavar="FILE", type=_PATH, group="State", help="a JSON line for each request"),
    option("--fault", metavar="FAULT", multiple=True, group="Faults", help="what goes wrong; may be repeated"),
    option("--seed", metavar="N", group="Faults", help="of faults with a probability (0)"),
    flag("--faults", group="Faults", help="list what --fault can ask for, and end"),
    *OUTPUT[1:],
)
