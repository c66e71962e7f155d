"""What an undo that was cut off left open: each document whose DELETE may have left is looked up (contract 7)."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from ..config import Endpoint, Files, Sending
from ..errors import DiskTrouble, UsageError
from ..files.lines import Lines, open_lines
from ..files.past import Past, read_past
from ..files.undo_lines import UndoIntent
from ..models import stamp
from ..omni.verdicts import Absent, There
from ..pace.gate import KeysRefused
from ..runtime import Runtime
from ..send.connect import open_requester
from ..send.drain import Drain
from ..send.look_up import look_up
from ..send.requester import Requester
from ..send.workers import WorkerPool


async def settled_past(
    endpoint: Endpoint, sending: Sending, files: Files, drain: Drain, runtime: Runtime, warn: Callable[[str], None]
) -> Past:
    """The past, after a look-up of what a cut-off undo left open. Raises UsageError."""
    past = past_of(endpoint, sending, files, runtime)
    if not past.journaled.open_undos:
        return past
    if not endpoint.keys:
        raise UsageError(endpoint.no_key_hint)
    async with open_requester(endpoint, sending, files, drain, runtime, warn) as requester:
        try:
            with open_lines(runtime.storage, files.journal) as journal, drain.waits():
                for intent in past.journaled.open_undos.values():
                    await _settle(intent, requester, journal, sending, runtime)
        except DiskTrouble as trouble:
            requester.stop(str(trouble), trouble.stop_reason)
        except KeysRefused:
            pass  # the requester has stopped the run
    past = past_of(endpoint, sending, files, runtime)
    if past.journaled.open_undos:
        warn(warning_of(past, endpoint, files))
    return past


def past_of(endpoint: Endpoint, sending: Sending, files: Files, runtime: Runtime) -> Past:
    """What earlier runs left. Raises UsageError."""
    base_url = "sandbox" if endpoint.sandbox else endpoint.base_url
    return read_past(runtime.storage, files, base_url, sending.namespace)


def warning_of(past: Past, endpoint: Endpoint, files: Files) -> str:
    """That an undo was cut off, and the command that goes on with it, as a dry run."""
    where = ["--sandbox"] if endpoint.sandbox else ["--base-url", endpoint.base_url] if endpoint.base_url else []
    force = ["--force"] if past.uncertain else []
    again = shlex.join(["batcher", "undo", str(files.found), *where, *force])
    number = len(past.journaled.open_undos)
    which = "1 document" if number == 1 else f"{number:,} documents"
    return f"an undo was cut off: run it again: `{again}`. It isn't known yet whether it deleted {which}."


async def _settle(intent: UndoIntent, requester: Requester, journal: Lines, sending: Sending, runtime: Runtime) -> None:
    """Absent → undone; there → kept; unknown → as it was."""
    pool = WorkerPool(1, runtime.random)
    at, run = stamp(runtime.now()), runtime.run_id
    match await look_up(requester, pool, intent.key, intent.identifier, sending.max_attempts):
        case Absent():
            journal.write(intent.undone(at, run).encode())
        case There():
            journal.write(intent.kept(at, run).encode())
        case _:
            return
    await journal.sync()
