"""Values on disk between their making and their use: written once, then read in the same order (contract 4).

What was checked is what is sent, however the input changes meanwhile, and memory holds none of it. The file has no
name, so no crash leaves it behind.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

from ..errors import UsageError
from ..models import Spec
from .disk import Storage
from .trouble import on_disk

T = TypeVar("T")
LUMP = 32  # values pickled together: half the time of one by one, for spec after spec of one shape


class Spool(Generic[T]):
    """Values of one kind. The file is made with the first one. `pack` says how they lie in it, `unpack` undoes that."""

    def __init__(
        self,
        storage: Storage,
        beside: Path,
        stack: ExitStack,
        pack: Callable[[T], Any] = lambda value: value,
        unpack: Callable[[Any], T] = lambda value: value,
    ) -> None:
        self._storage = storage
        self._beside = beside
        self._stack = stack
        self._pack = pack
        self._unpack = unpack
        self._stream: IO[bytes] | None = None
        self._lump: list[Any] = []
        self._count = 0
        self._lumps = 0

    def emptied(self) -> Spool[T]:
        """Another spool of this kind at this place, without any value."""
        return Spool(self._storage, self._beside, self._stack, self._pack, self._unpack)

    def clear(self) -> None:
        """Forget them all."""
        self._lump, self._count, self._lumps = [], 0, 0
        if self._stream is not None:
            self._stream.seek(0)
            self._stream.truncate()

    def __len__(self) -> int:
        return self._count

    def add(self, value: T) -> None:
        """Keep one more. Raises UsageError if the disk does not take it."""
        self._lump.append(self._pack(value))
        self._count += 1
        if len(self._lump) == LUMP:
            self._write_lump()

    def _write_lump(self) -> None:
        with self._refusing():
            if self._stream is None:
                self._stream = self._stack.enter_context(self._storage.spool(self._beside))
            self._stream.write(pickle.dumps(self._lump, pickle.HIGHEST_PROTOCOL))
            self._lumps += 1
        self._lump = []

    def seal(self) -> None:
        """Everything is added. Raises UsageError if the disk does not take it."""
        if self._lump:
            self._write_lump()
        if self._stream is not None:
            with self._refusing():
                self._stream.flush()

    def __iter__(self) -> Iterator[T]:
        """All of them, in order; one reader at a time. Raises DiskTrouble."""
        if self._stream is None:
            return
        self._stream.seek(0)
        for _ in range(self._lumps):
            with on_disk(self._beside, "read the rows spooled beside"):
                lump = pickle.load(self._stream)  # noqa: S301 - this process wrote it, and nobody else can
            yield from map(self._unpack, lump)

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UsageError(
                f"{self._beside.parent}: cannot keep the checked rows here ({error.strerror or error}). "
                "Free up space there, then run again; nothing was sent."
            ) from error


def spool_of_specs(storage: Storage, beside: Path, stack: ExitStack) -> Spool[Spec]:
    """They lie in it as plain tuples: pickle takes three times as long over named ones."""
    return Spool(storage, beside, stack, tuple, Spec._make)


@contextmanager
def open_specs(storage: Storage, beside: Path) -> Iterator[Spool[Spec]]:
    """One spool of specs for the block, beside this file."""
    with ExitStack() as stack:
        yield spool_of_specs(storage, beside, stack)
