"""The sandbox on a socket: aiohttp in front of the routes, with the firewall before and the faults between."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from typing import Self, cast

import anyio
from aiohttp import web

from batcher.errors import UsageError

from .answers.errors import fault_error
from .calls import Call, Response
from .connection import Connection
from .delivery import Delivery
from .faults import Fault, Faults
from .limiter import SlidingWindows
from .pages import Pages
from .request_log import Observer, RequestRecord, open_log
from .routes import Api
from .settings import SandboxSettings
from .store import Store

HOST = "127.0.0.1"
GRACE_SECONDS = 2.0  # for requests in flight when the sandbox closes


class Sandbox:
    """An Omni-like server on loopback: `async with Sandbox(settings) as sandbox: ... sandbox.base_url`.

    Raises Locked if another sandbox uses the state, UsageError if the state, log or port cannot be used.
    `observe` is called with every request before its answer leaves; the log of the settings is another observer.
    """

    def __init__(self, settings: SandboxSettings, observe: Observer | None = None) -> None:
        self.settings = settings
        self.base_url = ""
        self.in_flight = 0
        self.most_in_flight = 0
        self.store = Store(settings.state)
        self._pages = Pages(self.store)
        self._observers = [observe] if observe is not None else []
        self._faults = Faults(settings.faults, settings.seed)
        self._windows = SlidingWindows(settings.rate, blocked_count=settings.blocked_count) if settings.rate else None
        self._closing, self._idle = asyncio.Event(), asyncio.Event()
        self._idle.set()
        self._stack = ExitStack()

    async def __aenter__(self) -> Self:
        """Open state and log, and listen."""
        self._loop = asyncio.get_running_loop()
        with ExitStack() as stack:
            if self.settings.log is not None:
                self._observers.append(stack.enter_context(open_log(self.settings.log)))
            stack.enter_context(self.store)
            self._http = web.Server(self._handle)
            self._listener = await self._listen()
            port = self._listener.sockets[0].getsockname()[1]
            self.store.serve_on(port)
            self.base_url = f"http://{HOST}:{port}"
            self._api = Api(self.settings, self.store, base_url=self.base_url)
            self._delivery = Delivery(self._api, self.settings, self._closing)
            self._stack = stack.pop_all()
        return self

    async def _listen(self) -> asyncio.Server:
        """Listen on the port asked for; where any will do, on the one that the links of this state name, if it is free."""
        connect = partial(Connection, self._http, self._loop)
        with suppress(OSError):
            if not self.settings.port and (last := self.store.last_port):
                return await self._loop.create_server(connect, HOST, last, backlog=4096)
        try:
            return await self._loop.create_server(connect, HOST, self.settings.port, backlog=4096)
        except OSError as error:
            raise UsageError(f"port {self.settings.port}: {error.strerror}. Use --port 0 for any free one.") from error

    async def __aexit__(self, *_exc: object) -> None:
        """Stop, and close state and log."""
        with self._stack:
            await self.stop()

    async def stop(self) -> None:
        """Stop listening and let what is in flight finish, within bounds, even when cancelled. The store stays open."""
        with anyio.CancelScope(shield=True):
            self._listener.close()
            self._closing.set()
            for connection in self._http.connections:
                cast("Connection", connection).gone.set()
            self._http.pre_shutdown()
            await self._http.shutdown(GRACE_SECONDS)
            with anyio.move_on_after(GRACE_SECONDS):
                await self._idle.wait()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = cast("Connection", request.protocol)
        arrived_seconds = connection.take_arrival()
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self._idle.clear()
        try:
            return await self._answer(request, connection, arrived_seconds)
        finally:
            self.in_flight -= 1
            if not self.in_flight:
                self._idle.set()
            connection.take_arrival()  # bytes that came since (the rest of a body) aren't a new request

    async def _answer(self, request: web.BaseRequest, connection: Connection, arrived_seconds: float) -> web.Response:
        """Page, firewall, body, faults, route. Every way out shows the request to the observers before its answer leaves."""
        call = _call_of(request)
        if (page := self._pages.answer(call)) is not None:
            self._record(call, (), arrived_seconds, page)
            return _http_response(page)
        if (blocked := self._firewall(call, arrived_seconds)) is not None:
            self._record(call, (), arrived_seconds, blocked)
            return _http_response(blocked)
        if (early := self._faults.early(call)) is not None:
            refused = fault_error(int(early.number), self.settings.error_shape)
            self._record(call, (early,), arrived_seconds, refused)
            return _http_response(refused, close=True)
        try:
            body = await _read_body(request, self.settings.max_body_bytes)
        except (OSError, web.RequestPayloadError):
            self._record(call, (), arrived_seconds, None, answered=False)
            return web.Response()
        if body is None:
            refused = self._api.fail(413, "Request body too large")
            self._record(call, (), arrived_seconds, refused)
            return _http_response(refused, close=True)
        call = replace(call, body=body)
        met = self._faults.met_by(call)
        record = partial(self._record, call, met, arrived_seconds)
        response = await self._delivery.carry_out(call, met, connection, record)
        return web.Response() if response is None else _http_response(response)

    def _firewall(self, call: Call, now: float) -> Response | None:
        """The 429 if this key's window is full."""
        if self._windows is None:
            return None
        wait_seconds = self._windows.blocked_for(call.authorization or "", now)
        if wait_seconds <= 0.0:
            return None
        blocked = fault_error(429, self.settings.error_shape)
        if self.settings.rate_retry_after:
            headers = (*blocked.headers, ("Retry-After", str(math.ceil(wait_seconds))))
            return Response(blocked.status, blocked.body, headers=headers)
        return blocked

    def _record(
        self,
        call: Call,
        met: Sequence[Fault],
        arrived_seconds: float,
        response: Response | None,
        *,
        answered: bool = True,
    ) -> None:
        """Show the request to the observers."""
        if not self._observers:
            return
        status = response.status if response is not None and answered else None
        faults = "; ".join(map(str, met)) or (None if answered else "client gone")
        identifier = response.identifier if response is not None else None
        record = RequestRecord(
            arrived_seconds, time.time(), call.method, call.path, status, faults, identifier, call.authorization
        )
        for observe in self._observers:
            observe(record)


async def serve(settings: SandboxSettings, announce: Callable[[str], None]) -> None:
    """Serve until cancelled. `announce` is given the base URL once the sandbox listens."""
    async with Sandbox(settings) as sandbox:
        announce(sandbox.base_url)
        await asyncio.get_running_loop().create_future()


def _call_of(request: web.BaseRequest) -> Call:
    headers = request.headers
    return Call(
        method=request.method,
        path=request.path,
        query=dict(request.query) if request.query_string else {},
        authorization=headers.get("Authorization"),
        content_type=headers.get("Content-Type", "").partition(";")[0].strip().lower(),
    )


async def _read_body(request: web.BaseRequest, most_bytes: int) -> bytes | None:
    """The whole body; None if it is larger than that. Raises if the client goes away."""
    if request.content_length is not None and request.content_length > most_bytes:
        return None
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > most_bytes:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _http_response(response: Response, *, close: bool = False) -> web.Response:
    headers = {"Content-Type": response.content_type, **dict(response.headers)}
    answer = web.Response(status=response.status, body=response.body, headers=headers)
    if close:
        answer.force_close()
    return answer
