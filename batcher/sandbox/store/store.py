"""One open state: its documents, folders and labels."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import Self

from .documents import Documents
from .folders import Folders
from .labels import Labels
from .state import hold, opened


class Store(Documents):
    """The documents, with the folders and labels beside them.

    Every change is committed before it returns; a killed process loses none. A power cut may lose the last ones
    (SQLite's `synchronous=NORMAL`): it is a sandbox.
    """

    folders: Folders
    labels: Labels

    def __init__(self, state: Path | None) -> None:
        self._state = state
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Open the state. Raises Locked if another sandbox has it, UsageError if it is not a sandbox's."""
        with ExitStack() as stack:
            if self._state is not None:
                stack.enter_context(hold(self._state))
            self.db = stack.enter_context(closing(opened(self._state)))
            self.folders, self.labels = Folders(self.db), Labels(self.db)
            self._stack = stack.pop_all()
        return self

    @property
    def last_port(self) -> int:
        """The port that this state was last served on, so that its links open again; 0 if it never was."""
        row = self.db.execute("SELECT port FROM served").fetchone()
        return int(row[0]) if row else 0

    def serve_on(self, port: int) -> None:
        """Remember the port."""
        self.db.execute("INSERT OR REPLACE INTO served VALUES (1, ?)", (port,))

    def __exit__(self, *_exc: object) -> None:
        self._stack.close()
