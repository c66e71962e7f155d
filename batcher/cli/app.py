"""The command line: commands, their options and how a command ends. What a command does is imported when it runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import click

from ..version import __version__
from .end import Invocation, end, usage_text
from .help import Command, Group, add
from .settings import options as cli_options

COMPLETION = "_BATCHER_COMPLETE"


@click.group(
    cls=Group,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog='Completion in the shell: eval "$(_BATCHER_COMPLETE=bash_source batcher)", or zsh_source, fish_source. '
    "Exit codes: 0 all created, 1 some failed, 2 usage or invalid input, 3 stopped early, 4 locked, 5 uncertain rows, "
    "6 deadline or limit, 70 internal error, 130 interrupted.",
)
@click.version_option(__version__, prog_name="batcher", message="%(prog)s %(version)s")
@click.pass_context
def batcher(ctx: click.Context) -> int:
    """Create Omni documents from spreadsheets and JSON Lines: never twice, never lost, at the rate that is allowed.

    Start with `batcher check FILE`, rehearse with `batcher run FILE --sandbox`. The key is taken from OMNI_API_KEY.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        return 2
    return 0


@batcher.command(
    cls=Command,
    short_help="create every document that is not created yet",
    examples=("batcher run dashboards.csv --instance acme --limit 5",),
)
@add(cli_options.RUN)
@click.pass_obj
def run(invocation: Invocation, /, **given: Any) -> int:
    """Create a document for each row that has none yet. Running it again is right."""
    from .run import run as body  # noqa: PLC0415

    return body(invocation, given)


@batcher.command(
    cls=Command,
    short_help="validate everything, send nothing; --online asks the instance too",
    examples=("batcher check dashboards.csv",),
)
@add(cli_options.CHECK)
@click.pass_obj
def check(invocation: Invocation, /, **given: Any) -> int:
    """Validate every row and show every problem. Nothing is sent or written."""
    from .check import check as body  # noqa: PLC0415

    return body(invocation, given)


@batcher.command(
    cls=Command,
    short_help="what a run would find: created, failed, uncertain, to do, how long",
    examples=("batcher status dashboards.csv",),
)
@add(cli_options.STATUS)
@click.pass_obj
def status(invocation: Invocation, /, **given: Any) -> int:
    """Say what a run would find: created, failed, uncertain, to do. Nothing is sent."""
    from .run import status as body  # noqa: PLC0415

    return body(invocation, given)


@batcher.command(
    cls=Command,
    short_help="read created documents back and compare them with what was sent",
    examples=("batcher verify dashboards.csv --instance acme",),
)
@add(cli_options.VERIFY)
@click.pass_obj
def verify(invocation: Invocation, /, **given: Any) -> int:
    """Read each created document back and say where it differs from what was sent."""
    from .verify import verify as body  # noqa: PLC0415

    return body(invocation, given)


@batcher.command(
    cls=Command,
    short_help="delete what a results file created (to Trash); a dry run unless --yes",
    examples=("batcher undo dashboards.results.jsonl --instance acme --yes",),
)
@add(cli_options.UNDO)
@click.pass_obj
def undo(invocation: Invocation, /, **given: Any) -> int:
    """Delete what RESULTS created, newest first, to Trash. A dry run unless --yes."""
    from .undo import undo as body  # noqa: PLC0415

    return body(invocation, given)


@batcher.command(
    cls=Command,
    short_help="the embedded Omni-like server, on loopback",
    examples=(
        "batcher sandbox --port 8765 --rate 60/min --fault reset-after/20",
        "batcher sandbox --faults   (what --fault can ask for)",
    ),
)
@add(cli_options.SANDBOX)
@click.pass_obj
def sandbox(invocation: Invocation, /, **given: Any) -> int:
    """Serve an Omni-like API on this machine for rehearsals and tests. Prints its base URL."""
    from .sandbox import sandbox as body  # noqa: PLC0415

    return body(invocation, given)


@batcher.command(
    cls=Command,
    short_help="where each setting comes from, key masked",
    examples=("batcher config --profile prod",),
)
@add(cli_options.CONFIG)
@click.pass_obj
def config(invocation: Invocation, /, **given: Any) -> int:
    """Show each setting, its value and where it comes from. Keys are masked."""
    from .config import config as body  # noqa: PLC0415

    return body(invocation, given)


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
