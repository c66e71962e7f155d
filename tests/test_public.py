"""The public names: one list, loaded on first use."""

from __future__ import annotations

import subprocess
import sys

import batcher
from batcher import public


def test_every_public_name_is_the_one_of_the_list() -> None:
    """`batcher.X` is `batcher.public.X`, and `dir` and `import *` name all of them and nothing else."""
    names = [name for name in vars(public) if not name.startswith("_")]
    assert dir(batcher) == sorted(["__version__", *names])
    assert all(getattr(batcher, name) is getattr(public, name) for name in names)
    assert not hasattr(batcher, "nobody_wrote_this")


def test_importing_the_package_loads_nothing() -> None:
    """Only the first use of a public name does."""
    code = "import sys, batcher; print([n for n in sys.modules if n.startswith('batcher.')]); batcher.Rate"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['batcher.version']\n"
