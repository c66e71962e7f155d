"""The wire between the sender and the simulated Omni: latencies, and everything that can go wrong on the way.

`SimulatedWire` outlives processes, as the network does; `connect(...)` gives the `Transport` of one process. A request
arrives at its own moment; if its process dies or gives up before, it may arrive all the same, later, or never.
Faults come from one seeded source and die down when the budget is spent, so that every life ends.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import format_datetime
from enum import StrEnum
from typing import Any

import anyio
import orjson

from batcher.api_keys import ApiKey
from batcher.transport.reply import HELD, Answer, Cause, Lost, NotSent, Reply, at_once

from .disk import ProcessDisk
from .places import FOLDERS
from .server import HTML_HEADERS, Post, SimulatedServer, without_folder
from .times import wall_clock


class Fault(StrEnum):
    """What goes wrong with one request. `*_LATE`: the server carries it out some time after the answer was lost."""

    REFUSED = "refused"
    DNS = "dns"
    TLS = "tls"
    CONNECT_TIMEOUT = "connect timeout"
    TIMEOUT_BEFORE = "timeout, not carried out"
    TIMEOUT_AFTER = "timeout, carried out"
    TIMEOUT_LATE = "timeout, carried out late"
    RESET_BEFORE = "reset, not carried out"
    RESET_AFTER = "reset, carried out"
    RESET_LATE = "reset, carried out late"
    TRUNCATED = "truncated answer"
    OVERSIZED = "oversized answer"
    UNREADABLE = "unreadable 2xx"
    ERROR_BEFORE = "5xx, not carried out"
    ERROR_AFTER = "5xx, carried out"
    ERROR_LATE = "5xx, carried out late"
    MAINTENANCE = "503 with Retry-After"
    UNAVAILABLE = "503 without Retry-After"
    BRAKE = "429"
    BRAKE_BARE = "429 without Retry-After"
    ODD_BEFORE = "408 or 425, not carried out"
    ODD_AFTER = "408 or 425, carried out"
    PROXY_404 = "404 of a proxy"
    KEY_REFUSED = "key refused"
    SLOW = "slow answer"
    CLOUD_BEFORE = "52x or 530, not carried out"
    CLOUD_AFTER = "52x or 530, carried out"
    CLOUD_LATE = "52x or 530, carried out late"
    FIREWALL = "firewall's 403"
    TWICE_BEFORE = "another row's answer once more, not carried out"
    TWICE_AFTER = "another row's answer once more, carried out"
    STRANGERS = "a stranger's answer, carried out"


NOT_SENT = {
    Fault.REFUSED: Cause.REFUSED,
    Fault.DNS: Cause.DNS,
    Fault.TLS: Cause.TLS,
    Fault.CONNECT_TIMEOUT: Cause.CONNECT_TIMEOUT,
}
ONLY_READS = frozenset({Fault.PROXY_404})  # a create answered so stops the run for good, by contract
MISROUTED = frozenset(
    {Fault.TWICE_BEFORE, Fault.TWICE_AFTER, Fault.STRANGERS}
)  # only a create's answer makes a difference
LATE = frozenset({Fault.TIMEOUT_LATE, Fault.RESET_LATE, Fault.ERROR_LATE, Fault.CLOUD_LATE})
NEVER_CARRIED_OUT = frozenset(
    {
        Fault.TIMEOUT_BEFORE,
        Fault.RESET_BEFORE,
        Fault.ERROR_BEFORE,
        Fault.MAINTENANCE,
        Fault.BRAKE,
        Fault.BRAKE_BARE,
        Fault.ODD_BEFORE,
        Fault.PROXY_404,
        Fault.KEY_REFUSED,
        Fault.CLOUD_BEFORE,
        Fault.FIREWALL,
        Fault.TWICE_BEFORE,
    }
)
CONNECTS_CHANCE = 0.1  # that a request needs a new connection first
MOST_LATE_SECONDS = 280.0  # a commit that comes later than ten minutes is outside the promise; lag comes on top
LONG_TIMEOUT_SECONDS = 900.0  # longer than the ten minutes, which count from an attempt's end


@dataclass(frozen=True, slots=True)
class Outage:
    """A stretch of the world's time (seconds) in which every request meets the same fault."""

    start: float
    end: float
    fault: Fault


