"""Documents that no row of the inputs holds as they are: their key has no row anymore, or its row has changed.

The journal's intents say what each was sent with. They are read once more, only by a run that may send the same under
another key; a resume keeps nothing for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import orjson

from ..compact_map import Fingerprints
from ..config import Files
from ..files.disk import Storage
from ..files.history import intent_at, lines_about_rows
from ..files.journal_lines import FailureLine, Intent
from ..files.past import Past
from ..files.run_lines import RunBegan
from ..identity import content_hash, fingerprint, name_key, placed_hash
from ..models import Failed
from ..placement import NO_PLACEMENT, Placement
from ..read.sources import Source
from .pairs import Sought


class Offsets:
    """For each text the offsets (bytes) of the journal's lines that it stands for, each given out once, in order."""

    def __init__(self) -> None:
        self._at = Fingerprints()
        self._many: dict[str, int] = {}  # how many, of the texts with several
        self._given: dict[str, int] = {}

    def add(self, text: str, offset: int) -> None:
        """One more."""
        if not self._at.add(f"{text}~1", offset):
            self._many[text] = count = self._many.get(text, 1) + 1
            self._at.add(f"{text}~{count}", offset)

    def take(self, text: str) -> int | None:
        """The next one, or None."""
        self._given[text] = number = self._given.get(text, 0) + 1
        return self._at.get(f"{text}~{number}")


def fixed_as(place_or_name: str) -> str:
    """For what a document stands whose row failed in one place and was fixed in another: that place, or its `name_key`."""
    return f"fixed {place_or_name}"


class Unclaimed(NamedTuple):
    """A created document whose key no row has any more. Without `identifier` the server chose it."""

    name: str
    identifier: str | None


@dataclass(slots=True)
class Left:
    """What the journal says of such documents, and of rows without a row that have none.

    `unheld` are those whose key nobody has, `held` those whose row has changed: content, or model and name, or `fixed_as` →
    offset (bytes).
    `undone`: those that undo deleted; one that exists comes first.
    `elsewhere`: contents created for inputs that are still there and not among these; `met`: places of rows that hold one.
    `last`: key → offset of its last intent. `unclaimed`: key → the created document. `holds`: key of a row that is there →
    the content that was sent last; `holders`: such a content → the place of another row, which has it now.
    `fixed`: keys whose row failed once; what was fixed in one place may be fixed in the other later. `is_fixed_elsewhere`: there
    is something that stands `fixed_as` a place or a name.
    """

    unheld: Offsets = field(default_factory=Offsets)
    held: Offsets = field(default_factory=Offsets)
    undone: Offsets = field(default_factory=Offsets)
    last: dict[str, int] = field(default_factory=dict)
    unclaimed: dict[str, Unclaimed] = field(default_factory=dict)
    holds: dict[str, str] = field(default_factory=dict)
    holders: dict[str, str] = field(default_factory=dict)
    fixed: set[str] = field(default_factory=set)
    elsewhere: Offsets = field(default_factory=Offsets)
    met: list[str] = field(default_factory=list)
    is_fixed_elsewhere: bool = False

    def take(self, text: str, storage: Storage, journal: Path, is_free: Callable[[Intent], bool]) -> Intent | None:
        """A document that this text stands for, one without a row first; each once. Raises UsageError."""
        for offsets in (self.unheld, self.held, self.undone):
            while (offset := offsets.take(text)) is not None:
                intent = intent_at(storage, journal, offset)
                if self.last.get(intent.key) == offset and is_free(intent):
                    del self.last[intent.key]  # it is somebody's now
                    return intent
        return None


