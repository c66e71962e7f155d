"""Documents that may be what an unclear attempt without an identifier made: for a person to look at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

from ..omni import v1
from ..omni.judge import judge_look
from ..omni.verdicts import Braked, EndpointUnusable, KeyRefused, There, Unknown, Unsent
from ..transport.reply import Answer, Reply
from .requester import Requester

PAGES = 3  # newest first; each costs a slot of the rate
SHOWN = 5
CLOCK_SKEW = timedelta(minutes=10)  # between this machine and the server


async def find_candidates(requester: Requester, row: str, name: str, since: datetime) -> list[str]:
    """Identifiers of documents with this name, updated since then. Empty if the server does not tell."""
    found: list[str] = []
    cursor: str | None = None
    for _ in range(PAGES):
        answers: list[Answer] = []

        def judge(
            reply: Reply, answers: list[Answer] = answers
        ) -> There | Braked | KeyRefused | EndpointUnusable | Unsent | Unknown:
            match judge_look(reply, "", now=requester.now()):
                case Braked() | KeyRefused() | EndpointUnusable() | Unsent() as held:
                    return held
                case Unknown() as unknown if unknown.status != 200:
                    return unknown
                case _:
                    answers.extend([reply] if isinstance(reply, Answer) else [])
                    return There(200, None)

        match await requester.request(row, partial(requester.omni.newest, cursor=cursor), judge):
            case There():
                page = v1.page_of(answers[0]) if answers else None
            case _:
                return found  # not worth another request: the row stays uncertain either way
        if page is None:
            return found
        listed, cursor = page
        found += [one.identifier for one in listed if one.name == name]
        if cursor is None or len(found) >= SHOWN or (listed and _is_before(listed[-1].updated_at, since)):
            break
    return found[:SHOWN]


def _is_before(updated_at: str, since: datetime) -> bool:
    try:
        at = datetime.fromisoformat(updated_at)
    except ValueError:
        return False
    return (at if at.tzinfo else at.replace(tzinfo=UTC)) < since - CLOCK_SKEW
