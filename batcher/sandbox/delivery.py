"""How one call is carried out and its answer delivered, with the faults that it meets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from email.utils import formatdate
from http import HTTPStatus
from typing import Protocol

import anyio

from .answers.errors import fault_error
from .calls import Call, Response
from .connection import Connection, raw_answer
from .fault_kinds import Effect, Kind
from .faults import Fault
from .routes import Api, Override
from .settings import SandboxSettings


class Record(Protocol):
    """Records what became of a call, before the client can know."""

    def __call__(self, response: Response | None, *, answered: bool = True) -> None:
        """`response` is the routes' answer (None if they were not asked), sent or not."""


_PAGE = b"<!doctype html><html><head><title>Sign in</title></head><body><h1>Sign in to continue</h1></body></html>"
_UNANSWERED = frozenset({Kind.RESET_BEFORE, Kind.HANG_BEFORE, Kind.RESET_AFTER, Kind.HANG_AFTER, Kind.LATE_COMMIT})
_DEPRECATED = (
    ("Deprecation", "@1782864000"),
    ("Sunset", "Thu, 31 Dec 2026 23:59:59 GMT"),
    ("Link", '</openapi.json>; rel="deprecation"'),
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Carries calls out. Whatever happens, `record` is called before the client can know it.

    `closing` is set when the sandbox closes; it ends all waiting.
    """

    api: Api
    settings: SandboxSettings
    closing: asyncio.Event

    async def carry_out(
        self, call: Call, met: Sequence[Fault], connection: Connection, record: Record
    ) -> Response | None:
        """The response to send; None if the connection has been dealt with already."""
        if not met and self.settings.latency_seconds == 0.0:  # nearly all calls of a load test
            response = self.api.answer(call)
            record(response)
            return response
        main = next((fault for fault in met if fault.is_main), None)
        delay_seconds = self.settings.latency_seconds + sum(fault.number for fault in met if fault.kind is Kind.SLOW)
        if any(fault.kind is Kind.REVOKE_KEY for fault in met):
            self.api.revoke(call.authorization)
        await self._pause(delay_seconds / 2)
        if main is not None and main.kind is Kind.LATE_COMMIT:
            await self._carry_out_late(call, main, connection, record)
            return None
        if main is not None and main.kind.effect is Effect.NOT_CARRIED_OUT:
            response = self._instead(main, call)
        else:
            response = _alter(main, self.api.answer(call, _override(met)), self.settings)
        if any(fault.kind is Kind.DEPRECATED for fault in met):
            response = replace(response, headers=response.headers + _DEPRECATED)
        await self._pause(delay_seconds / 2)
        record(response, answered=main is None or main.kind not in _UNANSWERED)
        return response if main is None else await self._deliver(main, response, connection)

    async def _pause(self, seconds: float) -> None:
        if seconds > 0:
            with anyio.move_on_after(seconds):
                await self.closing.wait()

    async def _carry_out_late(self, call: Call, fault: Fault, connection: Connection, record: Record) -> None:
        record(None, answered=False)
        connection.reset()
        await self._pause(fault.number)
        if not self.closing.is_set():
            self.api.answer(call)

    def _instead(self, fault: Fault, call: Call) -> Response:
        """What is answered although nothing was carried out."""
        match fault.kind:
            case Kind.HTML:
                return Response(200, _PAGE, "text/html")
            case Kind.REDIRECT:
                return Response(302, b"", "text/html", (("Location", fault.value or "/login"),))
            case Kind.ANALYSIS:
                return self.api.unreadable(call)
            case Kind.STATUS if fault.status == HTTPStatus.NOT_FOUND and call.method != "POST" and fault.body is None:
                return self.api.absent(call)
            case Kind.STATUS:
                return _status_answer(fault, self.settings)
            case _:
                return Response(0, b"")

    async def _deliver(self, fault: Fault, response: Response, connection: Connection) -> Response | None:
        """Let the answer meet its fault on the wire."""
        match fault.kind:
            case Kind.RESET_BEFORE | Kind.RESET_AFTER:
                connection.reset()
            case Kind.HANG_BEFORE | Kind.HANG_AFTER:
                await connection.gone.wait()
                connection.reset()
            case Kind.TRUNCATE:
                connection.write(_half(response))
                connection.close_after_writing()
            case Kind.STALL:
                connection.write(_half(response))
                await connection.gone.wait()
                connection.reset()
            case Kind.SHORT_LENGTH:
                connection.write(raw_answer(response, length=len(response.body) * 2 // 3))
                connection.close_after_writing()
            case Kind.CLOSE:
                connection.write(raw_answer(response))
                connection.close_after_writing()
            case _:
                return response
        return None


def _override(met: Sequence[Fault]) -> Override:
    kinds = {fault.kind for fault in met}
    return Override(
        other_identifier=Kind.OTHER_IDENTIFIER in kinds,
        bare=Kind.BARE in kinds,
        lag_seconds=max((fault.number for fault in met if fault.kind is Kind.LAG), default=0.0),
        other_name=Kind.OTHER_NAME in kinds,
    )


def _alter(fault: Fault | None, response: Response, settings: SandboxSettings) -> Response:
    """The answer of a call that was carried out, as the fault shows it."""
    match fault:
        case Fault(kind=Kind.STATUS_AFTER, status=status):
            good = status < HTTPStatus.MULTIPLE_CHOICES
            body = response.body if fault.body is None else fault.body
            shown = replace(response, status=status, body=body) if good else _status_answer(fault, settings)
            return replace(shown, identifier=response.identifier)
        case Fault(kind=Kind.GARBAGE):
            return replace(response, body=response.body[: len(response.body) // 2] + b"\x00\xff not JSON")
        case Fault(kind=Kind.EMPTY):
            return replace(response, body=b"")
        case Fault(kind=Kind.HTML_AFTER):
            return replace(response, status=200, body=_PAGE, content_type="text/html")
        case Fault(kind=Kind.OVERSIZED):
            return replace(response, body=response.body + b" " * int(fault.number * 1_000_000))
        case _:
            return response


def _status_answer(fault: Fault, settings: SandboxSettings) -> Response:
    response = fault_error(fault.status, settings.error_shape)
    if fault.body is not None:
        response = replace(response, body=fault.body)
    if fault.value is not None:
        response = replace(response, headers=(*response.headers, ("Retry-After", retry_after(fault.value))))
    return response


def retry_after(value: str) -> str:
    """The header's text: `date+5` becomes the HTTP date in five seconds, anything else stays as it is."""
    if value.startswith("date+"):
        return formatdate(time.time() + float(value.removeprefix("date+")), usegmt=True)
    return value


def _half(response: Response) -> bytes:
    return raw_answer(response)[: -(len(response.body) // 2) or None]
