"""`batcher verify` and `batcher undo`: what comes after a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .cli_end import Invocation
from .cli_given import prepare
from .errors import UsageError
from .files import files_of_results


def verify(invocation: Invocation, options: Mapping[str, Any]) -> int:
    """Being written."""
    prepare(invocation, "verify", options)
    raise UsageError("verify is not there yet")


def undo(invocation: Invocation, options: Mapping[str, Any]) -> int:
    """Being written."""
    prepare(invocation, "undo", options)
    files_of_results(Path(options["results_file"]))
    raise UsageError("undo is not there yet")
