"""What the rows of a run mention of the instance, models and identifiers, so that the preflight can ask about it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..models import Problem, Spec
from ..placement import StepKind
from ..read.json_text import shown
from ..report.failure_groups import PLACES, places_text
from ..validate.checked_rows import ValidRow

_MOST_KEPT = 1000  # different models and identifiers that are remembered


@dataclass(slots=True)
class Mentions:
    """The rows that name one thing: how many, and the places of the first.

    `source` and `line` are the first one's place, and `before` counts the rows in front of it.
    """

    source: str
    line: int
    before: int
    rows: int = 0
    places: list[tuple[str, int]] = field(default_factory=list)
    as_asked: str = ""

    def add(self, row: Spec | ValidRow) -> None:
        """One more row."""
        self.rows += 1
        if len(self.places) < PLACES:
            self.places.append((row.source, row.line))

    def unknown(self, model_id: str) -> Problem:
        """The problem of these rows if what they name is a model that nobody knows."""
        message = f"{shown(model_id)} isn't a model of this instance, or the API key can't see it"
        return self.problem("modelId", f"{message}; `batcher models` lists them")

    def problem(self, field: str, message: str) -> Problem:
        """The problem of these rows."""
        rows = "" if self.rows == 1 else f" ({self})"
        return Problem(self.source, self.line, field, f"{message}{rows}")

    def __str__(self) -> str:
        return f"{self.rows:,} rows: {places_text(self.places, self.rows)}"


@dataclass(slots=True)
class Asked:
    """What the rows that are about to be sent name. `models` and `identifiers` (the users' own) in input order.

    `folders` and `labels` are by their spelling without case, each with a name `as_asked`. `steps`: how many follow the
    creates, if each is one of version 1; `moves` of them put a document into its folder.
    """

    rows: int = 0
    models: dict[str, Mentions] = field(default_factory=dict)
    identifiers: dict[str, str] = field(default_factory=dict)
    folders: dict[str, Mentions] = field(default_factory=dict)
    labels: dict[str, Mentions] = field(default_factory=dict)
    steps: int = 0
    moves: int = 0

    def see(self, spec: Spec | ValidRow) -> None:
        """A row that is about to be sent; not one that is unclear, which is looked up anyway."""
        mentions = self.models.get(spec.model_id)
        if mentions is None and len(self.models) < _MOST_KEPT:
            mentions = self.models[spec.model_id] = Mentions(spec.source, spec.line, self.rows)
        self.rows += 1
        if mentions is not None:
            mentions.add(spec)
        if spec.identifier is not None and len(self.identifiers) < _MOST_KEPT:
            self.identifiers[spec.identifier] = spec.place

    def see_placement(self, row: ValidRow) -> None:
        """A row that is about to be sent, or that lacks steps."""
        folder, labels = row.placement
        if folder is not None:
            self._mention(self.folders, folder, row)
        for label in labels:
            self._mention(self.labels, label, row)

    def count_steps(self, kinds: tuple[StepKind, ...], *, is_new: bool) -> None:
        """These steps follow; `is_new`: after a create."""
        self.steps += len(kinds)
        self.moves += is_new and StepKind.FOLDER in kinds

    @property
    def kinds(self) -> tuple[StepKind, ...]:
        """What must be listed before anything is sent."""
        return (*([StepKind.FOLDER] if self.folders else []), *([StepKind.LABELS] if self.labels else []))

    @staticmethod
    def _mention(named: dict[str, Mentions], name: str, row: ValidRow) -> None:
        mentions = named.get(name.casefold())
        if mentions is None:
            mentions = named[name.casefold()] = Mentions(row.source, row.line, 0, as_asked=name)
        mentions.add(row)