@dataclass(frozen=True, slots=True)
class Blindness:
    """A stretch of the world's time (seconds) in which every look-up of a document gets this status, in JSON."""

    start: float
    end: float
    status: int


@dataclass(slots=True, kw_only=True)
class Weather:
    """What goes wrong on the wire: each request with `chance`, of `kinds`, at most `budget` times; and the outages."""

    chance: float = 0.0
    kinds: tuple[Fault, ...] = ()
    budget: int = 0
    outages: tuple[Outage, ...] = ()
    latency_seconds: float = 0.2  # the typical one
    slow_chance: float = 0.0  # of one that is twenty times slower
    wrong_identifier_at: int | None = None  # the n-th POST that is carried out answers with another identifier
    blindness: Blindness | None = None
    of_folders: tuple[Fault, ...] = ()  # what the first POSTs of folders meet


@dataclass(slots=True)
class Watch:
    """What the world wants to see of each request. `before_post` sees a POST before it leaves; all counts live here."""

    before_post: Callable[[Post, dict[str, Any]], None] = lambda _post, _body: None
    before_change: Callable[[str, str], None] = lambda _method, _path: None
    before_request: Callable[[], None] = lambda: None
    before_step: Callable[[str], None] = lambda _name: None
    met: Counter[str] = field(default_factory=Counter)
    starts: list[tuple[str, float]] = field(default_factory=list)


class SimulatedWire:
    """The network: it carries requests to the server, whoever sent them."""

    def __init__(self, chance: random.Random, server: SimulatedServer, weather: Weather) -> None:
        self.chance = chance
        self.server = server
        self.weather = weather
        self.posts: list[Post] = []
        self.watch = Watch()
        self.in_flight = 0
        self.most_in_flight = 0
        self.latest_commit = 0.0
        self.steps_passed: list[float] = []  # when a step was answered by the application
        self.last_made: Answer | None = None  # the newest 201 that this process has read

    def connect(self, process: ProcessDisk, run: int, timeout_seconds: float) -> SimulatedTransport:
        """The transport of one process; it dies with the process."""
        self.in_flight = self.most_in_flight = 0
        self.last_made = None
        self.watch.starts.clear()
        return SimulatedTransport(self, process, run, timeout_seconds)

    def pick(self, now: float, *, is_post: bool) -> Fault | None:
        """What goes wrong with the next request, if anything."""
        weather = self.weather
        for outage in weather.outages:
            if outage.start <= now < outage.end:
                return outage.fault
        if weather.budget <= 0 or not weather.kinds or self.chance.random() >= weather.chance:
            return None
        fault = self.chance.choice(weather.kinds)
        if is_post and fault in ONLY_READS:
            return None
        if fault in MISROUTED and (not is_post or self.last_made is None):
            return None
        weather.budget -= 1
        return fault

    def latency(self) -> float:
        """One way, in seconds."""
        slow = 20 if self.chance.random() < self.weather.slow_chance else 1
        return self.chance.uniform(0.05, 1.0) * self.weather.latency_seconds * slow


@dataclass(slots=True)
class _Carried:
    """One request on its way; `arrived` once the server has seen it, or certainly never will."""

    method: str
    path: str
    query: Mapping[str, str]
    post: Post | None
    body: dict[str, Any]
    arrived: bool = False
    is_misrouted: bool = False  # another's answer came instead


