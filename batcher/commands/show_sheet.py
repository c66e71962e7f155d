"""The sheet at the end of a run, whichever end it is (contract 4)."""

from __future__ import annotations

from collections.abc import Mapping

from ..config import Files
from ..errors import StopReason, UsageError
from ..files.key_history import KeyHistory
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
    histories: Mapping[str, KeyHistory],
    drain: Drain,
) -> None:
    """Write the sheet, if one is asked for; a run that can't has stopped, so that nobody takes silence for success.

    `histories` are what is known at the end.
    """
    if spooled.sheet is not None:
        try:
            write_sheet(runtime.storage, files, spooled.sheet, histories, past.journaled.undone)
        except UsageError as error:
            drain.stop(str(error), StopReason.DISK)
