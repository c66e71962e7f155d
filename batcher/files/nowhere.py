"""A disk that keeps nothing: for programs that want never twice within their own process only (`journal=None`)."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, BinaryIO

from .disk import AppendFile


class _Void:
    def __init__(self) -> None:
        self._size = 0

    def write(self, data: bytes) -> None:
        self._size += len(data)

    async def sync(self) -> None:
        pass

    def size(self) -> int:
        return self._size

    def truncate(self, size: int) -> None:
        self._size = size


class Nowhere:
    """`Storage` without a disk: every file is missing, and what is written is gone."""

    def size(self, path: Path) -> int | None:
        """No file exists."""

    @contextlib.contextmanager
    def read(self, path: Path) -> Iterator[BinaryIO]:  # noqa: ARG002 - the protocol's
        """Nothing was ever written."""
        yield io.BytesIO()

    @contextlib.contextmanager
    def append(self, path: Path) -> Iterator[AppendFile]:  # noqa: ARG002
        """Forget what comes."""
        yield _Void()

    def truncate(self, path: Path, size: int) -> None:
        """Nothing to cut."""

    def replace(self, path: Path, chunks: Iterable[bytes]) -> None:
        """Nothing to replace."""

    def copy(self, path: Path, to: Path) -> None:
        """Nothing to copy."""

    @contextlib.contextmanager
    def spool(self, beside: Path) -> Iterator[IO[bytes]]:  # noqa: ARG002
        """In memory."""
        yield io.BytesIO()

    @contextlib.contextmanager
    def lock(self, path: Path, holder: bytes) -> Iterator[None]:  # noqa: ARG002
        """Nobody else can be here."""
        yield
