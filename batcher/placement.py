"""Where a document goes besides being created: its folder and its labels, and the steps that they take (contract 14)."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class StepKind(StrEnum):
    """A request that follows a create (contract 14)."""

    FOLDER = "folder"
    LABELS = "labels"


class Placement(NamedTuple):
    """Where a document goes besides being created, as asked for: a folder (path or UUID), and labels, each once.

    No body holds it. Whatever a version's create leaves of it becomes steps after the create (contract 14).
    """

    folder: str | None = None
    labels: tuple[str, ...] = ()


NO_PLACEMENT = Placement()  # nothing is asked for: the key owner's own folder, and no labels


def steps_of(placement: Placement, *, goes_with_create: bool = False) -> tuple[StepKind, ...]:
    """What follows a create, in order; `goes_with_create`: the create itself puts the document into its folder."""
    folder = () if placement.folder is None or goes_with_create else (StepKind.FOLDER,)
    return (*folder, StepKind.LABELS) if placement.labels else folder


def is_uuid(folder: str) -> bool:
    """Whether this names a folder by its id, not by its path."""
    return _UUID.fullmatch(folder) is not None


def segments_of(path: str) -> list[str]:
    """The names in a folder's path, as written."""
    return [segment.strip() for segment in path.strip().strip("/").split("/")]
