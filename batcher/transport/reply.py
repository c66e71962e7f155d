"""One request over the wire and what came of it, told apart by whether the server can have seen it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from ..api_keys import ApiKey

MAX_ANSWER_BYTES = 8 * 1024 * 1024  # an answer is about 2 KB; more than this is not Omni's


class Cause(StrEnum):
    """Why no whole answer came, or none that can be read."""

    REFUSED = "refused"
    DNS = "dns"
    TLS = "tls"
    CERTIFICATE = "certificate"
    CONNECT_TIMEOUT = "connect_timeout"
    TIMEOUT = "timeout"
    RESET = "reset"
    TRUNCATED = "truncated"
    OVERSIZED = "oversized"
    UNREADABLE = "unreadable"
    HELD = "held"


class Answer(NamedTuple):
    """A whole answer. Header names are found in lower case. (A named tuple is made ten times quicker than a dataclass.)"""

    status: int
    headers: Mapping[str, str]
    body: bytes
    elapsed_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class NotSent:
    """The request certainly did not reach the application: no connection, no name, no TLS."""

    cause: Cause
    message: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The request may have been carried out; no whole answer came. `status` if the answer had begun."""

    cause: Cause
    message: str
    status: int | None = None


Reply = Answer | NotSent | Lost
HELD = NotSent(Cause.HELD, "it was no longer to be sent when the connection was ready")


def at_once() -> bool:
    """A request that nothing holds back."""
    return True


class Transport(Protocol):
    """Sends requests. Never raises for what the network or the server does; never follows a redirect."""

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
        """Send `{base}{path}` and wait for the whole answer, at most the configured timeout (seconds).

        `start` is called once there is a connection, right before the request is written; False: nothing is (`HELD`).
        """

    def drop_kept(self) -> None:
        """Close the connections that no request is using: what comes on them next may not be what was asked for."""