class SimulatedTransport:
    """Implements `batcher.transport.Transport` for one process."""

    def __init__(self, wire: SimulatedWire, process: ProcessDisk, run: int, timeout_seconds: float) -> None:
        self._wire = wire
        self._process = process
        self._run = run
        self._timeout_seconds = timeout_seconds

    def drop_kept(self) -> None:
        """As `Transport`: nothing is kept here."""

    async def request(
        self,
        method: str,
        path: str,
        key: ApiKey,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        *,
        start: Callable[[], bool] = at_once,
    ) -> Reply:
        """As `Transport`."""
        self._process.step("request")
        wire, watch = self._wire, self._wire.watch
        is_create = method == "POST" and path.endswith("/documents")
        fault = wire.pick(anyio.current_time(), is_post=is_create)
        if method == "POST" and path == FOLDERS and wire.weather.of_folders:
            fault, *later = wire.weather.of_folders
            wire.weather.of_folders = tuple(later)
        if fault is not None:
            wire.watch.met[fault.value] += 1
        if fault in NOT_SENT:
            await anyio.sleep(wire.latency())
            return NotSent(NOT_SENT[fault], f"simulated: {fault}")
        if wire.chance.random() < CONNECTS_CHANCE:
            await anyio.sleep(wire.latency())
        if not start():
            return HELD
        watch.before_request()
        watch.starts.append((key.secret, anyio.current_time()))
        carried = _Carried(method, path, query or {}, None, orjson.loads(body) if body else {})
        if is_create:
            carried.post = self._note(carried.body, path)
        elif method != "GET":
            watch.before_change(method, path)
        wire.in_flight += 1
        wire.most_in_flight = max(wire.most_in_flight, wire.in_flight)
        try:
            reply = await self._travel(carried, fault)
        except BaseException:
            self._orphan(carried)
            raise
        finally:
            wire.in_flight -= 1
            if carried.post is not None:
                carried.post.ended_at = anyio.current_time()
        self._process.step("answer")
        if method in ("PUT", "PATCH") and isinstance(reply, Answer) and reply.headers != HTML_HEADERS:
            wire.steps_passed.append(anyio.current_time())
        if carried.post is not None:
            carried.post.clear = is_clear(reply) and not carried.is_misrouted
            if isinstance(reply, Answer) and reply.status == 201 and carried.post.clear:
                wire.last_made = reply
            if isinstance(reply, Answer):
                carried.post.status = reply.status
                carried.post.is_blocked = reply.status == 403 and reply.headers == HTML_HEADERS
        return reply

    def _note(self, body: dict[str, Any], path: str) -> Post:
        identifier = body.get("identifier")
        marker = str(body.get("description", "")).split(" ")[0]
        post = Post(len(self._wire.posts), self._run, anyio.current_time(), identifier, body["name"], marker, "")
        post.version = path.split("/")[2]
        self._wire.watch.before_post(post, without_folder(body))
        self._wire.posts.append(post)
        return post

    async def _travel(self, carried: _Carried, fault: Fault | None) -> Reply:
        wire = self._wire
        start = anyio.current_time()
        await anyio.sleep(min(wire.latency(), self._timeout_seconds * 0.4))
        answer = self._arrive(carried, fault)
        back = self._timeout_seconds * 0.5 if fault is Fault.SLOW else wire.latency()
        left = start + self._timeout_seconds - anyio.current_time()
        if fault in MISROUTED:
            answer = self._misroute(carried, fault, answer)
        reply = _reply(wire.chance, fault, answer, wire.server)
        if back >= left or (isinstance(reply, Lost) and reply.cause is Cause.TIMEOUT):
            await anyio.sleep(left)
            return Lost(Cause.TIMEOUT, f"no complete answer within {self._timeout_seconds:g} s")
        await anyio.sleep(back)
        return reply

    def _arrive(self, carried: _Carried, fault: Fault | None) -> Answer:
        """The server sees the request: now, later, or never."""
        wire, now = self._wire, anyio.current_time()
        carried.arrived = True
        wire.server.advance(now)
        post = carried.post
        if fault in NEVER_CARRIED_OUT:
            return Answer(599, {}, b"")
        if post is None:
            blindness = wire.weather.blindness
            is_blind = blindness is not None and blindness.start <= now < blindness.end
            wire.server.refuses_reads = blindness.status if blindness is not None and is_blind else None
            wire.watch.met["look-up of nothing but refusals"] += is_blind and "/documents/" in carried.path
            if fault in LATE and carried.method != "GET":
                self._change_later(carried)
                return Answer(599, {}, b"")
            return wire.server.other(now, carried.method, carried.path, carried.query, carried.body)
        if fault in LATE:
            waits = fault is Fault.TIMEOUT_LATE and self._timeout_seconds >= LONG_TIMEOUT_SECONDS
            self._later(post, carried.body, after=post.at + self._timeout_seconds if waits else now)
            return Answer(599, {}, b"")
        if fault is Fault.UNAVAILABLE and wire.chance.random() < 0.5:
            return Answer(599, {}, b"")
        answer = wire.server.create(now, post, carried.body)
        weather = wire.weather
        if weather.wrong_identifier_at is not None and answer.status == 201:
            weather.wrong_identifier_at -= 1
            if weather.wrong_identifier_at == 0:
                return _under_another(wire.server, post, answer)
        return answer

    def _misroute(self, carried: _Carried, fault: Fault | None, answer: Answer) -> Answer:
        """Another create's answer instead of this one's. A row that left the choice to the server cannot tell a stranger's."""
        wire, post = self._wire, carried.post
        assert post is not None
        if fault is Fault.STRANGERS and (post.identifier is None or answer.status != 201):
            return answer
        carried.is_misrouted = True
        if fault is Fault.STRANGERS:
            return wire.server.make_strangers(anyio.current_time(), f"foreign-{post.number}", post.version)
        assert wire.last_made is not None
        return wire.last_made

    def _later(self, post: Post, body: dict[str, Any], after: float | None = None) -> None:
        # most late commits come within seconds, some only after a reader would have given up waiting
        wire = self._wire
        delay = wire.chance.choice((0.2, 2.0, 10.0, 40.0, MOST_LATE_SECONDS)) * wire.chance.random()
        at = (anyio.current_time() if after is None else after) + delay
        wire.latest_commit = max(wire.latest_commit, at)
        wire.server.later(at, post, body)

    def _change_later(self, carried: _Carried) -> None:
        """A step comes late by less than a run: one that came after a newer one to another folder would undo it."""
        most = (0.2, 2.0, 10.0, 40.0, MOST_LATE_SECONDS) if carried.method == "POST" else (0.3,)
        delay = self._wire.chance.choice(most) * self._wire.chance.random()
        self._wire.server.places.later(anyio.current_time() + delay, carried.method, carried.path, carried.body)

    def _orphan(self, carried: _Carried) -> None:
        """Its sender is gone: what has not arrived yet may arrive all the same."""
        if not carried.arrived and carried.post is None and carried.method not in ("GET", "DELETE"):
            if self._wire.chance.random() < 0.6:
                carried.arrived = True
                self._change_later(carried)
            return
        if not carried.arrived and carried.post is not None and self._wire.chance.random() < 0.6:
            carried.arrived = True
            self._later(carried.post, carried.body)


