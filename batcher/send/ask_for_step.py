"""A question about folders and labels, or a step of a row, put until it is answered: each may be sent again without harm."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..omni.api import Question
from ..omni.places import StepVerdict
from ..omni.verdicts import Blocked, Braked, EndpointUnusable, KeyDoubted, KeyRefused, Refused, There, Unknown, Unsent
from ..reasons import Reason
from .key_doubts import KeyDoubts
from .requester import RATE_LIMITED, Requester
from .workers import WorkerPool

StepAnswer = There | Refused | Blocked | Unknown


@dataclass(slots=True)
class AskForStep:
    """Asks through brakes, dropped keys and outages, which aren't counted; else at most `attempts` times."""

    requester: Requester
    pool: WorkerPool
    attempts: int
    doubts: KeyDoubts = field(init=False)

    def __post_init__(self) -> None:
        self.doubts = KeyDoubts(self.requester)

    async def ask(self, row: str, question: Question[StepVerdict]) -> StepAnswer | None:
        """Unknown: the last attempt didn't tell either. None: the run must stop. Raises KeysRefused with the last key gone."""
        requester, asked = self.requester, 0
        while True:
            key, verdict = await requester.ask_with_key(row, question)
            match verdict:
                case There() | Refused() | Blocked():
                    return verdict
                case KeyDoubted(refused):
                    if await self.doubts.is_good(key, verdict):
                        return refused
                case EndpointUnusable(message, stop_reason):
                    requester.stop(message, stop_reason)
                    return None
                case Braked(status, message):
                    if status == RATE_LIMITED and requester.limited.is_hopeless(row):
                        return Refused(Reason.RATE_LIMITED, status, message)
                case Unknown() if not requester.outage.is_on:  # else its own pauses hold, and the row keeps its place
                    asked += 1
                    if asked >= self.attempts:
                        return verdict
                    await self.pool.back_off(asked)
                case KeyRefused() | Unsent() | Unknown():
                    continue
