"""Command lines that can be pasted: the one that was typed, and others made from it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import click

from ..settings.options import Option


@dataclass(frozen=True, slots=True)
class CommandLine:
    """One command line: the inputs, the words of each option that was typed, and words that are put after them."""

    command: str
    inputs: tuple[str, ...]
    options: Mapping[Option, tuple[str, ...]]
    more: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Quoted for the shell."""
        inputs = [f"./{name}" if name.startswith("-") and name != "-" else name for name in self.inputs]
        words = [word for words in self.options.values() for word in words]
        return shlex.join(["batcher", self.command, *inputs, *words, *self.more])

    def has(self, flag: str) -> bool:
        """Whether that option was typed."""
        return any(option.flag == flag for option in self.options)

    def value(self, flag: str) -> str | None:
        """The value that was typed for an option."""
        return next((words[-1] for option, words in self.options.items() if option.flag == flag), None)

    def setting(self, flag: str, value: str) -> CommandLine:
        """The same with another value of an option that was typed."""
        options = {o: ((flag, value) if o.flag == flag else words) for o, words in self.options.items()}
        return replace(self, options=options)

    def without(self, flag: str) -> CommandLine:
        """The same without an option and its value."""
        return replace(self, options={o: words for o, words in self.options.items() if o.flag != flag})

    def plus(self, *words: str) -> CommandLine:
        """The same with further words."""
        return replace(self, more=(*self.more, *words))

    def reading(self, inputs: Iterable[str]) -> CommandLine:
        """The same with other inputs."""
        return replace(self, inputs=tuple(inputs))

    def of_command(self, command: str, parameters: Iterable[click.Parameter], *, dropped: str = "") -> CommandLine:
        """Another command about the same rows: what it takes, but output options and those of the group dropped."""
        taken = {
            parameter for parameter in parameters if getattr(parameter, "group", "Output") not in ("Output", dropped)
        }
        return replace(self, command=command, options={o: words for o, words in self.options.items() if o in taken})
