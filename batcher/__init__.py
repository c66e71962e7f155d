"""Create Omni documents in batches: never twice, never lost, at the rate that is allowed.

    async with (batcher.Client("https://acme.omniapp.co", api_key) as client,
                batcher.create(specs, client, rate="60/min", journal="x.journal.jsonl") as outcomes):
        async for outcome in outcomes:
            match outcome:
                case batcher.Created(url=url): ...
                case batcher.Failed(reason=reason, hint=hint): ...
                case batcher.Uncertain(): ...

Names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .check import Checked as Checked
    from .check import check as check
    from .check import read_specs as read_specs
    from .client import Client as Client
    from .config import Endpoint as Endpoint
    from .config import Files as Files
    from .config import Reading as Reading
    from .config import RunSettings as RunSettings
    from .config import Sending as Sending
    from .drain import Drain as Drain
    from .drain import End as End
    from .errors import BatcherError as BatcherError
    from .errors import DiskTrouble as DiskTrouble
    from .errors import InternalError as InternalError
    from .errors import InvalidInput as InvalidInput
    from .errors import Locked as Locked
    from .errors import Stopped as Stopped
    from .errors import UsageError as UsageError
    from .library import create as create
    from .models import Created as Created
    from .models import Failed as Failed
    from .models import How as How
    from .models import Outcome as Outcome
    from .models import Problem as Problem
    from .models import Reason as Reason
    from .models import Row as Row
    from .models import Spec as Spec
    from .models import Uncertain as Uncertain
    from .models import UnclearAttempt as UnclearAttempt
    from .onlooker import Onlooker as Onlooker
    from .onlooker import Unwatched as Unwatched
    from .outcomes import Outcomes as Outcomes
    from .pace import Rate as Rate
    from .pipeline import run as run
    from .pipeline import status as status
    from .reporter import Plan as Plan
    from .reporter import Reporter as Reporter
    from .reporter import Silent as Silent
    from .results import read_results as read_results
    from .summary import Summary as Summary
    from .summary import exit_code as exit_code
    from .transport import ApiKey as ApiKey
    from .undo import Undoing as Undoing
    from .undo import UndoSettings as UndoSettings
    from .undo import undo as undo
    from .verify import Verified as Verified
    from .verify import verify as verify

_HOMES = {
    "check": ("Checked", "check", "read_specs"),
    "client": ("Client",),
    "config": ("Endpoint", "Files", "Reading", "RunSettings", "Sending"),
    "drain": ("Drain", "End"),
    "errors": (
        "BatcherError",
        "DiskTrouble",
        "InternalError",
        "InvalidInput",
        "Locked",
        "Stopped",
        "UsageError",
    ),
    "library": ("create",),
    "models": (
        "Created",
        "Failed",
        "How",
        "Outcome",
        "Problem",
        "Reason",
        "Row",
        "Spec",
        "Uncertain",
        "UnclearAttempt",
    ),
    "onlooker": ("Onlooker", "Unwatched"),
    "outcomes": ("Outcomes",),
    "pace": ("Rate",),
    "pipeline": ("run", "status"),
    "reporter": ("Plan", "Reporter", "Silent"),
    "results": ("read_results",),
    "summary": ("Summary", "exit_code"),
    "transport": ("ApiKey",),
    "undo": ("UndoSettings", "Undoing", "undo"),
    "verify": ("Verified", "verify"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *_HOME_OF]  # noqa: PLE0604 - the table above is the list


class _Package(ModuleType):
    """Importing `batcher.check` would put the module in the place of the public function `batcher.check`."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOME_OF and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> object:
    """Load a public name from its module on first use."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'batcher' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
