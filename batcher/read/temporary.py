"""Temporary files, and the place for them: a container may have none that can be written, or a small one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ..errors import UsageError


def temporary_place() -> Path:
    """The system's directory for temporary files (TMPDIR). Raises UsageError if there is none that can be written."""
    try:
        return Path(tempfile.gettempdir())
    except OSError as error:
        raise UsageError(
            "there's no writable directory for temporary files; set TMPDIR to one. Nothing was sent."
        ) from error


@contextmanager
def temporary_file(directory: Path | None, what_fails: str) -> Iterator[BinaryIO]:
    """An empty file without a name, for the block; None: in `temporary_place()`. Raises UsageError as `keeping` does."""
    place = directory or temporary_place()
    with keeping(directory, what_fails):
        stream = tempfile.TemporaryFile(dir=place)  # noqa: SIM115 - closed below
    try:
        yield stream
    finally:
        with suppress(OSError):  # what a full disk did not take
            stream.close()


@contextmanager
def keeping(directory: Path | None, what_fails: str) -> Iterator[None]:
    """Turn what writing to such a file meets into a UsageError: `what_fails`, the place, and how to name another one."""
    try:
        yield
    except OSError as error:
        if directory is None:
            where = f"the directory for temporary files, {temporary_place()}"
            remedy = "free up space there, or set TMPDIR to another one"
        else:
            where, remedy = str(directory), "free up space there, or name another place with --results FILE"
        raise UsageError(
            f"{what_fails} into {where}: {error.strerror or error}; {remedy}. Nothing was sent."
        ) from error
