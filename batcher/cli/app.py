"""The command line: commands, their options and how a command ends. What a command does is imported when it runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from ..version import __version__
from .end import Invocation, end, usage_text
from .help import Command, Group
from .settings import options

if TYPE_CHECKING:
    from .settings.given import Given

COMPLETION = "_BATCHER_COMPLETE"


@click.group(
    cls=Group,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog='Shell completion: eval "$(_BATCHER_COMPLETE=bash_source batcher)", or zsh_source, fish_source. '
    "Exit codes: 0 all created, 1 some failed, 2 usage or invalid input, 3 stopped early, 4 locked, 5 uncertain rows, "
    "6 deadline or limit, 70 internal error, 130 interrupted. Not in this version: updating a document in place, "
    "permissions, owners, schedules, Windows.",
)
@click.version_option(__version__, prog_name="batcher", message="%(prog)s %(version)s")
@click.pass_context
def batcher(ctx: click.Context) -> int:
    """Create Omni documents from spreadsheets and JSON Lines: never twice, never lost, within the API's rate limit.

    Start with `batcher check FILE`; rehearse with `batcher run FILE --sandbox`. Set the API key in OMNI_API_KEY.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        return 2
    return 0


def _add(body: str, parameters: Sequence[click.Parameter], text: str, short: str, *examples: str) -> None:
    """Add the command that `body` names, as in `run:status`."""
    name = body.partition(":")[2]
    params = list(parameters)
    batcher.add_command(Command(name, body=body, params=params, help=text, short_help=short, examples=examples))


_add(
    *(
        "models:models",
        options.MODELS,
        "List the instance's models: id, name, connection. Use one of these ids as modelId.",
    ),
    "the instance's models: id, name, connection",
    "batcher models --instance acme",
)
_add(
    *("run:run", options.RUN, "Create a document for each row without one. It's always safe to run again."),
    "create every document that isn't created yet",
    "batcher run dashboards.csv --instance acme --limit 5",
)
_add(
    *("check:check", options.CHECK, "Validate every row and show every problem. Nothing is sent or written."),
    "validate everything, send nothing; --online asks the instance too",
    "batcher check dashboards.csv",
)
_add(
    *("status:status", options.STATUS, "Show what a run would do: created, failed, uncertain, to do. Nothing is sent."),
    "what a run would do: created, failed, uncertain, to do, how long",
    "batcher status dashboards.csv",
)
_add(
    *("verify:verify", options.VERIFY, "Read each created document back and show where it differs from what was sent."),
    "read created documents back and compare them with what was sent",
    "batcher verify dashboards.csv --instance acme",
)
_add(
    *("undo:undo", options.UNDO, "Delete what RESULTS created, newest first, to Trash. A dry run unless --yes."),
    "move what a results file created to Trash; a dry run unless --yes",
    "batcher undo dashboards.results.jsonl --instance acme --yes",
)
_add(
    *(
        "sandbox:sandbox",
        options.SANDBOX,
        "Serve an Omni-like API on this machine for rehearsals. Prints its base URL.",
    ),
    "the embedded Omni-like server, on loopback",
    "batcher sandbox --port 8765 --rate 60/min --fault reset-after/20",
    "batcher sandbox --faults   (what --fault accepts)",
)
_add(
    *("app:config", options.CONFIG, "Show each setting, its value and where it comes from. Keys are masked."),
    "where each setting comes from, key masked",
    "batcher config --profile prod",
)


def config(invocation: Invocation, given: Given) -> int:
    """Print the table, or with `--json` an object of settings. Keys are masked in both. Raises UsageError."""
    lines = list(given.listing())
    invocation.use(given)
    if invocation.json:
        invocation.final({"settings": {name: {"value": value, "source": origin} for name, value, origin in lines}})
        return invocation.code
    names, values = (max(len(line[column]) for line in lines) for column in (0, 1))
    invocation.print(
        "\n".join(f"{name:<{names}}  {value:<{min(values, 40)}}  {origin}" for name, value, origin in lines)
    )
    return invocation.code


def execute(argv: Sequence[str], started: float, release: Callable[[], None] = lambda: None) -> int:
    """Run one command line and return its exit code. `started` is the monotonic time at which the process began.

    `release` is called when everything is imported: from then on a signal may raise KeyboardInterrupt.
    """
    if instruction := os.environ.get(COMPLETION):
        from click.shell_completion import shell_complete  # noqa: PLC0415 - only on a press of Tab

        return shell_complete(batcher, {}, "batcher", COMPLETION, instruction)
    invocation = Invocation(tuple(argv), started, release=release)
    with end(invocation):
        try:
            with batcher.make_context("batcher", list(argv), obj=invocation) as ctx:
                invocation.code = batcher.invoke(ctx)
        except click.exceptions.Exit as exit_:
            invocation.code = exit_.exit_code
        except click.ClickException as error:
            raise UsageError(usage_text(error)) from error
    return invocation.code
