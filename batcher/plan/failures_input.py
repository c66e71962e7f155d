"""A failures file that is the input: it continues the run that it came from (contract 6)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ..config import Files, RunSettings
from ..files.disk import Storage
from ..files.failures_view import Form, failures_text
from ..files.history import Journaled
from ..read.sources import Source, naming


def is_fed_back(settings: RunSettings) -> bool:
    """Whether the failures file is one of the inputs."""
    failures = settings.files.failures.resolve()
    return any(name != "-" and Path(name).resolve() == failures for name in settings.inputs)


@contextmanager
def as_journaled(
    sources: tuple[Source, ...], storage: Storage, files: Files, journaled: Journaled, form: Form
) -> Iterator[tuple[Source, ...]]:
    """The inputs with the journal's word for a failures file that a killed run left behind, perhaps torn.

    Only for one that nobody has edited: of its rows the journal knows all that it says, and perhaps more.
    """
    with tempfile.TemporaryFile() as spool:
        for source in sources:
            if source.path.resolve() == files.failures.resolve():
                with naming(source.name):
                    spool.writelines(failures_text(storage, files.journal, journaled.histories, form))
                    spool.flush()
        size = spool.tell()
        yield tuple(
            replace(source, spool=spool, size=size) if source.path.resolve() == files.failures.resolve() else source
            for source in sources
        )
