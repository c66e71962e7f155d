"""A server that enforces a true sliding window and counts what it blocks, alone and with somebody else at the same key."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

import anyio
import pytest

from batcher.keys import ApiKey
from batcher.pace.gate import Gate
from batcher.pace.rate import Rate
from tests.support import virtual

KEY = ApiKey("shared")


@dataclass
class Firewall:
    """At most `limit` requests in any `seconds`; a blocked one counts, too. `retry_after` is sent with a block."""

    limit: int
    seconds: float
    retry_after: float | None = None
    passed: dict[str, list[float]] = field(default_factory=lambda: {"we": [], "other": []})
    blocked: dict[str, list[float]] = field(default_factory=lambda: {"we": [], "other": []})
    _seen: deque[float] = field(default_factory=deque)

    def ask(self, who: str) -> bool:
        """A request arrives; does it pass?"""
        now = virtual.loop().time()
        while self._seen and now - self._seen[0] >= self.seconds:
            self._seen.popleft()
        self._seen.append(now)
        good = len(self._seen) <= self.limit
        (self.passed if good else self.blocked)[who].append(now - virtual.EPOCH)
        return good


async def we(firewall: Firewall, rate: Rate, latency: Callable[[], float]) -> None:
    """Eight workers of ours, with more to send than time."""

    async def work(gate: Gate) -> None:
        while True:
            slot = await gate.slot()
            if slot.start():
                await anyio.sleep(latency() / 2)
                good = firewall.ask("we")
                await anyio.sleep(latency() / 2)
                if good:
                    gate.passed(KEY)
                else:
                    gate.brake(KEY, firewall.retry_after, slot=slot)

    async with Gate([KEY], rate) as gate, anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(work, gate)


async def other(firewall: Firewall, every_seconds: float, until_seconds: float) -> None:
    """Somebody else: evenly, whatever the answer."""
    while virtual.loop().time() - virtual.EPOCH < until_seconds:
        firewall.ask("other")
        await anyio.sleep(every_seconds)


def hour(
    firewall: Firewall, rate: Rate, *others: Callable[[], Coroutine[object, object, None]], seed: int = 0
) -> Firewall:
    """An hour of us, and of others at the same key."""
    chance = random.Random(seed)
    # The way to the server varies by up to 0.4 % of the period; the pace's margin is 0.5 %.
    spread = min(0.4, 0.008 * rate.period_seconds)

    async def main() -> None:
        with anyio.move_on_after(3600):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(we, firewall, rate, lambda: chance.uniform(0.1, 0.1 + spread))
                for start in others:
                    tasks.start_soon(start)

    virtual.run(main)
    return firewall


@pytest.mark.parametrize("text", ["60/min", "500/min", "30/10s"])
def test_alone_we_are_never_blocked(text: str) -> None:
    """An hour at the full rate: not one 429, and at least 99 % of what is allowed."""
    rate = Rate.parse(text)
    assert rate is not None
    firewall = hour(Firewall(rate.limit, rate.period_seconds), rate)
    assert not firewall.blocked["we"]
    assert len(firewall.passed["we"]) >= 0.99 * rate.per_second * 3600


@pytest.mark.parametrize("text", ["60/min", "500/min", "30/10s"])
@pytest.mark.parametrize("retry_after", [None, 10.0, 60.0])
@pytest.mark.parametrize("seed", range(2))
def test_we_leave_room_for_somebody_else(text: str, retry_after: float | None, seed: int) -> None:
    """Beside a client at half the rate that never backs off: few 429s, and the key is well used all the same."""
    rate = Rate.parse(text)
    assert rate is not None
    firewall = Firewall(rate.limit, rate.period_seconds, retry_after)
    hour(firewall, rate, lambda: other(firewall, 2 / rate.per_second, 3600), seed=seed)
    learned = 5 * rate.period_seconds
    blocked = sum(at > learned for at in firewall.blocked["we"])
    sent = blocked + sum(at > learned for at in firewall.passed["we"])
    assert blocked <= 0.03 * sent
    used = sum(at > learned for who in firewall.passed.values() for at in who)
    assert used >= 0.80 * rate.per_second * (3600 - learned)


def test_we_take_the_room_back_when_the_other_stops() -> None:
    """Half an hour after the other client has gone we send at the full rate."""
    rate = Rate(60, 60.0)
    firewall = Firewall(rate.limit, rate.period_seconds)
    hour(firewall, rate, lambda: other(firewall, 2.0, 1200))
    assert sum(at > 3000 for at in firewall.passed["we"]) >= 0.98 * 600
