"""The server of `measure_pace.py`: answers like Omni, just so far that `batcher run` is content, and writes down what came.

    python -m tests.benchmarks.measured_server --latency 0.005     # prints its port; when standard input ends, all that it saw

A request's time is the kernel's, taken when it reached the socket: a server process that has to wait for a core of a
busy machine would see all that came meanwhile in one instant, and blame the client for it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import selectors
import socket
import struct
import sys
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random

from batcher.pace.rate import Rate

MODEL = "8a3c1f0e-5b7d-4f7a-9c2e-1d2b3a4c5d6e"
_SO_TIMESTAMPNS = 35  # Linux; Python has no name for it
_TIME = struct.Struct("@qq")  # seconds and nanoseconds of the wall clock


@dataclass
class Ledger:
    """What the server is told to do, and what it saw: (seconds, status, who)."""

    latency_seconds: float
    fail_share: float
    enforce: Rate | None
    seen: list[tuple[float, int, str]] = field(default_factory=list)
    window: deque[float] = field(default_factory=deque)
    created: dict[str, str] = field(default_factory=dict)
    chance: Random = field(default_factory=lambda: Random(4))

    def answer(self, now: float, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and body; a window that is full blocks, and what it blocks counts."""
        status, content = self._judge(now, method, path, body)
        self.seen.append((now, status, "other" if path.startswith("/other") else "we"))
        return status, content

    def _judge(self, now: float, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        if self.enforce is not None:
            while self.window and now - self.window[0] >= self.enforce.period_seconds:
                self.window.popleft()
            self.window.append(now)
            if len(self.window) > self.enforce.limit:
                return 429, b'{"error": "Too many requests"}'
        if method == "POST" and path.startswith("/api"):
            return self._create(json.loads(body))
        if path.startswith("/api/v1/documents/"):
            name = self.created.get(path.rsplit("/", 1)[1])
            found: dict[str, object] = {"name": name, "modelId": MODEL, "queryPresentations": []}
            return (404, b'{"detail": "Document not found", "status": 404}') if name is None else (200, _json(found))
        return 200, _json({"user": {"id": "u", "membershipId": "m"}, "records": [{"id": MODEL}], "pageInfo": {}})

    def _create(self, spec: dict[str, str]) -> tuple[int, bytes]:
        if self.chance.random() < self.fail_share:
            return 503, b"busy"
        identifier = spec.get("identifier", "x")
        self.created[identifier] = spec["name"]
        workbook = {"id": "w", "documentId": "d", "identifier": identifier, "name": spec["name"]}
        return 201, _json({"dashboard": {"id": "b", "dashboardId": "b"}, "workbook": workbook})


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


@dataclass(frozen=True, slots=True)
class Request:
    """One whole request: when its first bytes reached the socket (wall clock), and what it asks."""

    arrived: float
    back: socket.socket
    method: str
    path: str
    body: bytes


class Connection:
    """One connection. Requests of at most 64 KiB, one at a time, kept alive."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._buffer = b""
        self._arrived = 0.0

    def read(self) -> Request | None:
        """What has come, if that makes a request whole. Raises EOFError when the client has gone."""
        try:
            data, told, _, _ = self.sock.recvmsg(1 << 16, 256)
        except ConnectionError:
            raise EOFError from None
        if not data:
            raise EOFError
        if not self._buffer:
            self._arrived = _arrival(told)
        self._buffer += data
        head, gap, body = self._buffer.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *([0-9]+)", head)
        if not gap or len(body) < (int(length[1]) if length else 0):
            return None
        self._buffer = b""
        method, path, *_ = head.decode().split()
        return Request(self._arrived, self.sock, method, path, body)


def _arrival(told: list[tuple[int, int, bytes]]) -> float:
    """The kernel's time; our own where it tells none."""
    for level, kind, data in told:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS) and len(data) == _TIME.size:
            seconds, nanoseconds = _TIME.unpack(data)
            return float(seconds + nanoseconds * 1e-9)
    return time.time()


class Server:
    """Answers everybody in one thread, each request `latency_seconds` after it came."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._selector = selectors.SelectSelector()  # the one whose timeouts are finer than a millisecond
        self._answers: list[tuple[float, int, socket.socket, bytes]] = []
        self._number = 0

    def serve(self, listener: socket.socket) -> None:
        """Until standard input ends."""
        for file in (listener, sys.stdin):
            self._selector.register(file, selectors.EVENT_READ)
        while True:
            wait = self._answers[0][0] - time.time() if self._answers else None
            came: list[Request] = []
            for key, _ in self._selector.select(None if wait is None else max(0.0, wait)):
                if key.fileobj is sys.stdin:
                    return
                if key.fileobj is listener:
                    self._accept(listener)
                elif (request := self._read(key.data)) is not None:
                    came.append(request)
            # Those that came in one go are judged in the order in which they reached their sockets.
            for request in sorted(came, key=lambda one: one.arrived):
                self._answer(request)
            while self._answers and self._answers[0][0] <= time.time():
                _, _, back, text = heappop(self._answers)
                with suppress(OSError):
                    back.sendall(text)

    def _accept(self, listener: socket.socket) -> None:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(sock, selectors.EVENT_READ, Connection(sock))

    def _read(self, connection: Connection) -> Request | None:
        try:
            return connection.read()
        except EOFError:
            self._selector.unregister(connection.sock)
            connection.sock.close()
            return None

    def _answer(self, request: Request) -> None:
        status, content = self._ledger.answer(request.arrived, request.method, request.path, request.body)
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        self._number += 1
        due = request.arrived + self._ledger.latency_seconds
        heappush(self._answers, (due, self._number, request.back, head.encode() + content))


def main() -> None:
    """Serve on a free port of 127.0.0.1."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    parser.add_argument("--fail-share", type=float, default=0.0, help="of creates, answered 503")
    parser.add_argument("--enforce", type=Rate.parse, help="a true sliding window; what it blocks counts")
    told = parser.parse_args()
    ledger = Ledger(told.latency, told.fail_share, told.enforce)
    # The instrument should not be what is late; where that is not allowed, the kernel's times hold all the same.
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -15)
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        if sys.platform == "linux":  # connections have it from their listener
            listener.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        print(listener.getsockname()[1], flush=True)
        Server(ledger).serve(listener)
    print(json.dumps(sorted(ledger.seen)))


if __name__ == "__main__":
    main()
