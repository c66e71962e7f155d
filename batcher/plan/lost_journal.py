"""Uncertain rows of a failures file that the journal knows nothing of: it was lost, or left behind (contract 5 and 7).

What their lines say is all that is known of their attempts then, and it is enough not to create anything twice: such a
row is sent under the identifier of that attempt, which the server takes only once, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from ..config import Files, Sending
from ..errors import UsageError
from ..files import csv_form
from ..files.disk import Storage
from ..files.lines import is_object
from ..files.past import Past, RowState
from ..models import Spec, UnclearAttempt
from ..read.failures_csv import failures_from_csv
from ..read.failures_lines import unclear_attempt_of
from ..read.sources import SAVE_AS_UTF8
from ..validate.check import ValidRow

_SHOWN = 5  # places named


@dataclass(slots=True)
class Forgotten:
    """Sees the rows that are about to be sent for the first time, as the journal has it.

    `unnamed` are the places of those that were sent without an identifier, `renamed` of those that would be sent under
    another one than before, with that one. `remember` takes key and identifier of an
    attempt. `beside` is what a failures file says that is not the input, by key.
    """

    past: Past
    settings: Sending
    remember: Callable[[str, str], None]
    beside: Mapping[str, UnclearAttempt] = field(default_factory=dict)
    unnamed: list[str] = field(default_factory=list)
    renamed: list[str] = field(default_factory=list)

    def see(self, row: ValidRow | Spec, attempt: UnclearAttempt | None, state: RowState) -> None:
        """A row, and what its own line tells of an attempt.

        Where sending it is safe under the identifier of that attempt, that is what it will be sent under.
        """
        attempt = attempt or self.beside.get(row.key)
        if attempt is None or state is not RowState.NEW or self._is_known(row.key):
            return
        if attempt.identifier is None:
            if not self.settings.resend_uncertain:
                self.unnamed.append(row.place)
        elif row.identifier is None and self.settings.fill_identifiers:
            self.remember(row.key, attempt.identifier)
        elif row.identifier != attempt.identifier:
            self.renamed.append(f"{row.place} ({attempt.identifier})")

    def _is_known(self, key: str) -> bool:
        history = self.past.history_of(key)
        return bool(history.unclear or history.failure is not None or history.undone)

    def refusal(self, files: Files) -> str | None:
        """Why nothing may be sent, and what to do; None if all is well."""
        said = []
        if self.unnamed:
            said.append(
                f"{_listed(self.unnamed)}: uncertain, sent without an identifier: sent again, the document may exist "
                "twice. Or look for it in Omni: leave out the lines whose document you find; --resend-uncertain sends "
                "the others again."
            )
        if self.renamed:
            said.append(
                f"{_listed(self.renamed)}: uncertain under the identifier in parentheses: sent under another one, the "
                "document may exist twice. Or put that identifier into the row's spec."
            )
        if not said:
            return None
        return (
            f"{files.journal} does not know the attempts of uncertain rows, as if it had been lost or left behind. Put "
            f"that run's journal and results back beside its failures file, then run it again; none of them was sent. "
            f"{' '.join(said)}"
        )


def attempts_beside(storage: Storage, path: Path, past: Past) -> dict[str, UnclearAttempt]:
    """What the failures file of earlier runs says of unclear attempts, by key, where there is no journal to say it.

    Raises UsageError if it cannot be read.
    """
    if past.journaled.header is not None or not storage.size(path):
        return {}
    try:
        said = (
            (str(line.get("key") or ""), unclear_attempt_of(line, line.get("spec"))) for line in _lines(storage, path)
        )
        return {key: attempt for key, attempt in said if key and attempt is not None}
    except UnicodeDecodeError:
        raise UsageError(
            f"{path}: is not UTF-8 text; {SAVE_AS_UTF8}. Its journal is missing, so what it says of uncertain rows counts"
        ) from None


def _lines(storage: Storage, path: Path) -> Iterator[dict[str, Any]]:
    with storage.read(path) as stream:
        if csv_form.is_csv(path):
            yield from failures_from_csv(stream)
        else:
            yield from (orjson.loads(line) for line in stream if is_object(line))


def _listed(places: list[str]) -> str:
    more = len(places) - _SHOWN
    return ", ".join(places[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
