"""Documents that may be what an unclear attempt without an identifier made: for a person to look at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ..omni.verdicts import There
from .requester import Requester

PAGES = 3  # newest first; each costs a slot of the rate
SHOWN = 5
CLOCK_SKEW = timedelta(minutes=10)  # between this machine and the server


async def find_candidates(requester: Requester, row: str, name: str, since: datetime) -> list[str]:
    """Identifiers of documents with this name, updated since then. Empty if the server doesn't tell.

    Nothing is asked twice: the row stays uncertain either way.
    """
    api = requester.api
    candidates: list[str] = []
    cursor: str | None = None
    for _ in range(PAGES):
        look = await requester.ask(row, api.newest(cursor))
        page = api.page_of(look.response) if isinstance(look, There) else None
        if page is None:
            break
        candidates += [document.identifier for document in page.documents if document.name == name]
        cursor = page.cursor
        is_past = bool(page.documents) and _is_before(page.documents[-1].updated_at, since)
        if cursor is None or len(candidates) >= SHOWN or is_past:
            break
    return candidates[:SHOWN]


def _is_before(updated_at: str, since: datetime) -> bool:
    try:
        at = datetime.fromisoformat(updated_at)
    except ValueError:
        return False
    return (at if at.tzinfo else at.replace(tzinfo=UTC)) < since - CLOCK_SKEW