def is_clear(reply: Reply) -> bool:
    """Whether the reply tells what the POST did (contract 7). A readable 2xx does."""
    match reply:
        case NotSent():
            return True
        case Lost():
            return False
        case Answer(status=503):
            return "retry-after" in reply.headers
        case Answer():
            readable = reply.headers.get("content-type") == "application/json" and b'"identifier"' in reply.body
            return readable if 200 <= reply.status < 300 else reply.status < 500 and reply.status not in (408, 425)


def _reply(  # noqa: PLR0911 - a table
    chance: random.Random, fault: Fault | None, answer: Answer, server: SimulatedServer
) -> Reply:
    """What comes back of `answer` when `fault` strikes on the way."""
    match fault:
        case None | Fault.SLOW | Fault.TWICE_BEFORE | Fault.TWICE_AFTER | Fault.STRANGERS:
            return answer
        case Fault.TIMEOUT_BEFORE | Fault.TIMEOUT_AFTER | Fault.TIMEOUT_LATE:
            return Lost(Cause.TIMEOUT, "simulated timeout")
        case Fault.RESET_BEFORE | Fault.RESET_AFTER | Fault.RESET_LATE:
            return Lost(Cause.RESET, "simulated reset")
        case Fault.TRUNCATED:
            return Lost(Cause.TRUNCATED, "simulated truncation", answer.status)
        case Fault.OVERSIZED:
            return Lost(Cause.OVERSIZED, "simulated flood", answer.status)
        case Fault.UNREADABLE:
            return _unreadable(chance, answer, server)
        case Fault.ERROR_BEFORE | Fault.ERROR_AFTER | Fault.ERROR_LATE:
            status = chance.choice((500, 502, 504))
            html = chance.random() < 0.5
            return (
                Answer(status, HTML_HEADERS, b"<h1>Bad gateway</h1>")
                if html
                else server.error(status, "Internal error")
            )
        case Fault.CLOUD_BEFORE | Fault.CLOUD_AFTER | Fault.CLOUD_LATE:
            return Answer(chance.choice((*range(520, 528), 530)), HTML_HEADERS, b"<h1>Web server is down</h1>")
        case Fault.FIREWALL:
            return Answer(403, HTML_HEADERS, b"<html>Access denied</html>")
        case Fault.MAINTENANCE | Fault.UNAVAILABLE:
            bare = server.error(503, "Maintenance")
            asked = {"retry-after": _retry_after(chance)} if fault is Fault.MAINTENANCE else {}
            return Answer(503, {**bare.headers, **asked}, bare.body)
        case Fault.BRAKE | Fault.BRAKE_BARE:
            asked = {"retry-after": _retry_after(chance)} if fault is Fault.BRAKE else {}
            return Answer(429, HTML_HEADERS | {"x-omni-waf-action": "block"} | asked, b"<html>Too many requests</html>")
        case Fault.ODD_BEFORE | Fault.ODD_AFTER:
            return server.error(chance.choice((408, 425)), "Try again")
        case Fault.PROXY_404:
            return Answer(404, HTML_HEADERS, b"<html>404 Not Found</html>")
        case Fault.KEY_REFUSED:
            return server.error(chance.choice((401, 403)), "Invalid bearer token", shape=1)
        case _:
            raise AssertionError(fault)


