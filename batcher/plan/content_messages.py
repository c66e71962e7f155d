"""What is told of rows that hold what was created under another key, and of documents that no row has (contract 5)."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import replace

from ..models import Problem
from ..read.json_text import shown
from ..report.observers import Observer
from .documents_left import Left, Unclaimed
from .same_content import Pair, Same

SHOWN = 5
_WAYS_OUT = (
    "Are they the same rows? Run again with --rekey, and nothing is created for them. "
    "Do you want second documents? Run again with --create-again. Nothing was sent."
)
_WAYS_OUT_OF_A_PART = (
    "Are they the same rows? Run the input that they came from with --rekey, and nothing is created for them. "
    "Do you want second documents? Run again with --create-again. Nothing was sent."
)


def problem_of(pair: Pair) -> Problem:
    """What is told of a new row that nobody answered for."""
    made = f" as {pair.identifier}" if pair.identifier else ""
    text = f"the same was created under the key {shown(pair.of)}{made} (from {pair.was}); this row's key is {shown(pair.own)}"
    return Problem(pair.source, pair.line, "", text, "same content")


def refusal_of(unanswered: Sequence[Pair], observer: Observer, *, is_part: bool) -> str | None:
    """Why nothing is sent, with both ways out; the rows are told as problems. None: nothing speaks against it."""
    if not unanswered:
        return None
    for pair in unanswered:
        observer.problem(problem_of(pair))
    rows = "1 new row holds" if len(unanswered) == 1 else f"{len(unanswered):,} new rows hold"
    return f"{rows} what was created under another key. {_WAYS_OUT_OF_A_PART if is_part else _WAYS_OUT}"


def warn_of_kept(same: Same, observer: Observer) -> None:
    """Tell how many rows are known by another key from now on."""
    if count := len(same.holding):
        observer.warning(
            f"{'1 row keeps' if count == 1 else f'{count:,} rows keep'} what was done under an earlier key"
        )


def warn_of_moved(places: Sequence[str], observer: Observer) -> None:
    """Tell which changed rows hold what was created under another key: a row among them may never have been created."""
    if places:
        hold = "1 changed row holds" if len(places) == 1 else f"{len(places):,} changed rows hold"
        more = f" and {len(places) - SHOWN:,} more" if len(places) > SHOWN else ""
        observer.warning(
            f"{hold} what was created under another key: {', '.join(places[:SHOWN])}{more}. If rows were numbered anew, run "
            "again with --rekey: each row then has the document of its content, and a new row among them is created."
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
