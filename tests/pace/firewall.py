"""A server in virtual time that answers 429, and who sends to it: we through our gate, others as they like."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import anyio

from batcher.api_keys import ApiKey
from batcher.pace.gate import Gate
from batcher.pace.rate import Rate
from batcher.transport.headers import retry_after
from tests.support import virtual

KEY = ApiKey("shared")


@dataclass
class Firewall:
    """At most `limit` requests in any `seconds`, of all who use the key.

    `strays` is the part of the requests that it blocks at random, `bursts` how often (s) it blocks all for how long (s).
    It notices a request `lag_seconds` late, and counts blocked ones, unless told otherwise. `retry_after` is the header
    of a 429.
    """

    limit: int
    seconds: float
    retry_after: str | None = None
    strays: float = 0.0
    bursts: tuple[float, float] | None = None
    lag_seconds: float = 0.0
    counts_blocked: bool = True
    seed: int = 0
    passed: dict[str, list[float]] = field(default_factory=lambda: {"we": [], "other": []})
    blocked: dict[str, list[float]] = field(default_factory=lambda: {"we": [], "other": []})
    _seen: deque[float] = field(default_factory=deque)
    _unseen: deque[float] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    def ask(self, who: str) -> bool:
        """A request arrives; does it pass?"""
        now = virtual.loop().time()
        while self._unseen and now - self._unseen[0] >= self.lag_seconds:
            self._seen.append(self._unseen.popleft())
        while self._seen and now - self._seen[0] >= self.seconds + self.lag_seconds:
            self._seen.popleft()
        good = len(self._seen) < self.limit and not self._is_moody(now - virtual.EPOCH)
        if good or self.counts_blocked:
            (self._unseen if self.lag_seconds else self._seen).append(now)
        (self.passed if good else self.blocked)[who].append(now - virtual.EPOCH)
        return good

    def _is_moody(self, at: float) -> bool:
        """A stray or a burst."""
        every, length = self.bursts or (1.0, 0.0)
        return self._chance.random() < self.strays or at % every >= every - length


@dataclass(frozen=True)
class Other:
    """Somebody else at the same key: evenly, at this part of the rate, whatever the answer; `times` in s, from and to."""

    share: float
    times: Sequence[tuple[float, float]] = ((0.0, 1e9),)


async def we(firewall: Firewall, rate: Rate, latency: Callable[[], float]) -> None:
    """Eight workers of ours, with more to send than time."""
    headers = {} if firewall.retry_after is None else {"retry-after": firewall.retry_after}
    wait = retry_after(headers, datetime(2026, 7, 1, tzinfo=UTC))

    async def work(gate: Gate) -> None:
        while True:
            slot = await gate.slot()
            if slot.start():
                await anyio.sleep(latency() / 2)
                good = firewall.ask("we")
                await anyio.sleep(latency() / 2)
                if good:
                    gate.passed(KEY, slot=slot)
                else:
                    gate.brake(KEY, wait, slot=slot)

    async with Gate([KEY], rate) as gate, anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(work, gate)


async def they(firewall: Firewall, rate: Rate, other: Other) -> None:
    """Somebody else."""
    for begins, ends in other.times:
        await anyio.sleep_until(virtual.EPOCH + begins)
        while virtual.loop().time() - virtual.EPOCH < ends:
            firewall.ask("other")
            await anyio.sleep(1 / (other.share * rate.per_second))


def simulate(seconds: float, firewall: Firewall, rate: Rate, other: Other | None = None, *, seed: int = 0) -> Firewall:
    """This many seconds of us, and of somebody else at the same key."""
    chance = random.Random(seed)
    # The way to the server varies by up to 0.4 % of the period; the pace's margin is 0.5 %.
    spread = min(0.4, 0.008 * rate.period_seconds)

    async def main() -> None:
        with anyio.move_on_after(seconds):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(we, firewall, rate, lambda: chance.uniform(0.1, 0.1 + spread))
                if other is not None:
                    tasks.start_soon(they, firewall, rate, other)

    virtual.run(main)
    return firewall


@dataclass(frozen=True)
class Scenario:
    """A kind of server, and who else uses the key. `limit` is the part of the rate that the server really allows."""

    name: str
    strays: float = 0.0
    other: Other | None = None
    limit: float = 1.0
    bursts: tuple[float, float] | None = None
    lag_seconds: float = 0.0
    counts_blocked: bool = True
    retry_after: str | None = None


@dataclass(frozen=True)
class Measured:
    """Parts: of the allowed rate that passed (ours, and everybody's), and of our requests that were blocked."""

    ours: float
    everybodys: float
    blocked: float


def measure(scenario: Scenario, rate: Rate, seconds: float, seed: int = 0) -> Measured:
    """One simulated run; beside somebody else from five periods on, when the other one has been noticed."""
    firewall = Firewall(
        round(rate.limit * scenario.limit),
        rate.period_seconds,
        scenario.retry_after,
        scenario.strays,
        scenario.bursts,
        scenario.lag_seconds,
        scenario.counts_blocked,
        seed,
    )
    simulate(seconds, firewall, rate, scenario.other, seed=seed)
    learned = 5 * rate.period_seconds if scenario.other else 0.0
    blocked = sum(at > learned for at in firewall.blocked["we"])
    ours = sum(at > learned for at in firewall.passed["we"])
    others = sum(at > learned for at in firewall.passed["other"])
    allowed = rate.per_second * (seconds - learned)
    return Measured(ours / allowed, (ours + others) / allowed, blocked / max(1, blocked + ours))
