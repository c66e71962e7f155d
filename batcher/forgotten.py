"""Uncertain rows of a failures file that the journal knows nothing of: it was lost, or left behind (contract 5 and 7).

What their lines say is all that is known of their attempts then, and it is enough not to create anything twice: such a
row is sent under the identifier of that attempt, which the server takes only once, or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .config import Files, Sending
from .history import History
from .models import Spec
from .past import Past, Standing

_SHOWN = 5  # places named


@dataclass(slots=True)
class Forgotten:
    """Sees the rows that are about to be sent for the first time, as the journal has it.

    `unnamed` are the places of those that were sent without an identifier, `renamed` of those that would be sent under
    another one than before, with that one.
    """

    past: Past
    settings: Sending
    unnamed: list[str] = field(default_factory=list)
    renamed: list[str] = field(default_factory=list)

    def see(self, spec: Spec, standing: Standing) -> None:
        """One row. Where sending it is safe under the identifier of its attempt, that is what it will be sent under."""
        attempt = spec.row.unclear_attempt
        if attempt is None or standing is not Standing.NEW or self._is_known(spec.key):
            return
        if attempt.identifier is None:
            if not self.settings.resend_uncertain:
                self.unnamed.append(spec.place)
        elif spec.identifier is None and self.settings.fill_identifiers:
            self.past.journaled.histories.setdefault(spec.key, History()).identifier = attempt.identifier
        elif spec.identifier != attempt.identifier:
            self.renamed.append(f"{spec.place} ({attempt.identifier})")

    def _is_known(self, key: str) -> bool:
        history = self.past.journaled.histories.get(key)
        return history is not None and bool(history.unclear or history.failure is not None or history.undone)

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


def _listed(places: list[str]) -> str:
    more = len(places) - _SHOWN
    return ", ".join(places[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
