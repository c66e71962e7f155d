"""What replies can mean: verdicts on a create, looks at a document. `judge.py` tells which one a reply is.

A verdict on a create says above all whether the attempt is *clear*: whether we know what it did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..errors import StopReason
from ..models import ApiVersion
from ..reasons import Reason
from ..transport.reply import Cause


class Made(NamedTuple):
    """The document was made. `identifier` is what the server calls it; None if the answer doesn't name it."""

    status: int
    identifier: str | None
    dashboard_id: str | None
    workbook_id: str | None
    response: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """Clear: nothing was made, and sending it again would not help. `may_be_taken`: perhaps the identifier exists.

    None as `hint`: the reason's own.
    """

    reason: Reason
    status: int
    message: str
    may_be_taken: bool = False
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Braked:
    """Clear: not processed; all workers wait. `retry_after_seconds` is None if the server did not say."""

    status: int
    message: str
    retry_after_seconds: float | None


@dataclass(frozen=True, slots=True)
class KeyRefused:
    """Clear: the key is not accepted."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class KeyDoubted:
    """Clear: nothing was made. It may be about the key; if that is good, it's about the row, which was `refused`."""

    refused: Refused


@dataclass(frozen=True, slots=True)
class Blocked:
    """Clear: something before the server (a firewall, a proxy) refused it, not Omni."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class EndpointUnusable:
    """Clear, and the whole run is pointless: not an Omni base URL, no v1 create here, a bad certificate."""

    message: str
    stop_reason: StopReason


@dataclass(frozen=True, slots=True)
class Unsent:
    """Clear: the server was not reached."""

    cause: Cause
    message: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """The attempt may have made the document. `is_outage`: the kind of trouble that several rows share (contract 9).

    `end` is why the run must stop, if it must.
    """

    reason: Reason
    status: int | None
    message: str
    is_outage: bool = False
    end: str | None = None


Verdict = Made | Refused | Braked | KeyRefused | KeyDoubted | Blocked | EndpointUnusable | Unsent | Unclear


@dataclass(frozen=True, slots=True)
class Document:
    """A document as read back, in the shape of this version. A field that the answer doesn't hold is missing."""

    fields: Mapping[str, Any] = field(repr=False)
    version: ApiVersion = ApiVersion.V1


@dataclass(frozen=True, slots=True)
class There:
    """A document with this identifier exists. `document` is None where it cannot be read (403, 422, 400-analysis)."""

    status: int
    document: Document | None
    response: bytes = field(default=b"null", repr=False)


@dataclass(frozen=True, slots=True)
class Absent:
    """The application's own 404: no such document now."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The GET did not tell. `is_gone`: this version of the endpoint may not be there (any more)."""

    reason: Reason
    status: int | None
    message: str
    is_outage: bool = False
    is_gone: bool = False


Look = There | Absent | Braked | KeyRefused | EndpointUnusable | Unsent | Unknown
