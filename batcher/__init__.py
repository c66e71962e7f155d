"""Create Omni documents in batches: never twice, never lost, at the rate that is allowed.

`CONTRACT.md` beside this file decides what a user can observe: "(contract 7)" in a docstring is its section 7.
`omni/API.md` holds the facts about the API.

A program that makes its specs itself uses `create`:

    import asyncio
    import batcher

    async def main(specs: list[dict], api_key: str) -> None:
        async with (
            batcher.Client("https://acme.omniapp.co", api_key) as client,
            batcher.create(specs, client, rate="60/min", concurrency=8, journal="x.journal.jsonl") as outcomes,
        ):
            async for outcome in outcomes:
                match outcome:
                    case batcher.Created(url=url):
                        print(url)
                    case batcher.Failed(reason=reason, hint=hint):
                        print(reason, hint)
                    case batcher.Uncertain():
                        print("run it again")

`specs` is any iterable or async iterable of `Spec`s (from `read_specs`) or of mappings with the fields that an input
file has (samples/README.md). Each outcome is on disk before the program sees it. Leaving the block drains as the
first Ctrl-C does: nothing more is sent, and requests in flight are waited for. `journal=None` keeps nothing: "never
twice" then holds within the process only. The rate is shared with all other batcher runs of this user that use the
key, as on the command line; `shared_pace=False` counts for itself.

`run`, `status`, `check`, `verify` and `undo` are the commands without a terminal. They take the frozen settings of
`config` and raise what `errors` lists. Names are loaded when they are first used, so that importing the package costs
next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .version import __version__

if TYPE_CHECKING:
    from .commands.create import create as create
    from .commands.outcome_stream import Outcomes as Outcomes
    from .commands.run import run as run
    from .commands.run import status as status
    from .commands.undo import Undoing as Undoing
    from .commands.undo import UndoSettings as UndoSettings
    from .commands.undo import undo as undo
    from .commands.verify import Verified as Verified
    from .commands.verify import verify as verify
    from .config import Endpoint as Endpoint
    from .config import Files as Files
    from .config import Reading as Reading
    from .config import RunSettings as RunSettings
    from .config import Sending as Sending
    from .errors import BatcherError as BatcherError
    from .errors import DiskTrouble as DiskTrouble
    from .errors import InternalError as InternalError
    from .errors import InvalidInput as InvalidInput
    from .errors import Locked as Locked
    from .errors import Stopped as Stopped
    from .errors import UsageError as UsageError
    from .files.results import read_results as read_results
    from .keys import ApiKey as ApiKey
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
    from .pace.rate import Rate as Rate
    from .report.onlooker import Onlooker as Onlooker
    from .report.onlooker import Unwatched as Unwatched
    from .report.plan import Plan as Plan
    from .report.reporter import Reporter as Reporter
    from .report.reporter import Silent as Silent
    from .report.summary import Summary as Summary
    from .report.summary import exit_code as exit_code
    from .send.drain import Drain as Drain
    from .send.drain import End as End
    from .transport.client import Client as Client
    from .validate.check import Checked as Checked
    from .validate.check import check as check
    from .validate.check import read_specs as read_specs

_HOMES = {
    "validate.check": ("Checked", "check", "read_specs"),
    "transport.client": ("Client",),
    "config": ("Endpoint", "Files", "Reading", "RunSettings", "Sending"),
    "send.drain": ("Drain", "End"),
    "errors": (
        "BatcherError",
        "DiskTrouble",
        "InternalError",
        "InvalidInput",
        "Locked",
        "Stopped",
        "UsageError",
    ),
    "commands.create": ("create",),
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
    "report.onlooker": ("Onlooker", "Unwatched"),
    "commands.outcome_stream": ("Outcomes",),
    "pace.rate": ("Rate",),
    "commands.run": ("run", "status"),
    "report.reporter": ("Plan", "Reporter", "Silent"),
    "files.results": ("read_results",),
    "report.summary": ("Summary", "exit_code"),
    "keys": ("ApiKey",),
    "commands.undo": ("UndoSettings", "Undoing", "undo"),
    "commands.verify": ("Verified", "verify"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *_HOME_OF]  # noqa: PLE0604 - the table above is the list


def __getattr__(name: str) -> object:
    """Load a public name from its module on first use."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'batcher' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
