"""A look before the first create: is the key good, is v1 create offered, do the models exist (contract 3).

    whoami with each key ─ the model of most rows ─ openapi.json ─ further models and the users' own identifiers by turns

It costs rate, so it asks little: the rest is found by the creates themselves. Only a refused key or a missing endpoint
ends the run; a wrong model or a taken identifier is a warning, and a strange answer proves nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, zip_longest

from ..keys import ApiKey
from ..models import Reason
from ..omni.judge import judge_ask, judge_look
from ..omni.v1 import has_records, offers_create, owner_of
from ..omni.verdicts import Absent, Braked, EndpointUnusable, KeyRefused, Look, There, Unknown, Unsent
from ..plan.asked import Asked
from ..transport.reply import Reply
from .requester import Requester

MOST_REQUESTS = 20
MOST_WHEN_ASKED_FOR = 60  # a minute at the default rate
SHARE_OF_ROWS = 0.02

Send = Callable[[ApiKey], Awaitable[Reply]]
Judge = Callable[[Reply], Look]


def budget_of(sending: int) -> int:
    """Requests that a run of so many rows may spend on asking; the rest is found by the creates themselves."""
    return max(1, min(MOST_REQUESTS, int(sending * SHARE_OF_ROWS)))


def budget_when_asked_for(asked: Asked, keys: int) -> int:
    """Requests of a look that somebody asked for: enough for everything there is to ask, up to a bound."""
    return min(MOST_WHEN_ASKED_FOR, 2 * keys + 1 + len(asked.models) + len(asked.identifiers))


@dataclass(slots=True)
class Preflight:
    """What was asked and what came of it. `trouble` is why nothing can be created."""

    requests: int = 0
    keys: int = 0
    models: int = 0
    unknown_models: int = 0
    identifiers: int = 0
    taken: int = 0
    offers_create: bool | None = None
    trouble: str | None = None


async def preflight(requester: Requester, asked: Asked, *, budget: int, keys: int) -> Preflight:
    """Ask, with at most `budget` requests; warn through the requester; stop the run if nothing can be created."""
    asking = _Asking(requester, asked, budget)
    with requester.drain.waits():
        await asking.ask_keys(keys)
        for question in asking.questions():
            if asking.left <= 0 or requester.drain.is_on:
                break
            await question()
    return asking.found


@dataclass(slots=True)
class _Asking:
    """One preflight under way. `left` counts the requests that it may still send."""

    requester: Requester
    asked: Asked
    left: int
    found: Preflight = field(default_factory=Preflight)

    def questions(self) -> Iterator[Callable[[], Awaitable[None]]]:
        """What to ask, the most telling first."""
        models = deque(sorted(self.asked.models, key=lambda one: -self.asked.models[one].rows))
        if models:
            yield self._model_question(models.popleft())
        yield self._ask_description
        identifiers = map(self._identifier_question, self.asked.identifiers)
        by_turns = zip_longest(map(self._model_question, models), identifiers)
        yield from (question for question in chain.from_iterable(by_turns) if question is not None)

    async def ask_keys(self, keys: int) -> None:
        """Who is it? The gate gives each key its turn."""
        owners: dict[ApiKey, str | None] = {}
        for _ in range(keys):
            if self.left <= 0 or self.requester.drain.is_on:
                break
            used: list[ApiKey] = []

            def whoami(key: ApiKey, used: list[ApiKey] = used) -> Awaitable[Reply]:
                used.append(key)
                return self.requester.omni.whoami(key)

            look = await self._ask("whoami", whoami, self._judge_key)
            if _is_missing(look) and self.left > 0:  # an older instance
                look = await self._ask("models", self.requester.omni.models, self._judge_key)
            if isinstance(look, There) and used:
                owners[used[-1]] = owner_of(look.response)
        self.found.keys = len(owners)
        self._compare_owners(owners)

    def _compare_owners(self, owners: dict[ApiKey, str | None]) -> None:
        groups: dict[str, list[int]] = {}
        for key, owner in owners.items():
            if owner is not None:
                groups.setdefault(owner, []).append(key.number)
        if len(groups) > 1:
            said = "; ".join(
                f"{'keys' if len(one) > 1 else 'key'} {', '.join(map(str, one))}" for one in groups.values()
            )
            self.requester.warn(
                f"the API keys belong to {len(groups)} different users ({said}), and documents land in the own folder of "
                "the key's owner: which row lands where is left to chance. Use keys of one user."
            )

    def _model_question(self, model_id: str) -> Callable[[], Awaitable[None]]:
        async def ask() -> None:
            look = await self._ask(f"model {model_id}", lambda key: self.requester.omni.models(key, model_id))
            known = has_records(look.response) if isinstance(look, There) else None
            if known is None:
                return
            self.found.models += 1
            if not known:
                self.found.unknown_models += 1
                mentions = self.asked.models[model_id]
                self.requester.warn(f"the model {model_id} is not known there, or not to this key: {mentions}")

        return ask

    def _identifier_question(self, identifier: str) -> Callable[[], Awaitable[None]]:
        async def ask() -> None:
            look = await self._ask(
                f"identifier {identifier}",
                lambda key: self.requester.omni.get(key, identifier),
                partial(self._judge_document, identifier),
            )
            if isinstance(look, There):
                self.found.taken += 1
                self.requester.warn(
                    f"{self.asked.identifiers[identifier]}: the identifier {identifier!r} is taken already; the row will "
                    "fail, or with --adopt-existing become that document if it reads the same"
                )
            self.found.identifiers += isinstance(look, There | Absent)

        return ask

    async def _ask_description(self) -> None:
        look = await self._ask("openapi.json", self.requester.omni.description)
        if not isinstance(look, There):
            return
        self.found.offers_create = offers_create(look.response)
        if self.found.offers_create is False:
            self._stop(
                "this instance no longer offers v1 create: its openapi.json has no POST /api/v1/documents. "
                "Ask the vendor which version it offers; --no-preflight tries all the same."
            )

    def _judge_key(self, reply: Reply) -> Look:
        return judge_ask(reply, now=self.requester.now())

    def _judge_other(self, reply: Reply) -> Look:
        """A key may be good and yet not allowed to ask this: only whoami tells."""
        look = judge_ask(reply, now=self.requester.now())
        return Unknown(Reason.FORBIDDEN, look.status, look.message) if isinstance(look, KeyRefused) else look

    def _judge_document(self, identifier: str, reply: Reply) -> Look:
        look = judge_look(reply, identifier, now=self.requester.now())
        return Unknown(Reason.FORBIDDEN, look.status, look.message) if isinstance(look, KeyRefused) else look

    async def _ask(self, what: str, send: Send, judge: Judge | None = None) -> Look | None:
        """One question, through brakes and outages as long as requests are left; None if there is no answer to use."""
        requester = self.requester
        while self.left > 0 and not requester.drain.is_on:
            self.left -= 1
            before = requester.requests
            look: Look = await requester.request(f"preflight: {what}", send, judge or self._judge_other)
            self.found.requests += requester.requests - before
            match look:
                case EndpointUnusable(message):
                    self._stop(message)
                    return None
                case KeyRefused():
                    if not requester.gate.keys_left:
                        self.found.trouble = "the server refused the API key"
                    return look
                case Unsent():
                    self.left += 1  # nothing reached the server: wait for it as everything else does
                case Braked():
                    continue
                case Unknown() if requester.outage.is_on:
                    self.left += 1
                case There() | Absent() | Unknown():
                    return look
        return None

    def _stop(self, message: str) -> None:
        self.found.trouble = message
        self.requester.stop(message)


def _is_missing(look: Look | None) -> bool:
    """Whether this instance does not have that endpoint."""
    return isinstance(look, Absent) or (isinstance(look, Unknown) and look.status in (404, 405))
