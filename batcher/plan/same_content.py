"""New rows that hold what was created under another key: people's edits don't create twice either (contract 5).

The past is asked by key first. A row that is new by its key, or has only failed under it, is compared by content with
what was created (or may have been) under keys that no row of the inputs has any more: what a changed key leaves behind.
The journal's intents hold all of that, so they are read once more, but only by a run with such rows and such keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from ..compact_map import Fingerprints
from ..config import Files, RunSettings
from ..files.disk import Storage
from ..files.history import intent_at, intents_and_failures
from ..files.journal_lines import FailureLine, Intent
from ..files.past import Past
from ..files.results_index import fingerprint
from ..identity import content_hash
from ..models import Failed, Problem, Spec
from ..read.json_text import shown
from ..read.sources import Source
from ..report.observers import Observer

SHOWN = 5
_WAYS_OUT = (
    "Are they the same rows? Run again with --rekey, and nothing is created for them. "
    "Do you want second documents? Run again with --create-again. Nothing was sent."
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A new row (`key`, at `source` and `line`) and the row that holds the same: created, or perhaps created, `of` this key.

    `is_fixed`: that one failed at first, so it was fixed in the failures file and now in the input too.
    """

    key: str
    source: str
    line: int
    of: str
    was: str
    identifier: str | None
    is_fixed: bool


@dataclass(slots=True)
class Left:
    """What the journal says of keys that no row has any more.

    `contents`: a content and how many had it before → its intent's offset (bytes). `failed`: key → the input where its row
    was. `unclaimed`: key → name and identifier of what was created.
    """

    contents: Fingerprints = field(default_factory=Fingerprints)
    failed: dict[str, str] = field(default_factory=dict)
    unclaimed: dict[str, str] = field(default_factory=dict)

    def add(self, intent: Intent, offset: int) -> None:
        """One more document; of those with one content each is found."""
        body = orjson.loads(intent.body)
        content, number = content_hash(body), 1
        while not self.contents.add(f"{content}~{number}", offset):
            number += 1
        self.unclaimed[intent.key] = f"{body.get('name')} ({intent.identifier or 'identifier in the results file'})"


def find_left(
    storage: Storage, files: Files, past: Past, is_claimed: Callable[[str], bool], sources: Iterable[Source]
) -> Left:
    """Read the journal for keys of these sources that nobody claims. Raises UsageError for a corrupt line."""
    left, is_included = Left(), _judge_sources(files, sources)
    for line, offset in intents_and_failures(storage, files.journal, is_claimed):
        if isinstance(line, FailureLine):
            if isinstance(line.outcome, Failed):
                left.failed.setdefault(line.key, line.outcome.source)
        elif (
            line.key not in left.unclaimed
            and is_included(left.failed.get(line.key, line.source))  # else the failures file, once it was run
            and _is_last(line, past)
        ):
            left.add(line, offset)
    return left


def _is_last(intent: Intent, past: Past) -> bool:
    """Whether this is what was created, or may have been: not an earlier attempt with another content."""
    made = past.created.get(intent.key)
    if made is not None:
        return made in (0, fingerprint(intent.spec_hash))
    return any(sent.spec_hash == intent.spec_hash for sent in past.history_of(intent.key).unclear)


def _judge_sources(files: Files, sources: Iterable[Source]) -> Callable[[str], bool]:
    """Whether an input is among this run's, or is gone: then its rows may be in these under other keys."""
    given = {source.path.resolve() for source in sources} | {Path(source.name).resolve() for source in sources}
    known: dict[str, bool] = {}

    def is_included(name: str) -> bool:
        if name not in known:
            places = {Path(name).resolve(), (files.results.parent / name).resolve()}
            known[name] = bool(places & given) or not any(place.exists() for place in places)
        return known[name]

    return is_included


def pairs(storage: Storage, files: Files, left: Left, new: Iterable[Spec]) -> Iterator[Pair]:
    """Each new row with the created one of the same content; each of those once, in input order."""
    used: dict[str, int] = {}
    for spec in new:
        content = content_hash(orjson.loads(spec.body))
        number = used.get(content, 0) + 1
        offset = left.contents.get(f"{content}~{number}")
        if offset is None:
            continue
        used[content] = number
        intent = intent_at(storage, files.journal, offset)
        was = f"{intent.source}:{intent.line}"
        yield Pair(spec.key, spec.source, spec.line, intent.key, was, intent.identifier, intent.key in left.failed)


def refusal(settings: RunSettings, found: tuple[Pair, ...], observer: Observer) -> str | None:
    """Why nothing is sent, with both ways out; the first rows are told as problems. None: nothing speaks against it.

    A row that was fixed in both places is that row, without asking.
    """
    if settings.rekey or all(pair.is_fixed for pair in found):
        return None
    for pair in found[:SHOWN]:
        as_what = f" as {pair.identifier}" if pair.identifier else ""
        text = f"has the key {shown(pair.key)}, but holds what {pair.was} was sent with under another{as_what}"
        observer.problem(Problem(pair.source, pair.line, "", text))
    rows = "1 new row holds" if len(found) == 1 else f"{len(found):,} new rows hold"
    first = f" (the first {SHOWN} are listed)" if len(found) > SHOWN else ""
    return f"{rows} what was created under keys that no row has any more{first}. {_WAYS_OUT}"


def name_unclaimed(left: Left, found: tuple[Pair, ...], observer: Observer) -> None:
    """Tell which created documents no row has any more, since the run is about to create others."""
    paired = {pair.of for pair in found}
    names = [text for key, text in left.unclaimed.items() if key not in paired]
    if not names:
        return
    what = "1 created document has" if len(names) == 1 else f"{len(names):,} created documents have"
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    observer.warning(
        f"{what} no row any more: {', '.join(names[:SHOWN])}{more}. If you renamed a row, its old document still exists."
    )
