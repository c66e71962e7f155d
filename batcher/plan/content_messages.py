"""What is told of rows that hold what was created under another key, and of documents that no row has (contract 5)."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import replace

from ..models import Problem
from ..read.json_text import shown
from ..report.observers import Observer
from .documents_left import Left, Unclaimed
from .pairs import Kind, Pair, Same

SHOWN = 5
_WAYS_OUT = (
    "Are they the same rows? Run again with --rekey, and nothing is created for them. "
    "Do you want second documents? Run again with --create-again. Nothing was sent."
)
_NUMBERED_ANEW = (
    "Were rows renumbered? Run again with --rekey: each row then has the document of its content, and a row without one "
    "is created. Or run again with --create-again: each row named here gets a new document. Nothing was sent."
)
_REPEATED = "Remove each line that is the same row as another line."
_SAME = "the same content was created under the key {of}{made} (from {was}); this row's key is {own}"
_TOLD = {
    Kind.SAME: _SAME,
    Kind.FIXED: _SAME,
    Kind.REPEATED: f"{_SAME}, and another line is that row",
    Kind.FIXED_OTHERWISE: (
        "a row that failed here, or has this name, was fixed and created{made} (from {was}): is it this one, fixed in another "
        "way? Its key is {of}, this row's {own}"
    ),
}
_LEFT_OUT = "{was} holds what was created under this row's key {own}, so this row has no document"
_HEADS = (  # how pairs of these kinds are counted, and the cause that their problems have in common
    ((Kind.SAME, Kind.FIXED, Kind.REPEATED), "new row holds", "new rows hold", "what was created under another key"),
    ((Kind.FIXED_OTHERWISE,), "row was", "rows were", "perhaps fixed in two places"),
    ((Kind.LEFT_OUT,), "row has", "rows have", "the key of another row's document"),
)


def problem_of(pair: Pair) -> Problem:
    """What is told of a row that nobody answered for."""
    made = f" as {pair.identifier}" if pair.identifier else ""
    words = _TOLD.get(pair.kind, _LEFT_OUT)
    text = words.format(of=shown(pair.of), made=made, was=pair.was, own=shown(pair.own))
    return Problem(pair.source, pair.line, "", text, next(what for kinds, *_, what in _HEADS if pair.kind in kinds))


def refusal_of(unanswered: Sequence[Pair], observer: Observer) -> str | None:
    """Why nothing is sent, with both ways out; the rows are told as problems. None: nothing speaks against it."""
    if not unanswered:
        return None
    for pair in unanswered:
        observer.problem(problem_of(pair))
    sentences = []
    for of_these, one, several, what in _HEADS:
        if number := sum(pair.kind in of_these for pair in unanswered):
            sentences.append(f"{number:,} {one if number == 1 else several} {what}.")
    kinds = {pair.kind for pair in unanswered}
    if Kind.REPEATED in kinds:
        sentences.append(_REPEATED)
    return " ".join([*sentences, _NUMBERED_ANEW if Kind.LEFT_OUT in kinds else _WAYS_OUT])


def warn_of_kept(same: Same, observer: Observer) -> None:
    """Tell how many rows are known by another key from now on."""
    if count := len(same.holding):
        observer.warning(
            f"{'1 row keeps' if count == 1 else f'{count:,} rows keep'} what was done under an earlier key"
        )


def warn_of_moved(moved: Sequence[Pair], observer: Observer) -> None:
    """Tell which changed rows hold what was created under another key, though each content has its document."""
    if moved:
        hold = "1 changed row holds" if len(moved) == 1 else f"{len(moved):,} changed rows hold"
        places = ", ".join(f"{pair.source}:{pair.line}" for pair in moved[:SHOWN])
        more = f" and {len(moved) - SHOWN:,} more" if len(moved) > SHOWN else ""
        observer.warning(
            f"{hold} what was created under another key: {places}{more}. If rows were renumbered, run again with --rekey: "
            "each row then has the document of its content."
        )


def warn_of_others(left: Left, observer: Observer) -> None:
    """Tell which rows hold what was created for an input that is still there, and isn't among these: two of each will be."""
    if left.met:
        rows = "1 new row holds" if len(left.met) == 1 else f"{len(left.met):,} new rows hold"
        more = f" and {len(left.met) - SHOWN:,} more" if len(left.met) > SHOWN else ""
        observer.warning(
            f"{rows} what was created for another input, which is still there: {', '.join(left.met[:SHOWN])}{more}. "
            "A second document is created for each. If this input replaces the other, move that one away first."
        )


def name_unclaimed(
    left: Left, same: Same, named: Container[str], url: Callable[[str], str], observer: Observer
) -> Same:
    """Tell which created documents no row has any more, since the run is about to create others: each once by name."""
    paired = {pair.of for pair in (*same.holding, *same.unanswered)}
    gone = {key: intent for key, intent in left.unclaimed.items() if key not in paired}
    if not gone:
        return same
    what = "1 created document has" if len(gone) == 1 else f"{len(gone):,} created documents have"
    new = [key for key in gone if key not in named]
    texts = (f"{gone[key].name} ({_url(gone[key], url)})" for key in new[:SHOWN])
    more = f" and {len(new) - SHOWN:,} more" if len(new) > SHOWN else ""
    names = f": {', '.join(texts)}{more}" if new else " (named in an earlier run)"
    observer.warning(f"{what} no row anymore{names}. If you renamed a row, its old document still exists.")
    return replace(same, named=tuple(new))


def _url(document: Unclaimed, url: Callable[[str], str]) -> str:
    return "its URL is in the results file" if document.identifier is None else url(document.identifier)
