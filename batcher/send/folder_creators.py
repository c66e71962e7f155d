"""One creator of folders at a time on an instance, over all runs of this user on this machine (contract 14).

They meet in a file in the state directory, whose lock says whose turn it is. It holds what was about to be made and has no
clear answer yet, so that what a killed run left open is known to the next creator, whichever input that has.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import anyio

from ..errors import UsageError
from ..files.journal_lines import parse_journal_line
from ..files.step_lines import Making
from ..files.trouble import on_disk
from ..runtime import Runtime
from .requester import Requester

_LOOK_SECONDS = 1.0  # how often a run looks whether the creator before it is done
_NO_HOME = (
    "there is no home directory, so this run can't tell whether another one creates the same folders; set BATCHER_STATE_DIR to a "
    "directory that can be written"
)


@dataclass(slots=True)
class FolderCreators:
    """The file of an instance; an embedded sandbox, without `base_url`, needs none: it's over with its run.

    `open`: by path without case, what may still come to something.
    """

    requester: Requester
    runtime: Runtime
    base_url: str | None
    open: dict[str, Making] = field(default_factory=dict)

    @property
    def _path(self) -> Path | None:
        if self.base_url is None or self.runtime.state is None:
            return None
        name = blake2b(self.base_url.encode(), digest_size=16, person=b"batcher folders").hexdigest()
        return self.runtime.state / f"folders-{name}.jsonl"

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """No other creator inside the block. Raises UsageError if nobody can tell."""
        path = self._path
        if path is None:
            if self.base_url is not None:
                self.requester.warn(_NO_HOME)
            yield
            return
        with contextlib.ExitStack() as stack:
            while not self._take(path, stack):  # noqa: ASYNC110 - another process holds it
                await anyio.sleep(_LOOK_SECONDS)
            yield

    def begin(self, making: Making) -> None:
        """A POST is about to leave. Raises DiskTrouble."""
        self.open[making.name.casefold()] = making
        self._write()

    def end(self, name: str) -> None:
        """It's known what became of it. Raises DiskTrouble."""
        if self.open.pop(name.casefold(), None) is not None:
            self._write()

    def _write(self) -> None:
        if (path := self._path) is not None:
            with on_disk(path, "write"):
                self.runtime.storage.replace(path, [making.encode() for making in self.open.values()])

    def _take(self, path: Path, stack: contextlib.ExitStack) -> bool:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(self.runtime.storage.lock(path, self.runtime.holder.encode()))
            self.open = dict(self._read(path))
        except BlockingIOError:
            return False
        except OSError as error:
            raise UsageError(
                f"{path.parent}: can't be written ({error.strerror}); without it, runs can't tell whether "
                "another one creates the same folders. Set BATCHER_STATE_DIR to a directory that can be "
                "written; nothing was created."
            ) from error
        return True

    def _read(self, path: Path) -> list[tuple[str, Making]]:
        """What is written there; a line that isn't ours says nothing."""
        if not self.runtime.storage.size(path):
            return []
        found = []
        with self.runtime.storage.read(path) as stream:
            for line in stream:
                with contextlib.suppress(ValueError):
                    if isinstance(making := parse_journal_line(line), Making):
                        found.append((making.name.casefold(), making))
        return found
