"""Is it the key or the row? An answer that may be about either is settled by asking who the key's owner is (contract 9)."""

from __future__ import annotations

import anyio

from ..api_keys import ApiKey
from ..omni.api import Question
from ..omni.verdicts import Absent, KeyDoubted, KeyRefused, Look, There, Unknown
from ..reasons import Reason
from .requester import Requester

_ROW = "whoami"
_ATTEMPTS = 5


class KeyDoubts:
    """Asks once with each key; a key that was answered is good for the rest of the run: a 401 would say otherwise."""

    def __init__(self, requester: Requester) -> None:
        self._requester = requester
        self._good: set[str] = set()
        self._asking = anyio.Lock()

    async def is_good(self, key: ApiKey, doubted: KeyDoubted) -> bool:
        """Whether it answers; a key that doesn't is dropped. Raises KeysRefused with the last key gone."""
        requester = self._requester
        async with self._asking:
            while key.secret not in self._good and requester.gate.holds(key):
                asked, look = await self._ask(requester.api.whoami())
                if isinstance(look, Absent | Unknown):  # an older instance
                    asked, look = await self._ask(requester.api.models())
                if isinstance(look, There):
                    self._good.add(asked.secret)
                elif not isinstance(look, KeyRefused):  # it was dropped when that came
                    requester.drop(asked, KeyRefused(doubted.refused.status, doubted.refused.message))
        return key.secret in self._good

    async def _ask(self, question: Question[Look]) -> tuple[ApiKey, Look]:
        """Through brakes and outages, and a few times through what says nothing of a key: a lost connection, a 5xx.

        The gate gives each key its turn, so it may be another one that is asked.
        """
        requester, asked = self._requester, 0
        while True:
            match await requester.ask_with_key(_ROW, question):
                case key, (There() | Absent() | KeyRefused()) as look:
                    return key, look
                case key, Unknown() as look if not requester.outage.is_on:
                    asked += 1
                    if look.reason is Reason.BAD_RESPONSE or asked >= _ATTEMPTS:
                        return key, look
                    await anyio.sleep(2.0 ** (asked - 1))
                case _:
                    continue
