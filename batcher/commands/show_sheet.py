"""The sheet at the end of a run, whichever end it is (contract 4)."""

from __future__ import annotations

from ..config import Files
from ..errors import StopReason, UsageError
from ..files.history import Reported
from ..files.past import Past
from ..plan.seen_rows import SpooledRows
from ..plan.sheet import write_sheet
from ..runtime import Runtime
from ..send.drain import Drain


def show(
    files: Files,
    runtime: Runtime,
    past: Past,
    spooled: SpooledRows,
    reported: Reported,
    drain: Drain,
) -> None:
    """Write the sheet, if one is asked for; a run that can't has stopped, so that nobody takes silence for success.

    `reported` is what is known at the end.
    """
    if spooled.sheet is not None:
        try:
            write_sheet(runtime.storage, files, spooled.sheet, reported, past.journaled.undone)
        except UsageError as error:
            drain.stop(str(error), StopReason.DISK)
