"""Run `batcher ARGUMENTS` in this process, and count which of its files its calls enter. A script of its own.

    python -P tests/benchmarks/entries.py OUTPUT.json run rows.csv --sandbox ...

An entry is a call of a function of `batcher/` (or a resumption of a coroutine), in any thread; a move is an entry into
another file than the entry before it in the same thread. Only the standard library is imported here, so that the same
script counts in any checkout.
"""

from __future__ import annotations

import json
import runpy
import sys
import threading
from collections import Counter
from pathlib import Path
from types import FrameType

import batcher

PACKAGE = str(Path(batcher.__file__).parent) + "/"


class Entries:
    """Entries by file, and moves by the file that was entered; paths are inside the package."""

    def __init__(self) -> None:
        self.entries: Counter[str] = Counter()
        self.moves: Counter[str] = Counter()
        self._last = threading.local()

    def profile(self, frame: FrameType, event: str, _: object) -> None:
        """Count one event of the interpreter."""
        path = frame.f_code.co_filename
        if event != "call" or not path.startswith(PACKAGE):
            return
        self.entries[path] += 1
        if getattr(self._last, "path", None) != path:
            self.moves[path] += 1
            self._last.path = path

    def write(self, output: Path) -> None:
        """As JSON: {"entries": {file: count}, "moves": {file: count}}."""
        counts = {"entries": self.entries, "moves": self.moves}
        shown = {name: {path.removeprefix(PACKAGE): n for path, n in each.items()} for name, each in counts.items()}
        output.write_text(json.dumps(shown), encoding="utf-8")


def main() -> None:
    """Run the command that stands behind the output's name; its exit code is this script's."""
    output, entries = Path(sys.argv[1]), Entries()
    sys.argv = ["batcher", *sys.argv[2:]]
    threading.setprofile(entries.profile)
    sys.setprofile(entries.profile)
    try:
        runpy.run_module("batcher", run_name="__main__", alter_sys=False)
    finally:
        sys.setprofile(None)
        entries.write(output)


if __name__ == "__main__":
    main()
