"""The public names: one list, loaded on first use."""

from __future__ import annotations

import inspect
import pydoc
import subprocess
import sys
from collections.abc import Iterator
from typing import get_args, get_type_hints

import batcher
from batcher import public


def test_every_public_name_is_the_one_of_the_list() -> None:
    """`batcher.X` is `batcher.public.X`, and `dir` and `import *` name all of them and nothing else."""
    names = [name for name in vars(public) if not name.startswith("_")]
    assert dir(batcher) == sorted(["__version__", *names])
    assert all(getattr(batcher, name) is getattr(public, name) for name in names)
    assert not hasattr(batcher, "nobody_wrote_this")


OPAQUE = {"Claims", "Disk", "Outcomes", "Runtime", "Source", "Storage", "Tally", "Transport", "Drain", "OwnedDocument"}


def classes_in(hint: object) -> Iterator[type]:
    """The classes that an annotation is made of."""
    for part in get_args(hint):
        yield from classes_in(part)
    if inspect.isclass(hint):
        yield hint


def test_everything_that_a_signature_needs_is_public() -> None:
    """Arguments and results of each function, fields of each value; `OPAQUE` are passed on, not looked into."""
    names = {name: value for name, value in vars(public).items() if not name.startswith("_")}
    known = {id(value) for value in names.values()}
    missing = set()
    for name, value in names.items():
        if name in OPAQUE or not callable(value):
            continue
        wrapped = getattr(value, "__init__", value) if inspect.isclass(value) and name == "Client" else value
        for hint in get_type_hints(wrapped).values():
            missing |= {
                f"{name}: {needed.__qualname__}"
                for needed in classes_in(hint)
                if needed.__module__.startswith("batcher") and id(needed) not in known
            }
    assert missing == set()


def test_help_begins_with_what_a_program_does() -> None:
    """Not with where things stand; no name of a private module is in a signature that it shows."""
    shown = pydoc.plain(pydoc.render_doc(batcher))
    assert shown.index("batcher.create(") < shown.index("batcher.run_file_blocking(") < shown.index("CONTRACT.md")
    for function in (batcher.create, batcher.run_file, batcher.run_file_blocking, batcher.Client):
        text = pydoc.plain(pydoc.render_doc(function))
        assert " at 0x" not in text.split("\n\n")[1]


def test_importing_the_package_loads_nothing() -> None:
    """Only the first use of a public name does."""
    code = "import sys, batcher; print([n for n in sys.modules if n.startswith('batcher.')]); batcher.Rate"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['batcher.version']\n"
