"""The pace that all hosts with one key share: a record in Redis or Valkey for each key (contract 17).

One atomic step reserves the next start, on the store's clock: the record holds the last starts, when the newest one
is due, and until when all pause. A client learns in how many seconds it may start, reckons from its own clock before and
after the question, and lets a start go that it would make too late. Starts keep their distance besides, so a store that
forgot everything, or whose clock jumps, lets no burst through. A store that can't be reached is waited for.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

import anyio
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ..api_keys import ApiKey
from ..errors import Stopped, StopReason
from .rate import CATCH_UP, MARGIN, Rate
from .store import Permit

_MICRO = 1_000_000
_LATE_SHARE, _LATE_LEAST, _LATE_MOST = 0.005, 0.02, 0.3  # of the period; seconds: how late a start may be
_LOOK_SECONDS = 0.5  # whoever waits for a reserved start looks this often whether all pause
_SOCKET_SECONDS = 2.0
_AGAIN_SECONDS = 1.0
_CLOSE_SECONDS = 1.0

# The store's clock never goes back here: what it was set back by is made up for.
_CLOCK = """
local time = redis.call('TIME')
local raw = time[1] * 1000000 + time[2]
local record = redis.call('HMGET', KEYS[1], 'raw', 'offset', 'newest', 'paused')
local last, offset = tonumber(record[1]) or raw, tonumber(record[2]) or 0
if raw < last then offset = offset + last - raw end
local now, paused = raw + offset, tonumber(record[4]) or 0
local function keep(...)
  redis.call('HSET', KEYS[1], 'raw', string.format('%.0f', raw), 'offset', string.format('%.0f', offset), ...)
end
"""
_RESERVE = f"""{_CLOCK}
local limit, window, apart, late, kept, lead, expected = unpack(ARGV)
local at = math.max(now, paused)
if record[3] then at = math.max(at, record[3] + apart) end
-- All was forgotten, or the clock has jumped: others hold starts that nothing here tells of, about so far ahead.
if not record[3] or (tonumber(expected) > 0 and now > expected + 1000000) then at = math.max(at, now + lead) end
local oldest = redis.call('LINDEX', KEYS[2], limit - 1)
if oldest then at = math.max(at, oldest + window) end
keep('newest', string.format('%.0f', at))
redis.call('LPUSH', KEYS[2], string.format('%.0f', at + late))
redis.call('LTRIM', KEYS[2], 0, 9999)
local left = math.ceil((at - now + late + window + kept) / 1000)
redis.call('PEXPIRE', KEYS[1], left)
redis.call('PEXPIRE', KEYS[2], left)
return {{string.format('%.0f', at - now), string.format('%.0f', now)}}
"""
_PAUSED = f"{_CLOCK} return {{string.format('%.0f', paused - now), string.format('%.0f', now)}}"
_PAUSE = f"""{_CLOCK}
keep('paused', string.format('%.0f', math.max(paused, now + ARGV[1])))
redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[1]), math.ceil((ARGV[1] + ARGV[2]) / 1000)))
return {{'0', string.format('%.0f', now)}}
"""
_KEPT_SECONDS = 600  # a record that nobody used for a window and this long is forgotten


class PaceStoreGone(Stopped):
    """The store couldn't be reached for too long."""

    stop_reason = StopReason.UNREACHABLE


