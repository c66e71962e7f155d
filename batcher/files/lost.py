"""What a power cut leaves of lines that were never fsynced: stretches of NULs, perhaps with whole lines after them.

A file system may know that a file has grown and not yet have its new bytes; it then fills blocks with NULs, and not
always the last ones. No line of ours holds a NUL. The lines that a stretch touches are dropped: the document of a lost
outcome is found again through its intent, and an intent that was lost was never fsynced, so its request never left.
"""

from __future__ import annotations

from pathlib import Path

from ..config import Files
from .csv_form import is_csv
from .disk import Storage
from .journal_lines import RUN_BEGINS
from .trouble import on_disk

_REACH = 1 << 26  # bytes from a file's end within which lines may not have been fsynced: far more than ever wait
_PIECE = 1 << 20


def drop_lost(storage: Storage, files: Files) -> None:
    """Take the lines with NULs out of results and journal, before anybody remembers where in them a line begins.

    Those in the journal before a run began were fsynced with that beginning: no power cut did this, so they are left
    for the reader to refuse. A results file in the CSV form is left as it is. Raises DiskTrouble.
    """
    for path in (files.results, files.journal):
        if is_csv(path):
            continue
        with on_disk(path, "repair"):
            start = _first_touched(storage, path)
            if start is None:
                continue
            with storage.read(path) as stream:
                stream.seek(start)
                whole = [line for line in stream if b"\0" not in line]
            if path == files.journal and any(line.startswith(RUN_BEGINS) for line in whole):
                continue
            storage.truncate(path, start)
            with storage.append(path) as file:
                file.write(b"".join(whole))


def _first_touched(storage: Storage, path: Path) -> int | None:
    """Where the first line with a NUL begins, in bytes; None if there is none."""
    size = storage.size(path)
    if not size:
        return None
    at = max(0, size - _REACH)
    begins = at  # the last line begin so far
    with storage.read(path) as stream:
        stream.seek(at)
        while piece := stream.read(_PIECE):
            nul = piece.find(b"\0")
            newline = piece.rfind(b"\n", 0, nul if nul >= 0 else len(piece))
            if newline >= 0:
                begins = at + newline + 1
            if nul >= 0:
                return begins
            at += len(piece)
    return None
