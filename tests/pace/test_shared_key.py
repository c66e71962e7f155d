"""A server that enforces a true sliding window and counts what it blocks, alone and with somebody else at the same key.

Fast rates are simulated for less than an hour here; `python -m tests.benchmarks.measure_pace virtual` prints the whole
table, an hour and ten seeds each.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

import anyio
import pytest

from batcher.api_keys import ApiKey
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


def simulate(
    seconds: float,
    firewall: Firewall,
    rate: Rate,
    *others: Callable[[], Coroutine[object, object, None]],
    seed: int = 0,
) -> Firewall:
    """This many seconds of us, and of others at the same key."""
    chance = random.Random(seed)
    # The way to the server varies by up to 0.4 % of the period; the pace's margin is 0.5 %.
    spread = min(0.4, 0.008 * rate.period_seconds)

    async def main() -> None:
        with anyio.move_on_after(seconds):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(we, firewall, rate, lambda: chance.uniform(0.1, 0.1 + spread))
                for start in others:
                    tasks.start_soon(start)

    virtual.run(main)
    return firewall


def beside_another(rate: Rate, retry_after: float | None, seconds: float, seed: int = 0) -> tuple[float, float]:
    """Beside a client at half the rate that never backs off: the share of ours that is blocked, and the key's use.

    Counted from five periods on, when the other one has been noticed.
    """
    firewall = Firewall(rate.limit, rate.period_seconds, retry_after)
    simulate(seconds, firewall, rate, lambda: other(firewall, 2 / rate.per_second, seconds), seed=seed)
    learned = 5 * rate.period_seconds
    blocked = sum(at > learned for at in firewall.blocked["we"])
    sent = blocked + sum(at > learned for at in firewall.passed["we"])
    used = sum(at > learned for who in firewall.passed.values() for at in who)
    return blocked / sent, used / (rate.per_second * (seconds - learned))


@pytest.mark.parametrize(("text", "seconds"), [("60/min", 3600), ("500/min", 600), ("30/10s", 900)])
def test_alone_we_are_never_blocked(text: str, seconds: float) -> None:
    """A long time at the full rate: not one 429, and at least 99 % of what is allowed."""
    rate = Rate.parse(text)
    assert rate is not None
    firewall = simulate(seconds, Firewall(rate.limit, rate.period_seconds), rate)
    assert not firewall.blocked["we"]
    assert len(firewall.passed["we"]) >= 0.99 * rate.per_second * seconds


@pytest.mark.parametrize(
    ("text", "retry_after", "seconds"),
    [
        ("60/min", None, 3600),
        ("60/min", 10.0, 3600),
        ("60/min", 60.0, 3600),
        ("500/min", None, 1800),
        ("30/10s", 10.0, 1800),
        ("30/10s", 60.0, 1800),
    ],
)
def test_we_leave_room_for_somebody_else(text: str, retry_after: float | None, seconds: float) -> None:
    """Beside a client at half the rate that never backs off: few 429s, and the key is well used all the same."""
    rate = Rate.parse(text)
    assert rate is not None
    blocked, used = beside_another(rate, retry_after, seconds)
    assert blocked <= 0.03
    assert used >= 0.80


def test_we_take_the_room_back_when_the_other_stops() -> None:
    """Half an hour after the other client has gone we send at the full rate."""
    rate = Rate(60, 60.0)
    firewall = Firewall(rate.limit, rate.period_seconds)
    simulate(3600, firewall, rate, lambda: other(firewall, 2.0, 1200))
    assert sum(at > 3000 for at in firewall.passed["we"]) >= 0.98 * 600
