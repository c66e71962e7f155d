"""What all routes share: settings, store and clock, the application's errors, who asks, and the body that came."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from ..answers.errors import error_body
from ..answers.ids import uuid_of
from ..calls import Call, Response
from ..rules import queries
from ..settings import SandboxSettings
from ..store import Document, Store


@dataclass(frozen=True, slots=True)
class Override:
    """What faults change about one call: the identifier of a create, how much it answers, what a read shows and when.

    A read answers 404 until `lag_seconds` have passed since the create.
    """

    other_identifier: bool = False
    bare: bool = False
    lag_seconds: float = 0.0
    other_name: bool = False


NO_OVERRIDE = Override()


@dataclass(frozen=True, slots=True)
class Request:
    """One call for a handler: `names` are those in its path (identifier, label), `override` what faults change."""

    call: Call
    names: Mapping[str, str]
    override: Override = NO_OVERRIDE

    @property
    def identifier(self) -> str:
        """The document that the path names."""
        return self.names["identifier"]


Handler = Callable[[Request], Response]


@dataclass(frozen=True, slots=True)
class Backend:
    """One server's inside. `clock` gives seconds since 1970."""

    settings: SandboxSettings
    store: Store
    base_url: str
    clock: Callable[[], float]
    dice: random.Random = field(default_factory=random.Random)

    def fail(self, status: int, message: str, identifier: str | None = None) -> Response:
        """One of the application's errors, in the shape that the settings ask for."""
        return Response(status, error_body(self.settings.error_shape, status, message), identifier=identifier)

    def no_document(self, identifier: str) -> Response:
        """v1's proof of absence."""
        return self.fail(404, f'Document with identifier "{identifier}" not found', identifier)

    def refuse(self, problems: list[str]) -> Response | None:
        """The refusal of a body with these problems; None if there are none."""
        return self.fail(400, ", ".join(problems)) if problems else None

    def refuse_query(self, call: Call, parameters: queries.Parameters) -> Response | None:
        """The refusal of a query that the endpoint does not take; None if it does."""
        wrong = queries.problem(call.query, parameters)
        return None if wrong is None else self.fail(400, wrong)

    def owner(self, authorization: str | None) -> str:
        """The membership id of whoever asks."""
        return uuid_of("owner", authorization if self.settings.separate_owners else "")

    def other_user(self, call: Call, user_id: str | None) -> Response | None:
        """The refusal to act for somebody else: every key here is a person's own."""
        if user_id is None or user_id.lower() == self.owner(call.authorization):
            return None
        return self.fail(403, "User-scoped API keys cannot act on behalf of other users")

    def read_json(self, call: Call, problems_of: Callable[[object], list[str]]) -> dict[str, Any] | Response:
        """The body, if nothing is wrong with it; else the refusal."""
        if call.content_type != "application/json":
            return self.fail(415, f'Unsupported media type "{call.content_type}", send application/json')
        try:
            body = orjson.loads(call.body)
        except orjson.JSONDecodeError:
            return self.fail(400, "body: Invalid JSON")
        return self.refuse(problems_of(body)) or cast("dict[str, Any]", body)

    def new_document(
        self, call: Call, spec: Mapping[str, Any], override: Override, **place: Any
    ) -> Document | Response:
        """Commit the document of a create; the refusal if its identifier is taken."""
        identifier = spec.get("identifier")
        if override.other_identifier or identifier is None:
            identifier = self._new_identifier()
        now = self.clock()
        document = Document(
            number=0,
            identifier=identifier,
            name=spec["name"],
            model_id=spec["modelId"].lower(),
            body=call.body,
            dashboard_id=uuid_of("dashboard", identifier, now),
            workbook_id=uuid_of("workbook", identifier, now),
            owner=self.owner(call.authorization),
            created_at=now,
            **place,
        )
        created = self.store.create(document, trash_keeps=self.settings.trash_keeps_identifier)
        taken = f'identifier: "{identifier}" is already in use'
        return created or self.fail(self.settings.taken_status, taken, identifier)

    def _new_identifier(self) -> str:
        while True:
            identifier = f"{self.dice.getrandbits(32):08x}"
            if self.store.find(identifier) is None:
                return identifier

    def visible(self, identifier: str, override: Override) -> Document | None:
        """The living document, unless a fault lets reads lag behind its create."""
        document = self.store.find(identifier)
        if document is None or self.clock() - document.created_at < override.lag_seconds:
            return None
        return document


def shown_name(document: Document, override: Override) -> str:
    """The name that a read shows."""
    return f"{document.name} (renamed)" if override.other_name else document.name


def no_content(identifier: str) -> Response:
    """204, about this document."""
    return Response(204, b"", identifier=identifier)
