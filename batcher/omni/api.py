"""What batcher needs of one version of the documents API: requests as values, and what their replies mean.

An `Api` sends nothing, keeps nothing and knows no clock; `send.requester` carries its requests to the server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, NamedTuple, Protocol, TypeVar

from ..models import ApiVersion, Spec
from ..placement import Placement, StepKind
from ..transport.reply import Reply
from .compare import Difference
from .described import Offer
from .verdicts import Document, Look, Refused, Verdict

V = TypeVar("V", bound=Verdict | Look)
V_co = TypeVar("V_co", bound=Verdict | Look, covariant=True)


class Request(NamedTuple):
    """One request, before a key is chosen for it. `path` goes behind the base URL; `query` isn't encoded yet."""

    method: str
    path: str
    body: bytes | None = None
    query: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Question(Generic[V_co]):
    """A request that may be sent again without harm, and what a reply to it means at a time (UTC)."""

    request: Request
    judge: Callable[[Reply, datetime], V_co]


@dataclass(frozen=True, slots=True)
class ListedDocument:
    """One line of the list endpoint. `updated_at` is as the server writes it."""

    identifier: str
    name: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list endpoint. `cursor` asks for the next one; None after the last."""

    documents: tuple[ListedDocument, ...]
    cursor: str | None


class Api(Protocol):
    """One version of the documents API."""

    version: ApiVersion

    def steps_of(self, placement: Placement) -> tuple[StepKind, ...]:
        """What a create leaves of it for later requests (`places.py`), in order."""

    def create(self, body: bytes, folder_id: str | None = None) -> Request:
        """POST one document. `body` is what `body_of` gives; the version's own is made of it here.

        Its reply is judged by `judge_create`; it's no `Question`, as it can't be sent twice.
        """

    def judge_create(self, reply: Reply, *, is_proven: bool, has_created: bool, now: datetime) -> Verdict:
        """What the reply to a create means.

        `is_proven`: something has shown that the base URL is right; `has_created`: a create succeeded there, ever.
        """

    def body_of(self, spec: Spec, identifier: str | None) -> bytes:
        """The spec of this row under this identifier, as intents keep it: the same whatever version creates it."""

    def get(self, identifier: str, version: ApiVersion | None = None) -> Question[Look]:
        """Read one document back through a version's endpoint (None: this one's).

        There, with what it reads; Absent: certainly no such document now.
        """

    def delete(self, identifier: str) -> Question[Look | Refused]:
        """Move one document to Trash. Absent: there is no such document now, by this request or an earlier one."""

    def newest(self, cursor: str | None = None) -> Question[Look]:
        """A page of the documents, last updated first: There, and `page_of` reads it."""

    def page_of(self, response: bytes) -> Page | None:
        """Read such a page; None if it isn't one."""

    def whoami(self) -> Question[Look]:
        """Who owns the key: There, and `owner_of` reads it; Absent on older instances."""

    def owner_of(self, response: bytes) -> str | None:
        """The id of the user that a whoami names."""

    def models(self, model_id: str | None = None) -> Question[Look]:
        """One model by its UUID, or the first of all: There, and `has_records` says whether there is any."""

    def has_records(self, response: bytes) -> bool | None:
        """Whether a list answer holds anything; None if it isn't a list."""

    def description(self) -> Question[Look]:
        """The instance's own OpenAPI description: There, and `offer_of` reads it."""

    def offer_of(self, response: bytes) -> Offer | None:
        """What it says of this version's create; None if it doesn't speak of documents at all."""

    def url(self, identifier: str) -> str:
        """The page of a document."""

    def differences(self, sent: bytes, document: Document) -> Iterator[Difference]:
        """Each part of what was sent that reads differently, or doesn't come back."""

    def is_match(self, sent: bytes, document: Document) -> bool:
        """Whether everything readable equals what was sent (contract 7). A document without a name proves nothing."""
