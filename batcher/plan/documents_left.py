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
from ..models import Failed, Spec
from ..placement import NO_PLACEMENT, Placement
from ..read.sources import Source


class Sought(NamedTuple):
    """A row whose document is sought: its key in the files, its place, its content, and its `name_key`.

    `is_held_back`: it is known to hold what another row's document holds, so it has one, if need be another's.
    """

    key: str
    source: str
    line: int
    content: str
    named: str
    is_held_back: bool = False
    placement: Placement = NO_PLACEMENT

    @property
    def place(self) -> str:
        """`dashboards.csv:17`."""
        return f"{self.source}:{self.line}"

    @classmethod
    def by(cls, spec: Spec, *, is_held_back: bool = False) -> Sought:
        """A row that is to be sent."""
        named, content = name_key(spec.model_id, spec.name), content_hash(orjson.loads(spec.body))
        return cls(spec.key, spec.source, spec.line, content, named, is_held_back, spec.placement)


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
    """For what a document stands that was created from a line fixed in the failures file: its row's place, or `name_key`."""
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
    `last`: key → offset of its last intent. `unclaimed`: key → the created document.
    `fixed`: keys whose row failed once; what was fixed in one place may be fixed in the other later. `is_fixed_elsewhere`: there
    is something that stands `fixed_as` a place or a name.
    """

    unheld: Offsets = field(default_factory=Offsets)
    held: Offsets = field(default_factory=Offsets)
    undone: Offsets = field(default_factory=Offsets)
    last: dict[str, int] = field(default_factory=dict)
    unclaimed: dict[str, Unclaimed] = field(default_factory=dict)
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
    failed_in: dict[str, Failed] = {}  # key → its row's input, since later attempts may come from the failures file

    def is_passed_over(key: str) -> bool:
        return sources is not None and is_claimed(key) and not has_changed(key)

    for line, offset in lines_about_rows(storage, files.journal, is_passed_over):
        match line:
            case RunBegan():
                included.directory = line.directory
            case FailureLine():
                left.fixed.add(line.key)
                first = failed_in.get(line.key)
                if isinstance(line.outcome, Failed) and (first is None or first.source == line.outcome.source):
                    failed_in[line.key] = line.outcome
            case Intent():
                if not _is_last(line, past):
                    continue
                is_held, failed = is_claimed(line.key), failed_in.get(line.key)
                if is_held or sources is None or included.has(line.source if failed is None else failed.source):
                    _add(left, line, offset, past, failed, is_held=is_held)
                elif line.key in past.created:
                    left.elsewhere.add(sent_content(content_hash(orjson.loads(line.body)), line.placement), offset)
    return left


def sent_content(content: str, placement: Placement) -> str:
    """What stands for a content with the folder and labels that went with it; those count unless there were none."""
    return content if placement == NO_PLACEMENT else f"{content} {placed_hash(content, *placement)}"


def contents_like(content: str, placement: Placement) -> Iterator[str]:
    """What was sent that a row of this content may be: the same place first, then what asked for less."""
    folder, labels = placement
    alike = (placement, Placement(folder), Placement(None, labels), NO_PLACEMENT)
    yield from dict.fromkeys(sent_content(content, one) for one in alike)


def _add(left: Left, intent: Intent, offset: int, past: Past, failed: Failed | None, *, is_held: bool) -> None:
    body = orjson.loads(intent.body)
    named = name_key(str(body.get("modelId")), str(body.get("name")))
    offsets = left.held if is_held else left.undone if past.history_of(intent.key).is_undone else left.unheld
    offsets.add(sent_content(content_hash(body), intent.placement), offset)
    offsets.add(named, offset)
    left.last[intent.key] = offset
    if not is_held and intent.key in past.created:
        left.unclaimed[intent.key] = Unclaimed(str(body.get("name")), intent.identifier)
        if failed is not None and failed.source != intent.source:
            left.is_fixed_elsewhere = True
            offsets.add(fixed_as(f"{failed.source}:{failed.line}"), offset)
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
