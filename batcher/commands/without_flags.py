"""Messages for programs: what the command line calls `--stop-after` is `stop_after` there (contract 12)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from ..errors import BatcherError
from ..models import Created, Outcome

E = TypeVar("E", bound=Exception)

WORDS = {  # of an option, alone or with the value that a message gives it
    "--adopt-existing": "adopt_existing=True",
    "--api": "api",
    "--api v1": "api=ApiVersion.V1",
    "--api v2": "api=ApiVersion.V2",
    "--base-url or --instance": "base_url",
    "--base-url": "base_url",
    "--create-again": "create_again=True",
    "--create-folders": "create_folders=True",
    "--create-labels": "create_labels=True",
    "--force": "force=True",
    "--format": "format",
    "--give-up-after": "give_up_after_seconds",
    "--ignore-unknown": "ignore_unknown=True",
    "--max-row-bytes": "max_row_bytes",
    "--namespace TEXT": "another namespace",
    "--no-fill-identifiers": "fill_identifiers=False",
    "--no-preflight": "preflight=False",
    "--no-shared-pace": "shared_pace=False",
    "--pace-store": "pace_store",
    "--rate none": "rate=None",
    "--recreate-undone": "recreate_undone=True",
    "--rekey": "rekey=True",
    "--resend-uncertain": "resend_uncertain=True",
    "--results FILE": "results",
    "--results": "results",
    "--rows FILE": "rows",
    "--skip-invalid": "skip_invalid=True",
    "--stop-after": "stop_after",
    "--timeout": "timeout_seconds",
}
_FLAG = re.compile("|".join(re.escape(flag) for flag in sorted(WORDS, key=len, reverse=True)) + r"(?![a-z-])")


def without_flags(message: str) -> str:
    """The same message in a program's words."""
    return _FLAG.sub(lambda found: WORDS[found[0]], message) if "--" in message else message


def outcome_without_flags(outcome: Outcome) -> Outcome:
    """An outcome as a program gets it; its line in the failures file stays as it is."""
    if isinstance(outcome, Created):
        return outcome
    return replace(outcome, message=without_flags(outcome.message), hint=without_flags(outcome.hint))


def error_without_flags(error: E) -> E:
    """An error of ours, in a program's words."""
    if isinstance(error, BatcherError):
        error.args = (without_flags(str(error)),)
    return error


@contextmanager
def errors_without_flags() -> Iterator[None]:
    """Whatever error of ours comes out of the block."""
    try:
        yield
    except BatcherError as error:
        error_without_flags(error)
        raise
