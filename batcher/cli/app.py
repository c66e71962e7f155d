"""The command line: commands, their options and how a command ends. What a command does is imported when it runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

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


batcher.add_command(
    Command(
        "run",
        body="run:run",
        params=list(options.RUN),
        help="Create a document for each row that has none yet. It's always safe to run it again.",
        short_help="create every document that isn't created yet",
        examples=("batcher run dashboards.csv --instance acme --limit 5",),
    )
)
batcher.add_command(
    Command(
        "check",
        body="check:check",
        params=list(options.CHECK),
        help="Validate every row and show every problem. Nothing is sent or written.",
        short_help="validate everything, send nothing; --online asks the instance too",
        examples=("batcher check dashboards.csv",),
    )
)
batcher.add_command(
    Command(
        "status",
        body="run:status",
        params=list(options.STATUS),
        help="Show what a run would do: created, failed, uncertain, to do. Nothing is sent.",
        short_help="what a run would do: created, failed, uncertain, to do, how long",
        examples=("batcher status dashboards.csv",),
    )
)
batcher.add_command(
    Command(
        "verify",
        body="verify:verify",
        params=list(options.VERIFY),
        help="Read each created document back and show where it differs from what was sent.",
        short_help="read created documents back and compare them with what was sent",
        examples=("batcher verify dashboards.csv --instance acme",),
    )
)
batcher.add_command(
    Command(
        "undo",
        body="undo:undo",
        params=list(options.UNDO),
        help="Delete what RESULTS created, newest first, to Trash. A dry run unless --yes.",
        short_help="delete what a results file created (to Trash); a dry run unless --yes",
        examples=("batcher undo dashboards.results.jsonl --instance acme --yes",),
    )
)
batcher.add_command(
    Command(
        "sandbox",
        body="sandbox:sandbox",
        params=list(options.SANDBOX),
        help="Serve an Omni-like API on this machine for rehearsals and tests. Prints its base URL.",
        short_help="the embedded Omni-like server, on loopback",
        examples=(
            "batcher sandbox --port 8765 --rate 60/min --fault reset-after/20",
            "batcher sandbox --faults   (what --fault accepts)",
        ),
    )
)
batcher.add_command(
    Command(
        "config",
        body="app:config",
        params=list(options.CONFIG),
        help="Show each setting, its value and where it comes from. Keys are masked.",
        short_help="where each setting comes from, key masked",
        examples=("batcher config --profile prod",),
    )
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


def execute(argv: Sequence[str], started: float) -> int:
    """Run one command line and return its exit code. `started` is the monotonic time at which the process began."""
    if instruction := os.environ.get(COMPLETION):
        from click.shell_completion import shell_complete  # noqa: PLC0415 - only on a press of Tab

        return shell_complete(batcher, {}, "batcher", COMPLETION, instruction)
    invocation = Invocation(tuple(argv), started)
    with end(invocation):
        try:
            with batcher.make_context("batcher", list(argv), obj=invocation) as ctx:
                invocation.code = batcher.invoke(ctx)
        except click.exceptions.Exit as exit_:
            invocation.code = exit_.exit_code
        except click.ClickException as error:
            invocation.usage_error(usage_text(error))
    return invocation.code
