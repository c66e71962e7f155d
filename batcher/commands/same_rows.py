"""Before anything is sent: the journal learns which rows hold what was created under another key (contract 5)."""

from __future__ import annotations

import contextlib

from ..config import Files, RunSettings
from ..errors import InvalidInput
from ..files.identity_lines import Named, SameRow
from ..files.journal_lines import Fixed
from ..files.lines import open_lines
from ..files.past import Past
from ..models import stamp
from ..plan.pairs import Same
from ..plan.seen_rows import SpooledRows
from ..plan.survey import Survey, survey
from ..read.sources import Source
from ..report.observers import Observer
from ..runtime import Runtime


async def write_same(same: Same, past: Past, files: Files, runtime: Runtime) -> bool:
    """Before anything is sent the journal holds which rows these are: one append, one fsync. Raises DiskTrouble.

    What failed under the new key is over: that row has its first key again. It also says which documents have been named.
    Returns whether there was anything to say.
    """
    at = stamp(runtime.now())
    lines = [SameRow(pair.own, pair.of, at, runtime.run_id).encode() for pair in same.holding]
    lines += [
        Fixed(pair.key).encode()
        for pair in same.holding
        if pair.key != pair.of and past.history_of(pair.key).failure is not None
    ]
    lines += [Named(key).encode() for key in same.named]
    if not lines:
        return False
    with open_lines(runtime.storage, files.journal) as journal:
        journal.write(b"".join(lines))
        await journal.sync()
    return True


def survey_again(
    settings: RunSettings,
    sources: tuple[Source, ...],
    runtime: Runtime,
    observer: Observer,
    past: Past,
    spooled: SpooledRows,
) -> Survey:
    """All is told already, but for what stands against it only now that rows have other keys."""
    with contextlib.suppress(InvalidInput):
        surveyed = survey(settings, sources, runtime, Observer(), past, spooled)
        if surveyed.refusal is None:
            return surveyed
    spooled.clear()
    return survey(settings, sources, runtime, observer, past, spooled)
