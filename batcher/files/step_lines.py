"""The journal's lines about what follows a create: steps due and done, and folders and labels that were made for them.

A row's steps are those of its last intent, which names folder and labels; `StepsDue` replaces them. No line says that a
step is about to leave: each is safe to repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson

from ..placement import Placement, StepKind


class StepsDue(NamedTuple):
    """The steps of a created row are now these, of which `due` are missing. `spec_hash` is that of its row now."""

    key: str
    placement: Placement
    due: tuple[StepKind, ...]
    spec_hash: str
    at: str
    run: str

    def encode(self) -> bytes:
        """The line."""
        more = {"due": self.due, "specHash": self.spec_hash, "at": self.at, "run": self.run}
        return _encoded({"key": self.key, "type": "steps"} | placement_fields(self.placement) | more)


class StepDone(NamedTuple):
    """One step of a created row is done, to the document of this identifier."""

    key: str
    step: StepKind
    identifier: str
    at: str
    run: str

    def encode(self) -> bytes:
        """The line."""
        step = {"type": "step", "step": self.step, "identifier": self.identifier}
        return _encoded({"key": self.key} | step | {"at": self.at, "run": self.run})


class Making(NamedTuple):
    """A folder of this path, or a label of this name, is about to be made. `at` is UTC; open until a `PlaceMade` follows."""

    kind: StepKind
    name: str
    at: str
    run: str

    def encode(self) -> bytes:
        """The line."""
        return _encoded({"type": "making", "kind": self.kind, "name": self.name, "at": self.at, "run": self.run})


class PlaceMade(NamedTuple):
    """What was to be made is there. `id`: the folder's; None if nothing was made, for certain, or for a label."""

    kind: StepKind
    name: str
    id: str | None
    at: str
    run: str

    def encode(self) -> bytes:
        """The line."""
        made = {"type": "made", "kind": self.kind, "name": self.name, "id": self.id}
        return _encoded(made | {"at": self.at, "run": self.run})


def placement_fields(placement: Placement) -> dict[str, Any]:
    """Folder and labels as fields of a line; none for what isn't asked for."""
    folder = {} if placement.folder is None else {"folder": placement.folder}
    return folder | ({"labels": placement.labels} if placement.labels else {})


def parse_placement(line: Mapping[str, Any]) -> Placement:
    """Read them back. Raises TypeError for labels that are no list."""
    folder = line.get("folder")
    return Placement(None if folder is None else str(folder), tuple(str(label) for label in line.get("labels", ())))


def _steps_due(line: Mapping[str, Any]) -> StepsDue:
    due = tuple(StepKind(kind) for kind in line["due"])
    return StepsDue(
        str(line["key"]), parse_placement(line), due, str(line["specHash"]), str(line.get("at")), str(line.get("run"))
    )


def _step_done(line: Mapping[str, Any]) -> StepDone:
    step = StepKind(line["step"])
    return StepDone(str(line["key"]), step, str(line["identifier"]), str(line.get("at")), str(line.get("run")))


def _making(line: Mapping[str, Any]) -> Making:
    return Making(StepKind(line["kind"]), str(line["name"]), str(line["at"]), str(line.get("run")))


def _place_made(line: Mapping[str, Any]) -> PlaceMade:
    made = None if line.get("id") is None else str(line["id"])
    return PlaceMade(StepKind(line["kind"]), str(line["name"]), made, str(line.get("at")), str(line.get("run")))


step_parsers: dict[str, Callable[[Mapping[str, Any]], StepsDue | StepDone | Making | PlaceMade]] = {
    "steps": _steps_due,
    "step": _step_done,
    "making": _making,
    "made": _place_made,
}


def _encoded(line: dict[str, Any]) -> bytes:
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
