"""A real redis-server (Debian's), reached through a socket file, that keeps nothing on disk."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SERVER = shutil.which("redis-server") or shutil.which("valkey-server")
needs_redis = pytest.mark.skipif(
    SERVER is None, reason="no redis-server on this machine; on Debian: apt-get install it"
)


@dataclass(slots=True)
class RedisServer:
    """One server. It may be killed, stopped for a while, and started again, empty."""

    socket: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """What `--pace-store` takes."""
        return f"unix://{self.socket}"

    def kill(self) -> None:
        """A power cut."""
        self.process.kill()
        self.process.wait()

    def start(self) -> None:
        """Again, with nothing in it."""
        self.process = _started(self.socket)

    def freeze(self) -> None:
        """It takes connections and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def redis_server(directory: Path) -> Iterator[RedisServer]:
    """Serve while in the block. The directory's name is short: a socket's path may have 107 bytes."""
    socket = directory / "redis.sock"
    server = RedisServer(socket, _started(socket))
    try:
        yield server
    finally:
        server.thaw()
        server.kill()


def _started(socket: Path) -> subprocess.Popen[bytes]:
    assert SERVER is not None
    socket.unlink(missing_ok=True)
    silent = subprocess.DEVNULL
    words = [
        "--port",
        "0",
        "--unixsocket",
        str(socket),
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        str(socket.parent),
    ]
    process = subprocess.Popen([SERVER, *words], stdin=silent, stdout=silent, stderr=silent)
    while not socket.exists():
        assert process.poll() is None, "redis-server didn't start"
        time.sleep(0.01)
    return process