def _unreadable(chance: random.Random, answer: Answer, server: SimulatedServer) -> Answer:
    status = answer.status if 200 <= answer.status < 300 else 200
    if answer.status >= 300:
        return answer
    return chance.choice(
        (
            Answer(status, HTML_HEADERS, b"<html>Welcome</html>"),
            Answer(status, {}, b""),
            server.json(status, {"ok": True}),
            Answer(status, {"content-type": "application/json"}, b'{"dashboard": {"id": "d'),
        )
    )


def _retry_after(chance: random.Random) -> str:
    seconds = chance.randint(0, 40)
    if chance.random() < 0.7:
        return str(seconds)
    return format_datetime(wall_clock(anyio.current_time() + seconds), usegmt=True)


def _under_another(server: SimulatedServer, post: Post, answer: Answer) -> Answer:
    """The server made the document under an identifier of its own choice."""
    body = orjson.loads(answer.body)
    said = body.get("workbook", body)
    document = server.documents.pop(said["identifier"])
    if (place := server.places.of.pop(document.identifier, None)) is not None:
        server.places.of[f"other-{post.number}"] = place
    document.identifier = f"other-{post.number}"
    server.documents[document.identifier] = document
    said["identifier"] = document.identifier
    return Answer(answer.status, answer.headers, orjson.dumps(body))
