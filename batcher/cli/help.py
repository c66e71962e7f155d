"""Help in groups, one line an option, at most 80 columns; and a suggestion for a mistyped command."""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import click

from .settings.options import Option

COLUMN = 26  # where the explanations of options begin
COMMAND_COLUMN = 10


class Command(click.Command):
    """A command whose help lists its options in groups, with an example at the end.

    `body` is a function `(Invocation, Given) -> exit code` in a module of this package, imported when the command runs.
    """

    def __init__(self, name: str, *, body: str, examples: Sequence[str], **kwargs: Any) -> None:
        """As click's; `body` as in `run:status`; the examples are command lines that can be pasted."""
        super().__init__(name, **kwargs)
        self.body = body
        self.examples = tuple(examples)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click's; errors name this command from here on."""
        if ctx.obj is not None:
            ctx.obj.command = self.name
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> int:
        """Run the body. Returns the exit code."""
        from .settings.given import Given  # noqa: PLC0415 - not for --help
        from .settings.variables import unknown_variables  # noqa: PLC0415

        module, _, function = self.body.partition(":")
        body: Callable[[Any, Given], int] = getattr(import_module(f".{module}", __package__), function)
        ctx.obj.release()
        for note in unknown_variables(os.environ):
            ctx.obj.console.warning(note)
        return body(ctx.obj, Given(ctx))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Groups in the order in which they first occur, without --help, which has just been typed."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, Option):  # the usage line names the arguments
                groups.setdefault(param.group, []).append(record)
        formatter.write_paragraph()
        for title, records in groups.items():  # without lines between them, so that all of `run` fits on a page
            formatter.write_heading(title)
            with formatter.indentation():
                _table(formatter, records, COLUMN)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """The examples."""
        if self.examples:
            formatter.write_paragraph()
            for example in self.examples:
                formatter.write(f"Example: {example}\n")


class Group(click.Group):
    """The top level: commands in the order of a working day, and a suggestion for a typo."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        """As they were added."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command named, or a usage error that names the nearest."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            near = difflib.get_close_matches(name, self.commands, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(self.commands)}"
            if os.path.isfile(name):  # noqa: PTH113 - pathlib isn't imported for --help
                hint = f"to check that file: batcher check {shlex.quote(name)}"
            ctx.fail(f"no command {name!r}; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line a command."""
        records = [(name, (self.get_command(ctx, name) or self).get_short_help_str(80)) for name in self.commands]
        with formatter.section("Commands"):
            _table(formatter, records, COMMAND_COLUMN)


def _table(formatter: click.HelpFormatter, records: list[tuple[str, str]], column: int) -> None:
    width = max(column, max(len(first) for first, _ in records) + 2)
    formatter.write_dl([(first.ljust(width - 2), second) for first, second in records], col_max=width, col_spacing=2)
