"""Hosts that share a key's pace in a real redis-server: the law over all of them, whatever becomes of the store."""

from __future__ import annotations

import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import anyio
import pytest
from redis.asyncio import Redis

from batcher.api_keys import ApiKey
from batcher.errors import Stopped, StopReason
from batcher.pace.gate import Gate
from batcher.pace.rate import Rate
from batcher.pace.redis_store import PaceStoreGone, RedisPaceStore, RedisShare
from batcher.pace.store import Permit
from tests.support.faulty import most_in_window
from tests.support.redis import RedisServer, needs_redis, redis_server

pytestmark = needs_redis
KEY = ApiKey("a-key-of-tests", 1)
RATE = Rate(20, 0.5)
SPACED = 1.02 * RATE.limit + 1  # what starts that keep their distance leave possible in any period
HOUR = 3_600_000_000  # microseconds


@pytest.fixture
def store() -> Iterator[RedisServer]:
    """A store of one test."""
    with tempfile.TemporaryDirectory(prefix="r") as directory, redis_server(Path(directory)) as server:
        yield server


@asynccontextmanager
async def joined(url: str, rate: Rate = RATE, **more: Any) -> AsyncIterator[RedisShare]:
    """One host's share while in the block."""
    share = RedisPaceStore(url, 30.0, **more).share(KEY, rate)
    try:
        yield share
    finally:
        await share.aclose()


async def send(url: str, times: list[float], until: float) -> None:
    """One host that starts whatever it may."""
    async with joined(url) as share:
        while time.monotonic() < until:
            permit = await share.take()
            if isinstance(permit, float):
                await anyio.sleep(permit)
            elif permit.start():
                times.append(time.monotonic())


async def send_together(
    url: str, hosts: int, meanwhile: Callable[[Redis], Awaitable[object]] | None = None
) -> list[list[float]]:
    """Some hosts for 1.5 s, half of it before `meanwhile`; each one's starts."""
    times: list[list[float]] = [[] for _ in range(hosts)]
    until = time.monotonic() + 1.5
    async with anyio.create_task_group() as tasks:
        for mine in times:
            tasks.start_soon(send, url, mine, until)
        if meanwhile is not None:
            await anyio.sleep(0.75)
            async with Redis.from_url(url) as redis:
                await meanwhile(redis)
    return times


async def test_hosts_keep_the_law_together_and_take_turns(store: RedisServer) -> None:
    """Never more than N in any period, over all of them; nobody starves."""
    times = await send_together(store.url, 4)
    assert most_in_window(sorted(chain.from_iterable(times)), RATE.period_seconds) <= RATE.limit
    counts = [len(mine) for mine in times]
    assert sum(counts) > RATE.limit
    assert min(counts) / max(counts) >= 0.5, counts


async def forget(redis: Redis) -> None:
    """As a failover to an empty replica."""
    await redis.flushall()


async def set_back(redis: Redis) -> None:
    """As if the store's clock had been an hour ahead until now."""
    for name in await redis.keys("*:pace"):
        await redis.hincrby(name, "raw", HOUR)


async def put_forward(redis: Redis) -> None:
    """As if it jumped an hour ahead."""
    for name in await redis.keys("*:pace"):
        await redis.hincrby(name, "offset", HOUR)


@pytest.mark.parametrize("trouble", [forget, set_back, put_forward])
async def test_a_store_that_forgets_or_whose_clock_jumps(
    store: RedisServer, trouble: Callable[[Redis], Awaitable[object]]
) -> None:
    """No burst: what keeps its distance can't come to more than 1.02 N + 1. And it goes on by itself."""
    begun = time.monotonic()
    times = sorted(chain.from_iterable(await send_together(store.url, 3, trouble)))
    assert most_in_window(times, RATE.period_seconds) <= SPACED
    assert any(at - begun > 1.2 for at in times)


async def test_a_store_that_is_killed_and_comes_back_empty(store: RedisServer) -> None:
    """The hosts wait for it, say so, and go on; no burst."""
    times: list[float] = []
    async with joined(store.url) as share:
        await start_some(share, times, 10)
        store.kill()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(start_some, share, times, 10)
            await noticed(share)
            assert "can't be reached" in share.note
            assert len(times) <= 11  # a start that was reserved before may still happen
            store.start()
        assert not share.note
    assert len(times) == 20
    assert most_in_window(times, RATE.period_seconds) <= SPACED


async def noticed(share: RedisShare) -> None:
    """Until the share says that its store is in trouble."""
    while not share.note:  # noqa: ASYNC110 - nothing tells of it but the note
        await anyio.sleep(0.01)


async def start_some(share: RedisShare, times: list[float], count: int) -> None:
    """So many starts."""
    wanted = len(times) + count
    while len(times) < wanted:
        permit = await share.take()
        if not isinstance(permit, float) and permit.start():
            times.append(time.monotonic())


async def test_one_hosts_pause_stops_the_others(store: RedisServer) -> None:
    """As a 429 does; also one that waits for a start which was reserved before."""
    slow = Rate(1, 2.0)
    answers: list[Permit | float] = [0.0]
    async with joined(store.url, slow) as first, joined(store.url, slow) as second:

        async def take() -> None:
            while answers[-1] == 0.0:  # on a busy machine the answer came too late
                answers.append(await second.take())

        await first.take()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(take)  # its start is reserved in 2 s
            await anyio.sleep(0.2)
            await first.pause(30.0)
    waits = answers[-1]
    assert isinstance(waits, float)
    assert 25.0 < waits <= 30.0


async def test_a_start_that_comes_too_late_is_let_go(store: RedisServer) -> None:
    """Stopped between its reservation and its start, a host must not add to what others start now."""
    stopped = [0.0]
    async with joined(store.url, Rate(600, 60.0), clock=lambda: time.monotonic() + stopped[0]) as share:
        permit = await share.take()
        assert not isinstance(permit, float)
        assert permit.start()
        late = await share.take()
        assert not isinstance(late, float)
        stopped[0] = 10.0
        assert not late.start()


async def test_a_store_that_is_gone_ends_the_wait(store: RedisServer) -> None:
    """After so many seconds whoever waits for a slot is told, and nothing starts any more."""
    store.kill()
    with pytest.raises(PaceStoreGone, match="can't be reached") as gone:
        async with Gate([KEY], RATE, shared=RedisPaceStore(store.url, 0.1)) as gate:
            await gate.slot()
    assert isinstance(gone.value, Stopped)
    assert gone.value.stop_reason is StopReason.UNREACHABLE


async def test_a_store_that_answers_nothing_is_noticed(store: RedisServer) -> None:
    """A connection that hangs is a store that is gone; afterwards it goes on."""
    async with joined(store.url) as share:
        await share.take()
        store.freeze()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(share.take)
            await noticed(share)
            store.thaw()


@pytest.mark.parametrize("url", ["redis://:pa/ss@host:x", "http://store:6379", ""])
def test_an_address_that_is_none(url: str) -> None:
    """It's refused without being shown: it may hold a password."""
    with pytest.raises(ValueError, match="write it as in redis://HOST:6379") as refused:
        RedisPaceStore(url, 1.0)
    assert "pa" not in str(refused.value).replace("parse", "")
