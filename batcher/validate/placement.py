"""A row's folder and labels: fields of ours, which no body holds (contract 14). What a row lacks, the command line may give."""

from __future__ import annotations

from collections.abc import Iterator

from ..models import Row
from ..omni.fields import ALLOWED, FOLDER, LABELS
from ..placement import NO_PLACEMENT, Placement, segments_of
from ..read.cells import Unread, value_of
from ..read.json_text import kind_of, shown
from . import complaints

LABEL_LENGTHS = range(2, 26)  # characters (API.md 11)
MOST_LEVELS = 7


def placement_of(row: Row, default: Placement) -> Placement:
    """Folder and labels that the row asks for; `default` for what it doesn't name. Never raises; see `findings`."""
    folder, labels = _values(row)
    if folder is None and labels is None:
        return default
    own = tuple(_unique(labels)) if isinstance(labels, list) else ()
    return Placement(
        default.folder if folder is None else str(folder).strip(),
        default.labels if labels is None else own,
    )


def findings(row: Row) -> Iterator[tuple[str, str, str]]:
    """What is wrong with them: field, message, cause."""
    folder, labels = _values(row)
    if folder is not None and (message := of_folder(folder)):
        yield FOLDER, message, "folder"
    if isinstance(labels, Unread):
        yield LABELS, complaints.of_unread(LABELS, labels, ALLOWED[LABELS]), "unread"
    elif labels is not None and not isinstance(labels, list):
        yield LABELS, f"must be {ALLOWED[LABELS]}, but is {kind_of(labels)}", "type"
    for number, label in enumerate(labels if isinstance(labels, list) else ()):
        if message := of_label(label):
            yield f"{LABELS}[{number}]", message, "label"


def of_folder(folder: object) -> str | None:
    """What is wrong with a folder, if anything."""
    if not isinstance(folder, str):
        return f"must be {ALLOWED[FOLDER]}, but is {kind_of(folder)}"
    segments = segments_of(folder)
    if not all(segments) or not folder.isprintable():
        return f"{shown(folder)} isn't valid; allowed: {ALLOWED[FOLDER]}"
    if len(segments) > MOST_LEVELS:
        return f"{shown(folder)} has {len(segments)} levels; Omni has {MOST_LEVELS} at most"
    return None


def of_label(label: object) -> str | None:
    """What is wrong with a label, if anything."""
    if not isinstance(label, str):
        return f"must be text of 2 to 25 characters, but is {kind_of(label)}"
    if len(label.strip()) not in LABEL_LENGTHS or not label.strip().isprintable():
        return f"{shown(label)} isn't valid; allowed: {ALLOWED[LABELS]}"
    return None


def as_given(folder: str | None, labels: tuple[str, ...]) -> Placement:
    """What rows without their own get from the command line."""
    return Placement(folder, tuple(_unique(list(labels)))) if folder is not None or labels else NO_PLACEMENT


def _values(row: Row) -> tuple[object, object]:
    """Folder and labels as JSON values, None for those that are absent."""
    folder, labels = row.fields.get(FOLDER), row.fields.get(LABELS)
    if row.cells:
        folder, labels = (value_of(name, str(cell or "")) for name, cell in ((FOLDER, folder), (LABELS, labels)))
    return folder, None if labels == [] else labels


def _unique(labels: list[object]) -> Iterator[str]:
    """Each label once, whatever its case, as it was written first."""
    known = set[str]()
    for label in labels:
        text = str(label).strip()
        if text.casefold() not in known:
            known.add(text.casefold())
            yield text
