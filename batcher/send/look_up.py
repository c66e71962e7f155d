"""A look-up of one document, through either version of the API, and whether what can't be read proves anything (contract 7, 13).

An authorization layer or a firewall may answer every look-up alike, before anything is looked up. So an identifier is
asked for that nobody has used: what is answered to that proves nothing of any other, for the rest of the run. If it's
answered otherwise, that may have begun or ended just now, so the document is looked up once more.
"""

from __future__ import annotations

from ..models import ApiVersion
from ..omni.verdicts import Absent, There, Unknown
from ..reasons import Reason
from .ask_until_known import GONE, ask_until_known
from .requester import Requester
from .workers import WorkerPool

_Look = There | Absent | Unknown | None
_FOR_THE_OTHER = (400, 422)  # there, but in a layout or of a kind that this version doesn't read


async def look_up(
    requester: Requester, pool: WorkerPool, row: str, identifier: str, attempts: int, by: ApiVersion | None = None
) -> _Look:
    """As `read_back`. A document that is There but can't be read exists for certain."""
    version, look = await _read(requester, pool, row, identifier, attempts, by)
    if not isinstance(look, There) or look.document is not None:
        return look
    if (version, look.status) not in requester.proves_nothing:
        nobody = f"nobody-has-used-{pool.random.getrandbits(64):016x}"
        control = await ask_until_known(requester, pool, row, requester.api.get(nobody, version), attempts)
        if isinstance(control, Unknown) or control is None:
            return control
        if isinstance(control, Absent) or control.status != look.status:
            return await ask_until_known(requester, pool, row, requester.api.get(identifier, version), attempts)
        requester.proves_nothing.add((version, look.status))
    message = f"every lookup gets {look.status}, whatever it asks for, which proves nothing"
    return Unknown(Reason.FORBIDDEN if look.status == 403 else Reason.BAD_RESPONSE, look.status, message)


async def read_back(
    requester: Requester, pool: WorkerPool, row: str, identifier: str, attempts: int, by: ApiVersion | None = None
) -> _Look:
    """See `ask_until_known`. Through this version (None: the run's), and if that can't tell or read it, the other one."""
    return (await _read(requester, pool, row, identifier, attempts, by))[1]


async def _read(
    requester: Requester, pool: WorkerPool, row: str, identifier: str, attempts: int, by: ApiVersion | None
) -> tuple[ApiVersion, _Look]:
    """What it read, and through which version."""
    first = by or requester.api.version
    if first in requester.gone and first.other not in requester.gone:
        first = first.other
    look = await _ask(requester, pool, row, identifier, attempts, first)
    if not _may_the_other_know(look) or first.other in requester.gone:
        return first, look
    other = await _ask(requester, pool, row, identifier, attempts, first.other)
    match look, other:
        case Unknown(), There() | Absent() | None:
            return first.other, other
        case There(), There(document=document) if document is not None:
            return first.other, other
        case _:
            return first, look


async def _ask(
    requester: Requester, pool: WorkerPool, row: str, identifier: str, attempts: int, version: ApiVersion
) -> _Look:
    look = await ask_until_known(requester, pool, row, requester.api.get(identifier, version), attempts)
    if isinstance(look, Unknown) and look.status == GONE:
        requester.gone.add(version)
    return look


def _may_the_other_know(look: _Look) -> bool:
    match look:
        case Unknown(is_gone=is_gone):
            return is_gone
        case There(document=None, status=status):
            return status in _FOR_THE_OTHER
        case _:
            return False
