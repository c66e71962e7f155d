"""A question put until the server answers it: look-ups of documents, and deletions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import overload

from ..omni.api import Question
from ..omni.verdicts import Absent, Braked, EndpointUnusable, KeyRefused, Look, Refused, There, Unknown, Unsent
from .requester import SERVER_ERRORS, Requester
from .workers import WorkerPool

GONE = 410  # nothing to wait for


@overload
async def ask_until_known(
    requester: Requester, pool: WorkerPool, row: str, question: Question[Look], attempts: int
) -> There | Absent | Unknown | None: ...


@overload
async def ask_until_known(
    requester: Requester,
    pool: WorkerPool,
    row: str,
    question: Question[Look | Refused],
    attempts: int,
    *,
    before: Callable[[], Awaitable[None]] | None = None,
) -> There | Absent | Refused | Unknown | None: ...


async def ask_until_known(
    requester: Requester,
    pool: WorkerPool,
    row: str,
    question: Question[Look | Refused],
    attempts: int,
    *,
    before: Callable[[], Awaitable[None]] | None = None,
) -> There | Absent | Refused | Unknown | None:
    """Ask through brakes, dropped keys and outages, which aren't counted; else at most so many attempts.

    `before` is awaited each time, right before the request leaves.

    Unknown: the last attempt didn't tell either. None: the run must stop. Raises KeysRefused with the last key gone.
    """
    asked = 0
    while True:
        match (await requester.ask_with_key(row, question, before))[1]:
            case There() | Absent() | Refused() as known:
                return known
            case EndpointUnusable(message, stop_reason):
                requester.stop(message, stop_reason)
                return None
            case Unknown(status=status) as look if status == GONE:
                return look
            # in an outage its own pauses hold, and the row keeps its place: but not for an answer that is no outage's
            case Unknown() as look if not requester.outage.is_on or (look.status or SERVER_ERRORS) < SERVER_ERRORS:
                asked += 1
                if asked >= attempts:
                    return look
                await pool.back_off(asked)
            case Braked() | KeyRefused() | Unsent() | Unknown():
                continue
