"""A look-up of one document, and whether an answer that can't be read proves anything (contract 7).

An authorization layer or a firewall may answer every look-up alike, before anything is looked up. So an identifier is
asked for that nobody has used: what is answered to that proves nothing of any other, for the rest of the run. If it's
answered otherwise, that may have begun or ended just now, so the document is looked up once more.
"""

from __future__ import annotations

from ..omni.verdicts import Absent, There, Unknown
from ..reasons import Reason
from .ask_until_known import ask_until_known
from .requester import Requester
from .workers import WorkerPool


async def look_up(
    requester: Requester, pool: WorkerPool, row: str, identifier: str, attempts: int
) -> There | Absent | Unknown | None:
    """See `ask_until_known`. A document that is There but can't be read exists for certain."""
    look = await ask_until_known(requester, pool, row, requester.api.get(identifier), attempts)
    if not isinstance(look, There) or look.document is not None:
        return look
    if look.status not in requester.proves_nothing:
        nobody = f"nobody-has-used-{pool.random.getrandbits(64):016x}"
        control = await ask_until_known(requester, pool, row, requester.api.get(nobody), attempts)
        if isinstance(control, Unknown) or control is None:
            return control
        if isinstance(control, Absent) or control.status != look.status:
            return await ask_until_known(requester, pool, row, requester.api.get(identifier), attempts)
        requester.proves_nothing.add(look.status)
    message = f"a look-up is answered {look.status} whatever it asks for, which proves nothing"
    return Unknown(Reason.FORBIDDEN if look.status == 403 else Reason.BAD_RESPONSE, look.status, message)
