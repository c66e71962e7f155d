"""The files that a command writes when it has ended, because an option names them."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import UsageError


def writable(path: Path, option: str) -> Path:
    """The file of an option; its directory must exist before anything is sent. A pipe or a device is written as it is."""
    is_plain = not path.exists() or path.is_file()
    if not path.parent.is_dir() or path.is_dir() or not os.access(path.parent if is_plain else path, os.W_OK):
        raise UsageError(f"{option} {path}: can't be written; name a file in a directory that exists")
    return path


def write(path: Path, text: bytes) -> OSError | None:
    """Put this into a file, in one step; into what is no plain file (a pipe, a device) just so. What hindered that."""
    from ..files.disk import Disk  # noqa: PLC0415 - only with --summary

    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            path.write_bytes(text)
        else:
            Disk().replace(path, [text])
    except OSError as error:
        return error
    return None
