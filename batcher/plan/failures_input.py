"""A failures file that is the input: it continues the run that it came from (contract 6)."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ..config import RunSettings
from ..files.csv_form import is_csv
from ..files.disk import Storage
from ..files.failures_view import Form, failures_text, is_current, is_edited
from ..files.past import Past
from ..read.json_text import shown
from ..read.read import layout_of
from ..read.sources import Source, naming
from ..read.temporary import keeping, temporary_file

_LONGEST_NUMBER = 32  # digits of a key whose zeros a spreadsheet program took away
_LOOKED_THROUGH = 10_000  # failed keys that a key is compared with


def is_fed_back(settings: RunSettings) -> bool:
    """Whether the failures file is one of the inputs."""
    failures = settings.files.failures.resolve()
    return any(name != "-" and Path(name).resolve() == failures for name in settings.inputs)


def sheet_beside(place: str) -> str:
    """Why nothing is sent: a sheet is one of several inputs, whose rows it may show."""
    return (
        f"{place}: a sheet shows rows from other inputs, so together with them each row "
        "would be there twice. Run it alone, or without "
        "it. Nothing was sent."
    )


def unknown_key(place: str, key: str, past: Past) -> str:
    """Why nothing is sent: a line of this run's failures file, or of a sheet, has a key that the journal never had."""
    failed = [known for known, history in past.journaled.histories.items() if history.failure is not None]
    padded = (key.lstrip("0").rjust(width, "0") for width in range(1, _LONGEST_NUMBER))
    likely = [known for known in failed if known.lstrip("0") == key.lstrip("0")]
    likely = likely or [known for known in padded if known in past.created]
    likely = likely or difflib.get_close_matches(key, failed[:_LOOKED_THROUGH], 1)
    probably = f" It was probably {shown(likely[0])}." if likely else ""
    return (
        f"{place}: the journal has no row with the key {shown(key)}; spreadsheet programs change keys when they save "
        f"(001 becomes 1).{probably} Put the key back, or fix the row in the input it came from and run that. "
        "Nothing was sent."
    )


def form_of(settings: RunSettings, sources: tuple[Source, ...]) -> Form:
    """How the failures file of these inputs is written."""
    return Form(layout_of(sources, settings.reading)) if is_csv(settings.files.failures) else Form()


@contextmanager
def as_journaled(
    settings: RunSettings, sources: tuple[Source, ...], storage: Storage, past: Past
) -> Iterator[tuple[Source, ...]]:
    """The inputs, with the journal's word for a failures file that a killed run left behind, perhaps torn.

    Only for one that nobody has edited: of its rows the journal knows all that it says, and perhaps more.
    """
    files, journaled = settings.files, past.journaled
    if not is_fed_back(settings):
        yield sources
        return
    form = form_of(settings, sources)
    if is_edited(storage, files.failures, files.journal, journaled, form) or is_current(
        storage, files.failures, files.journal, journaled.histories, form
    ):
        yield sources
        return
    what = f"{files.failures}: what the journal knows of it can't be copied"
    with temporary_file(None, what) as spool:
        for source in sources:
            if source.path.resolve() == files.failures.resolve():
                with naming(source.name), keeping(None, what):
                    spool.writelines(failures_text(storage, files.journal, journaled.reported, form))
                    spool.flush()
        size = spool.tell()
        yield tuple(
            replace(source, spool=spool, size=size) if source.path.resolve() == files.failures.resolve() else source
            for source in sources
        )