class RedisPaceStore:
    """Redis or Valkey at `url` (`redis://`, `rediss://`, `unix://`). `give_up_after_seconds`: for how long it's waited for.

    Raises ValueError for a URL that isn't one, in words that don't show it: it may hold a password.
    """

    def __init__(self, url: str, give_up_after_seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._where = _where(url)
        self._give_up_after = give_up_after_seconds
        self._clock = clock

    def share(self, key: ApiKey, rate: Rate) -> RedisShare:
        """Join the hosts that use this key. The record's name is a hash of the key; nothing else of the key is kept."""
        name = blake2b(key.secret.encode(), digest_size=16, person=b"batcher pace").hexdigest()
        redis = Redis.from_url(self._url, socket_timeout=_SOCKET_SECONDS, socket_connect_timeout=_SOCKET_SECONDS)
        return RedisShare(redis, name, rate.divided(), self._where, self._give_up_after, self._clock)


class RedisPermit:
    """One reserved start. It can't be told back: nobody else may use its time."""

    __slots__ = ("_clock", "_latest")

    def __init__(self, clock: Callable[[], float], latest: float) -> None:
        self._clock = clock
        self._latest = latest

    def start(self) -> bool:
        """The request starts now. False if it's too late."""
        return self._clock() <= self._latest

    def give_back(self) -> None:
        """No request will start."""


class RedisShare:
    """This run among those that use the key."""

    def __init__(
        self, redis: Redis, name: str, rate: Rate, where: str, give_up_after: float, clock: Callable[[], float]
    ) -> None:
        self._redis = redis
        self._keys = [f"batcher:{{{name}}}:pace", f"batcher:{{{name}}}:starts"]  # in braces: one node of a cluster
        self._rate = rate
        self._where = where
        self._give_up_after = give_up_after
        self._clock = clock
        self._late = min(_LATE_MOST, max(_LATE_LEAST, _LATE_SHARE * rate.period_seconds))
        self._lead = 0.0  # how far ahead the last start was that this run reserved: about as far as the others'
        self._at = self._stores_at = 0.0  # one moment by our clock and by the store's
        self._reserve, self._paused, self._pause = map(redis.register_script, (_RESERVE, _PAUSED, _PAUSE))
        self.note = ""

    async def take(self) -> Permit | float:
        """A permit once its reserved start is due; the seconds until asking again if all pause before that."""
        period = self._rate.period_seconds
        apart = period / (CATCH_UP * self._rate.limit)
        expected = self._stores_at + self._clock() - self._at if self._stores_at else 0.0
        facts = (period * MARGIN, apart, self._late, _KEPT_SECONDS, self._lead, expected)
        asked, answered, due = await self._ask(self._reserve, [self._rate.limit, *map(_micro, facts)])
        self._lead = due + apart
        starts, latest = answered + due, asked + due + self._late
        if starts > latest:  # the way to the store is long: from now on, starts may be later
            self._late = min(period, 2 * (answered - asked))
            return 0.0
        while (left := starts - self._clock()) > 0.0:
            await anyio.sleep(min(left, _LOOK_SECONDS))
            if left > _LOOK_SECONDS:
                _, _, pause = await self._ask(self._paused, [])
                if pause > starts - self._clock():
                    return pause
        return RedisPermit(self._clock, latest)

    async def pause(self, seconds: float) -> None:
        """Nobody who uses the key starts anything for so long."""
        await self._ask(self._pause, list(map(_micro, (seconds, _KEPT_SECONDS))))

    async def aclose(self) -> None:
        """Close the connection. What was started stays known to the others."""
        with anyio.move_on_after(_CLOSE_SECONDS, shield=True):
            await self._redis.aclose()

    async def _ask(self, script: Callable[..., Awaitable[Any]], arguments: Sequence[int]) -> tuple[float, float, float]:
        """Our clock before and after the answer, and its seconds. Raises PaceStoreGone."""
        since = self._clock()
        while True:
            asked = self._clock()
            try:
                seconds, now = [int(text) / _MICRO for text in await script(keys=self._keys, args=arguments)]
            except (RedisError, OSError) as error:
                why = f"the pace store {self._where} can't be reached ({str(error) or type(error).__name__})"
                if self._clock() - since >= self._give_up_after:
                    raise PaceStoreGone(
                        f"{why}. Nothing is sent without it, or the hosts together would send too much. Run the same "
                        "command again when it's back, or use --no-shared-pace if no other host uses the key."
                    ) from error
                self.note = f"{why}; trying again"
                await anyio.sleep(min(_AGAIN_SECONDS, self._give_up_after))
                continue
            self.note = ""
            self._at, self._stores_at = self._clock(), now
            return asked, self._at, seconds


def _where(url: str) -> str:
    """The store without user and password. Raises ValueError, which shows neither."""
    try:
        parts = urlsplit(url)
        host = f"{parts.hostname}:{parts.port or 6379}"
        Redis.from_url(url)  # only read: nothing is opened
    except ValueError:
        raise ValueError("write it as in redis://HOST:6379, rediss://HOST:6379 or unix:///run/redis.sock") from None
    return f"{parts.scheme}://{host if parts.hostname else parts.path}"


def _micro(seconds: float) -> int:
    return round(seconds * _MICRO)
