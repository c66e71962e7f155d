"""What the system allows a process: open files (`ulimit -n`; macOS: 256), of which each connection is one, and threads."""

from __future__ import annotations

import resource
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ..config import RunSettings, Sending
from ..errors import UsageError

if TYPE_CHECKING:
    from ..commands.list_models import ModelsSettings
    from ..commands.undo import UndoSettings

_OURS = 30  # files, spools, pace, loop, streams: 25 were counted, and some come and go while names are looked up
_THREADS = 10  # four of uvloop, three that fsync, and the sandbox's


def fitting(settings: RunSettings | UndoSettings | ModelsSettings, warn: Callable[[str], None]) -> Sending:
    """How to send, with as many requests at once as there may be connections beside the files, which must never fail.

    The limit is raised as far as this user may. Raises UsageError if it leaves no room for one connection.
    """
    sending, each = settings.sending, 2 if settings.endpoint.sandbox else 1  # both ends are ours
    ours = _OURS + len(settings.inputs if isinstance(settings, RunSettings) else ())
    allowed = _raised(ours + sending.concurrency * each)
    room = (allowed - ours) // each
    if room >= sending.concurrency:
        return sending
    limit = f"this process may open {allowed} files at once (ulimit -n)"
    if room < 1:
        raise UsageError(f"{limit}, and needs {ours + each}; raise that limit. Nothing was sent.")
    warn(
        f"{limit}, so it runs as with --concurrency {room}, not {sending.concurrency}; raise that limit if it's too slow"
    )
    return replace(sending, concurrency=room)


def _raised(needed: int) -> int:
    """The number of open files allowed, after it was raised to `needed` if it may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return needed if soft == resource.RLIM_INFINITY else soft
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # macOS allows fewer than it says
        return soft
    return wanted


def check_threads() -> None:
    """Raise UsageError if too few threads can be started: uvloop ends the process on the spot if it gets none."""
    done = threading.Event()
    started: list[threading.Thread] = []
    try:
        for _ in range(_THREADS):
            thread = threading.Thread(target=done.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError as error:
        raise UsageError(
            f"batcher could start only {len(started)} of the {_THREADS} threads it needs; raise the process limit "
            "(ulimit -u, or the container's pids limit). Nothing was sent."
        ) from error
    finally:
        done.set()
        for thread in started:
            thread.join()
