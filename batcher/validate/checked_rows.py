"""What the check makes of a row: valid, with all that sending it takes on request, or invalid, with its problems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from ..identity import hash_of, placed_hash
from ..models import Problem, Row, Spec
from ..placement import NO_PLACEMENT, Placement
from ..read.read import Content
from ..reasons import Reason
from .normalise import Body


class ValidRow(NamedTuple):
    """A row that can be sent. `body` and `written` (the same as JSON) are what would be sent for it.

    Its `Row` is made only when it is asked for: a resume reads a million rows to send none of them.
    """

    key: str
    source: str
    line: int
    body: Body
    written: bytes
    content: Content | None
    record: Any  # the `Row`, if there is no `content` to make it
    placement: Placement = NO_PLACEMENT

    @property
    def name(self) -> str:
        """The document's name."""
        return str(self.body["name"])

    @property
    def model_id(self) -> str:
        """The document's model."""
        return str(self.body["modelId"])

    @property
    def identifier(self) -> str | None:
        """The identifier that the user gave it."""
        return self.body.get("identifier")

    @property
    def place(self) -> str:
        """`dashboards.csv:17`, for messages."""
        return f"{self.source}:{self.line}"

    @property
    def row(self) -> Row:
        """The row as read."""
        row = self.record if self.content is None else self.content.row(self.line, self.record)
        return cast("Row", row)  # only a blank record has none

    @property
    def is_fed_back(self) -> bool:
        """Whether it comes from a failures line that brought its key."""
        return self.content is None and self.record.is_fed_back and self.record.refused_as is None

    @property
    def is_sheet(self) -> bool:
        """Whether it comes from a sheet."""
        return self.content is None and self.record.is_sheet

    @property
    def is_uncertain(self) -> bool:
        """Whether it comes from a failures line that says so; those always get full validation."""
        return self.content is None and self.record.is_uncertain

    def spec_hash(self) -> str:
        """The `identity.spec_hash` of what would be sent for it."""
        hashed = hash_of(self.body)
        return hashed if self.placement is NO_PLACEMENT else placed_hash(hashed, *self.placement)

    def spec(self) -> Spec:
        """Everything that sending it takes."""
        return Spec(
            self.key,
            self.source,
            self.line,
            self.name,
            self.model_id,
            self.identifier,
            self.written,
            self.spec_hash(),
            self.record if type(self.record) is bytes else self.row,
            self.placement,
        )


@dataclass(frozen=True, slots=True)
class InvalidRow:
    """A row that cannot be sent: the key that it goes by, and everything that is wrong with it."""

    row: Row
    key: str
    problems: tuple[Problem, ...]
    reason: Reason = Reason.INVALID
