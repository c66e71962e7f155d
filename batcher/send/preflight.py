"""A look before the first create: is the key good, is this version's create offered, do the models exist (contract 3).

    whoami with each key ─ the model of most rows ─ openapi.json ─ further models and the users' own identifiers by turns

It costs rate, so it asks little: the rest is found by the creates themselves. Only a refused key or a missing endpoint
ends the run; a wrong model is a problem of its rows, a taken identifier a warning, and a strange answer proves nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, zip_longest

from ..api_keys import ApiKey
from ..errors import StopReason
from ..models import ApiVersion, Problem
from ..omni.api import Question
from ..omni.verdicts import Absent, Braked, EndpointUnusable, KeyRefused, Look, There, Unknown, Unsent
from ..plan.mentions import Asked
from ..reasons import Reason
from .requester import Requester

MOST_REQUESTS = 20
MOST_WHEN_ASKED_FOR = 60  # a minute at the default rate
TOLD_TAKEN = 5  # identifiers by name
SHARE_OF_ROWS = 0.02


def budget_of(asked: Asked, sending: int, limit: int | None) -> int:
    """Requests that a run of so many rows may spend on asking; the rest is found by the creates themselves.

    A canary (`limit`) asks about the models of its rows: it is there to find what is wrong.
    """
    canary = 0 if limit is None else 2 + sum(mentions.before < limit for mentions in asked.models.values())
    return max(1, min(MOST_REQUESTS, max(canary, int(sending * SHARE_OF_ROWS))))


def budget_when_asked_for(asked: Asked, keys: int) -> int:
    """Requests of a look that somebody asked for: enough for everything there is to ask, up to a bound."""
    return min(MOST_WHEN_ASKED_FOR, 2 * keys + 1 + len(asked.models) + len(asked.identifiers))


@dataclass(slots=True)
class Preflight:
    """What was asked and what came of it. `unknown` are problems by model; `trouble` is why nothing can be created."""

    requests: int = 0
    keys: int = 0
    models: int = 0
    unknown: dict[str, Problem] = field(default_factory=dict)
    identifiers: int = 0
    taken: int = 0
    offers_create: bool | None = None
    trouble: str | None = None


async def preflight(
    requester: Requester, asked: Asked, *, budget: int, keys: int, is_canary: bool = False
) -> Preflight:
    """Ask, with at most `budget` requests; warn through the requester; stop the run if nothing can be created."""
    asking = _Asking(requester, asked, budget, is_canary)
    with requester.drain.waits():
        await asking.ask_keys(keys)
        for question in asking.questions():
            if asking.left <= 0 or requester.drain.is_on:
                break
            await question()
    if (more := asking.result.taken - TOLD_TAKEN) > 0:
        rows = "1 more row has" if more == 1 else f"{more:,} more rows have"
        requester.warn(f"{rows} an identifier that is already taken")
    return asking.result


@dataclass(slots=True)
class _Asking:
    """One preflight under way. `left` counts the requests that it may still send."""

    requester: Requester
    asked: Asked
    left: int
    is_canary: bool
    result: Preflight = field(default_factory=Preflight)

    def questions(self) -> Iterator[Callable[[], Awaitable[None]]]:
        """What to ask, the most telling first."""
        named = self.asked.models
        models = deque(named if self.is_canary else sorted(named, key=lambda model: -named[model].rows))
        if models:
            yield self._model_question(models.popleft())
        yield self._ask_description
        identifiers = map(self._identifier_question, self.asked.identifiers)
        by_turns = zip_longest(map(self._model_question, models), identifiers)
        yield from (question for question in chain.from_iterable(by_turns) if question is not None)

    async def ask_keys(self, keys: int) -> None:
        """Who is it? The gate gives each key its turn."""
        api = self.requester.api
        owners: dict[ApiKey, str | None] = {}
        for _ in range(keys):
            if self.left <= 0 or self.requester.drain.is_on:
                break
            answer = await self._ask_with_key("whoami", api.whoami())
            if answer is not None and self.left > 0 and _is_missing(answer[1]):  # an older instance
                answer = await self._ask_with_key("models", api.models())
            if answer is not None and isinstance(answer[1], There):
                owners[answer[0]] = api.owner_of(answer[1].response)
        self.result.keys = len(owners)
        self._compare_owners(owners)

    def _compare_owners(self, owners: dict[ApiKey, str | None]) -> None:
        groups: dict[str, list[int]] = {}
        for key, owner in owners.items():
            if owner is not None:
                groups.setdefault(owner, []).append(key.number)
        if len(groups) > 1:
            owned = "; ".join(
                f"{'keys' if len(numbers) > 1 else 'key'} {', '.join(map(str, numbers))}" for numbers in groups.values()
            )
            self.requester.warn(
                f"the API keys belong to {len(groups)} different users ({owned}), and documents go to the personal "
                "folder of each key's owner, so which row goes where is random. Use keys of one user."
            )

    def _model_question(self, model_id: str) -> Callable[[], Awaitable[None]]:
        async def ask() -> None:
            look = await self._ask(f"model {model_id}", self.requester.api.models(model_id))
            known = self.requester.api.has_records(look.response) if isinstance(look, There) else None
            if known is None:
                return
            self.result.models += 1
            if not known:
                self.result.unknown[model_id] = self.asked.models[model_id].unknown(model_id)

        return ask

    def _identifier_question(self, identifier: str) -> Callable[[], Awaitable[None]]:
        async def ask() -> None:
            look = await self._ask(f"identifier {identifier}", self.requester.api.get(identifier))
            if isinstance(look, There):
                self.result.taken += 1
                if self.result.taken <= TOLD_TAKEN:
                    self.requester.warn(
                        f"{self.asked.identifiers[identifier]}: the identifier {identifier!r} is already taken; the row "
                        "will fail, unless --adopt-existing is set and that document matches it"
                    )
            self.result.identifiers += isinstance(look, There | Absent)

        return ask

    async def _ask_description(self) -> None:
        look = await self._ask("openapi.json", self.requester.api.description())
        if not isinstance(look, There):
            return
        version, offer = self.requester.api.version, self.requester.api.offer_of(look.response)
        if offer is None:
            return
        self.result.offers_create = offer.is_offered
        remedy = f"Use --api {version.other}" if offer.has_other else "Ask the vendor which version it offers"
        if not offer.is_offered:
            offers = "no longer offers" if version is ApiVersion.V1 else "doesn't offer"
            self._stop(
                f"this instance {offers} {version} create: its openapi.json has no POST /api/{version}/documents. "
                f"{remedy}; --no-preflight tries anyway.",
                StopReason.ENDPOINT_GONE,
            )
        elif offer.is_deprecated:
            self.requester.warn(f"this instance's openapi.json calls {version} create deprecated. {remedy} in time.")

    async def _ask(self, what: str, question: Question[Look]) -> Look | None:
        """As `_ask_with_key`, of what a good key may not be allowed to ask: only whoami tells that it's refused."""
        answer = await self._ask_with_key(
            what, Question(question.request, lambda reply, now: _not_of_key(question.judge(reply, now)))
        )
        return answer[1] if answer is not None else None

    async def _ask_with_key(self, what: str, question: Question[Look]) -> tuple[ApiKey, Look] | None:
        """One question, through brakes and outages as long as requests are left; None if there is no answer to use."""
        requester = self.requester
        while self.left > 0 and not requester.drain.is_on:
            self.left -= 1
            before = requester.requests
            key, look = await requester.ask_with_key(f"preflight: {what}", question)
            self.result.requests += requester.requests - before
            match look:
                case EndpointUnusable(message, stop_reason):
                    self._stop(message, stop_reason)
                    return None
                case KeyRefused():
                    if not requester.gate.keys_left:
                        self.result.trouble = "the server refused the API key"
                    return key, look
                case Unsent():
                    self.left += 1  # nothing reached the server: wait for it as everything else does
                case Braked():
                    continue
                case Unknown() if requester.outage.is_on:
                    self.left += 1
                case There() | Absent():
                    requester.is_proven = True
                    return key, look
                case Unknown():
                    return key, look
        return None

    def _stop(self, message: str, stop_reason: StopReason) -> None:
        self.result.trouble = message
        self.requester.stop(message, stop_reason)


def _not_of_key(look: Look) -> Look:
    return Unknown(Reason.FORBIDDEN, look.status, look.message) if isinstance(look, KeyRefused) else look


def _is_missing(look: Look) -> bool:
    """Whether this instance does not have that endpoint."""
    return isinstance(look, Absent) or (isinstance(look, Unknown) and look.status in (404, 405))
