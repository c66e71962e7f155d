"""A look-up of one document, and whether an answer that can't be read proves anything (contract 7).

An authorization layer or a firewall may answer every look-up alike, before anything is looked up. So, once a run, an
identifier is asked for that nobody has used: what is answered to that proves nothing of any other.
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
    if requester.nobodys is None:
        nobody = f"nobody-has-used-{pool.random.getrandbits(64):016x}"
        control = await ask_until_known(requester, pool, row, requester.api.get(nobody), attempts)
        if not isinstance(control, There | Absent):
            return control
        requester.nobodys = control
    if isinstance(requester.nobodys, There) and requester.nobodys.status == look.status:
        message = f"a look-up is answered {look.status} whatever it asks for, which proves nothing"
        return Unknown(Reason.FORBIDDEN if look.status == 403 else Reason.BAD_RESPONSE, look.status, message)
    return look