def find_left(
    storage: Storage,
    files: Files,
    past: Past,
    sources: Iterable[Source] | None,
    is_claimed: Callable[[str], bool],
    has_changed: Callable[[str], bool],
) -> Left:
    """Read the journal for what these sources' rows left; with None of all sources, and what unchanged rows hold, too.

    Raises UsageError for a corrupt line.
    """
    left, included = Left(), _Included(files, sources or ())
    failed_at: dict[
        str, tuple[str, int]
    ] = {}  # key → its row's place, since later attempts may come from the failures file
    places: set[tuple[str, int]] = set()  # where a row of any key has failed

    def is_passed_over(key: str) -> bool:
        return sources is not None and is_claimed(key) and not has_changed(key)

    for line, offset in lines_about_rows(storage, files.journal, is_passed_over):
        match line:
            case RunBegan():
                included.directory = line.directory
            case FailureLine():
                left.fixed.add(line.key)
                place, first = (line.outcome.source, line.outcome.line), failed_at.get(line.key)
                if isinstance(line.outcome, Failed) and (first is None or first[0] == place[0]):
                    failed_at[line.key] = place
                    places.add(place)
            case Intent():
                if not _is_last(line, past):
                    continue
                place, is_held = (line.source, line.line), is_claimed(line.key)
                first = failed_at.get(line.key, place)
                if is_held or sources is None or included.has(first[0]):
                    if sources is None:
                        fixed = place if place in places else None
                    else:
                        fixed = None if first[0] == line.source else first
                    _add(left, line, offset, past, fixed, is_held=is_held)
                elif line.key in past.created:
                    left.elsewhere.add(sent_content(content_hash(orjson.loads(line.body)), line.placement), offset)
    return left


def sent_content(content: str, placement: Placement) -> str:
    """What stands for a content with the folder and labels that went with it; those count unless there were none."""
    return content if placement == NO_PLACEMENT else f"{content} {placed_hash(content, *placement)}"


def contents_like(row: Sought) -> Iterator[str]:
    """What was sent that this row may be: the same place first, then what asked for less."""
    folder, labels = row.placement
    alike = (row.placement, Placement(folder), Placement(None, labels), NO_PLACEMENT)
    yield from dict.fromkeys(sent_content(row.content, one) for one in alike)


def _add(left: Left, intent: Intent, offset: int, past: Past, fixed: tuple[str, int] | None, *, is_held: bool) -> None:
    body = orjson.loads(intent.body)
    named, content = (
        name_key(str(body.get("modelId")), str(body.get("name"))),
        sent_content(content_hash(body), intent.placement),
    )
    left.last[intent.key] = offset
    is_created = intent.key in past.created
    if is_held:
        left.holds[intent.key] = content
        if (
            not is_created
            and past.history_of(intent.key).failure is not None
            and not past.history_of(intent.key).is_open
        ):
            return  # it was refused, and still has its row
    offsets = left.held if is_held else left.undone if past.history_of(intent.key).is_undone else left.unheld
    offsets.add(content, offset)
    offsets.add(named, offset)
    if not is_held and is_created:
        left.unclaimed[intent.key] = Unclaimed(str(body.get("name")), intent.identifier)
        if fixed is not None:
            left.is_fixed_elsewhere = True
            offsets.add(fixed_as(f"{fixed[0]}:{fixed[1]}"), offset)
            offsets.add(fixed_as(named), offset)


def _is_last(intent: Intent, past: Past) -> bool:
    """Whether this is what was created (or may have been, or was undone) or was refused last: not another content."""
    made = past.created.get(intent.key)
    if made is not None:
        return made in (0, fingerprint(intent.spec_hash))
    history = past.history_of(intent.key)
    if history.is_open:
        return any(sent.spec_hash == intent.spec_hash for sent in history.unclear)
    return history.failure is not None or (history.is_undone and history.undone_hash in ("", intent.spec_hash))


class _Included:
    """Whether an input is among this run's, or is gone: then its rows may be in these under other keys.

    `directory` is where the run began whose lines are being read; None for runs of earlier versions.
    """

    def __init__(self, files: Files, sources: Iterable[Source]) -> None:
        self.directory: str | None = None
        self._beside = files.found.parent
        self._given = {path.resolve() for source in sources for path in (source.path, Path(source.name))}
        self._known: dict[tuple[str | None, str], bool] = {}

    def has(self, name: str) -> bool:
        """Whether the input of this name is."""
        known = self._known.get((self.directory, name))
        if known is None:
            known = self._known[self.directory, name] = self._look(name)
        return known

    def _look(self, name: str) -> bool:
        places = {(self._beside / name).resolve(), Path(self.directory or "", name).resolve()}
        return bool(places & self._given) or not any(place.exists() for place in places)
