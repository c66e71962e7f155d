"""The process stands still for longer than --timeout (ctrl-Z, `docker pause`, a busy machine); the answer came meanwhile."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ..support.runs import row

ROOT = Path(__file__).parents[2]
NUMBERS = itertools.count()
MADE = b'{"dashboard":{"id":"1","dashboardId":"1"},"workbook":{"id":"2","documentId":"3","identifier":"abc-%d"}}'
KEPT: list[socket.socket] = []  # listeners live as long as their threads: as long as the tests


def serve(listener: socket.socket, seen: list[bytes], delay: float) -> None:
    """Answer each request with 201, so many seconds after it came."""

    def one(plug: socket.socket) -> None:
        with plug, contextlib.suppress(OSError):
            while head := plug.recv(1 << 16):
                seen.append(head)
                time.sleep(delay)
                made = MADE % next(NUMBERS)
                plug.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(made), made))

    while True:
        threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()


def listening(seen: list[bytes], delay: float) -> str:
    """Where such a server listens; what it receives goes into `seen`."""
    listener = socket.create_server(("127.0.0.1", 0))
    KEPT.append(listener)
    threading.Thread(target=serve, args=(listener, seen, delay), daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


REQUEST = """
import asyncio, sys, uvloop
from batcher.transport.http import open_transport
from batcher.api_keys import ApiKey
async def main():
    async with open_transport(sys.argv[2], timeout_seconds=1.0) as transport:
        print(type(await transport.request("POST", "/x", ApiKey("k"), b"{}")).__name__)
(uvloop.run if sys.argv[1] == "uvloop" else asyncio.run)(main())
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_an_answer_that_lies_there_is_read_before_the_time_is_called_over(loop: str) -> None:
    """The wait for sockets is interrupted and told that its time is over; timers run before anybody looks again."""
    seen: list[bytes] = []
    command = [sys.executable, "-c", REQUEST, loop, listening(seen, 0.3)]
    run = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True)
    while not seen:
        time.sleep(0.01)
    run.send_signal(signal.SIGSTOP)
    time.sleep(1.5)
    run.send_signal(signal.SIGCONT)
    assert run.communicate(timeout=10)[0] == "Answer\n"


def test_a_run_that_is_stopped_and_continued(tmp_path: Path) -> None:
    """Ctrl-Z and `fg`: each POST in flight was answered with 201 long ago, and yet the rows are uncertain."""
    seen: list[bytes] = []
    base_url = listening(seen, 0.3)
    (tmp_path / "d.jsonl").write_text("".join(json.dumps(row(f"r{n}")) + "\n" for n in range(8)))
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMNI_API_KEY": "k1", "BATCHER_STATE_DIR": str(tmp_path / "st")}
    flags = ["--rate", "none", "--no-preflight", "--no-fill-identifiers", "--timeout", "1.5"]
    command = [sys.executable, "-m", "batcher", "run", "d.jsonl", "--base-url", base_url, *flags]
    run = subprocess.Popen(command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True)
    while len(seen) < 8:
        time.sleep(0.02)
    run.send_signal(signal.SIGSTOP)
    time.sleep(2)
    run.send_signal(signal.SIGCONT)
    _, printed = run.communicate(timeout=60)
    posts = sum(request.startswith(b"POST") for request in seen)
    assert (run.returncode, posts) == (0, 8), printed[-700:]
