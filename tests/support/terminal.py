"""A real terminal for a command: a pseudo-terminal of some width, and what people see on it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyte

from .command import environment, execute_with
from .processes import bounded

NONE: Mapping[str, str] = {}
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a command left: its exit code, all that it wrote (with escapes), and the screen's lines at the end."""

    code: int
    written: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The screen's lines, joined."""
        return "\n".join(self.lines)

    @property
    def printed(self) -> list[str]:
        """The lines as they were written, without escapes: longer than the window if nothing broke them."""
        return [_ESCAPES.sub("", line) for line in re.split(r"[\r\n]+", self.written)]


class Terminal:
    """A window of so many columns, with one command in it."""

    def __init__(self, columns: int) -> None:
        self.screen = pyte.HistoryScreen(columns, 100, history=1000)
        self._stream = pyte.ByteStream(self.screen)
        self._ours, self._theirs = pty.openpty()
        self.written = b""
        self.resize(columns)

    def resize(self, columns: int) -> None:
        """Somebody drags the window's edge."""
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 100, columns, 0, 0))
        self.screen.resize(100, columns)

    @property
    def lines(self) -> tuple[str, ...]:
        """What is on the screen now, without the empty rest."""
        return tuple("\n".join(line.rstrip() for line in self.screen.display).rstrip("\n").split("\n"))

    def run(self, directory: Path, *arguments: str, variables: Mapping[str, str]) -> Shown:
        """Run the command in this process, on this terminal."""
        reader = threading.Thread(target=self._read_all)
        reader.start()
        try:
            with (
                os.fdopen(os.dup(self._theirs), encoding="utf-8") as stdin,
                os.fdopen(os.dup(self._theirs), "w", encoding="utf-8") as stdout,
                os.fdopen(os.dup(self._theirs), "w", encoding="utf-8") as stderr,
            ):
                code = execute_with(directory, arguments, self._variables(directory, variables), stdin, stdout, stderr)
        finally:
            os.close(self._theirs)
            reader.join(timeout=30)
            os.close(self._ours)
        return Shown(code, self.written.decode(), self.lines)

    def run_process(self, directory: Path, *arguments: str, during: Callable[[subprocess.Popen[str]], None]) -> Shown:
        """Run the command in a process of its own; `during` is called again and again while it lives."""
        process = subprocess.Popen(
            [sys.executable, "-m", "batcher", *arguments],
            cwd=directory,
            env=self._variables(directory, NONE),
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            start_new_session=True,
            text=True,
        )
        limit = time.monotonic() + 60
        with bounded(process):
            while time.monotonic() < limit and (self._read() or process.poll() is None):
                during(process)
            process.wait(timeout=60)
        os.close(self._theirs)
        os.close(self._ours)
        return Shown(process.returncode, self.written.decode(), self.lines)

    def _variables(self, directory: Path, more: Mapping[str, str]) -> dict[str, str]:
        return environment(directory, **{"TERM": "xterm-256color", "LANG": "C.UTF-8", **more})

    def _read_all(self) -> None:
        """Until the other side is closed."""
        with contextlib.suppress(OSError):
            while True:
                self._read()

    def _read(self) -> bool:
        if not select.select([self._ours], [], [], 0.05)[0]:
            return False
        piece = os.read(self._ours, 65536)
        self.written += piece
        self._stream.feed(piece)
        return True


def on_terminal(directory: Path, *arguments: str, columns: int = 80, variables: Mapping[str, str] = NONE) -> Shown:
    """Run the command in a window of so many columns."""
    return Terminal(columns).run(directory, *arguments, variables=variables)
