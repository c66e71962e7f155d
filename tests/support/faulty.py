"""A real server with scripted faults, which remembers everything that reached it.

    async with FaultyServer("reset-after@3", "GET 404@1") as server:
        ...  # run the pipeline against server.base_url
    assert server.created_by_name == {"Revenue": ["revenue-1a2b"]}

It is the sandbox itself; the script is the sandbox's own fault grammar (`batcher.sandbox.FAULT_HELP`). `on` narrows a
fault by a predicate. Beside commands it runs in a thread (`server_thread`). Where it is killed, or where its process is
forked, it has a process of its own: `server_process`, or `python -m tests.support.faulty --state FILE --fault
reset-after/20`, whose first line of output is the base URL.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import signal
import sqlite3
import subprocess
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import orjson
from anyio.from_thread import start_blocking_portal

from batcher.pace.rate import Rate
from batcher.sandbox import Fault, RequestRecord, Sandbox, SandboxSettings, serve
from batcher.sandbox.calls import Call
from batcher.sandbox.store import Document

ROOT = Path(__file__).resolve().parents[2]


def on(fault: str, matching: Callable[[Call], bool] | None = None, *, body: bytes | None = None) -> Fault:
    """One fault, only for calls that match (they alone are counted), answered with this body where it is a status."""
    return replace(Fault.parse(fault), matching=matching, body=body)


def named(name: str) -> Callable[[Call], bool]:
    """Matches the creates of documents with this name."""
    return lambda call: call.method == "POST" and orjson.loads(call.body).get("name") == name


def guarded(fault: str) -> Fault:
    """This answer to look-ups of documents that exist or may exist; batcher's control question gets the server's own."""
    return on(fault, lambda call: "nobody-has-used" not in call.path)


class FaultyServer:
    """The sandbox with a script, and questions to ask it, during the run and after it.

    `settings` are those of `SandboxSettings`, by name.
    """

    def __init__(self, *script: str | Fault, **settings: Any) -> None:
        faults = tuple(Fault.parse(fault) if isinstance(fault, str) else fault for fault in script)
        self.seen: list[RequestRecord] = []
        self.sandbox = Sandbox(SandboxSettings(faults=faults, **settings), observe=self.seen.append)
        self._left: list[Document] | None = None

    async def __aenter__(self) -> Self:
        await self.sandbox.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.sandbox.stop()
        self._left = list(self.sandbox.store.documents())
        await self.sandbox.__aexit__(*exc)

    @property
    def base_url(self) -> str:
        """Where it listens."""
        return self.sandbox.base_url

    @property
    def commits(self) -> list[Document]:
        """Every document ever created, deleted ones included, in order."""
        return list(self.sandbox.store.documents()) if self._left is None else self._left

    @property
    def documents(self) -> dict[str, Document]:
        """The living documents by identifier."""
        return {document.identifier: document for document in self.commits if document.deleted_at is None}

    @property
    def created_by_name(self) -> dict[str, list[str]]:
        """For each name the identifiers that were created under it, deleted ones included."""
        names: dict[str, list[str]] = {}
        for document in self.commits:
            names.setdefault(document.name, []).append(document.identifier)
        return names

    @property
    def posts(self) -> list[RequestRecord]:
        """The POSTs that arrived."""
        return [seen for seen in self.seen if seen.method == "POST"]

    @property
    def gets(self) -> list[RequestRecord]:
        """The GETs that arrived."""
        return [seen for seen in self.seen if seen.method == "GET"]

    @property
    def authorizations(self) -> list[str]:
        """The Authorization values met, each once, in the order of their first request."""
        return list(dict.fromkeys(seen.authorization for seen in self.seen if seen.authorization is not None))

    @property
    def most_in_flight(self) -> int:
        """The most requests that were in flight at one time."""
        return self.sandbox.most_in_flight

    def arrivals(self, authorization: str | None = None) -> list[float]:
        """When each request's first byte arrived, in the loop's seconds, sorted; of one key or of all."""
        return sorted(
            seen.arrived_seconds for seen in self.seen if authorization is None or seen.authorization == authorization
        )

    def most_in(self, period_seconds: float, authorization: str | None = None) -> int:
        """The most requests that arrived in any window of this length."""
        return most_in_window(self.arrivals(authorization), period_seconds)


def most_in_window(times: Sequence[float], period_seconds: float) -> int:
    """The most of these sorted times in any half-open window of this length."""
    return max((bisect_left(times, start + period_seconds) - n for n, start in enumerate(times)), default=0)


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A server in a process of its own. `process.kill()` is a power cut without the power."""

    base_url: str
    process: subprocess.Popen[str]
    state: Path

    @property
    def commits(self) -> list[Document]:
        """Every document in the state file."""
        return documents_in(self.state)


@dataclass(frozen=True, slots=True)
class ServerThread:
    """A server in a thread of this process: as real to other processes, without an interpreter's start."""

    base_url: str
    state: Path

    @property
    def commits(self) -> list[Document]:
        """Every document in the state file."""
        return documents_in(self.state)


@contextmanager
def server_thread(state: Path, *flags: str, port: int = 0) -> Iterator[ServerThread]:
    """Serve on a state file while in the block. The flags are those of `python -m tests.support.faulty`."""
    with sandbox_thread(settings_of(_arguments(state, flags, port))) as base_url:
        yield ServerThread(base_url, state)


@contextmanager
def sandbox_thread(settings: SandboxSettings) -> Iterator[str]:
    """The base URL of a sandbox that serves in a thread of this process while in the block."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(Sandbox(settings)) as sandbox:
        yield sandbox.base_url


def _arguments(state: Path, flags: Sequence[str], port: int) -> list[str]:
    """The command line of a server, whose log is that of its start."""
    start = next(n for n in itertools.count(1) if not log_of(state, n).exists())
    return ["--port", str(port), "--state", str(state), "--log", str(log_of(state, start)), *flags]


@contextmanager
def server_process(state: Path, *flags: str, port: int = 0) -> Iterator[ServerProcess]:
    """Run `python -m tests.support.faulty`, ended with SIGTERM on leaving the block (if it still lives)."""
    command = [sys.executable, "-m", "tests.support.faulty", *_arguments(state, flags, port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        try:
            assert process.stdout is not None
            base_url = process.stdout.readline().strip()
            assert base_url, f"the server ended with {process.wait()}"
            yield ServerProcess(base_url, process, state)
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()


def documents_in(state: Path) -> list[Document]:
    """Every document of a state file, deleted ones included, in order; works while a server is using it."""
    query = "SELECT * FROM documents ORDER BY id"
    with closing(sqlite3.connect(state)) as db:
        return [Document(*row) for row in db.execute(query)]


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One line of the server's log. `status` None: it got no answer, and `fault` says why."""

    method: str
    path: str
    status: int | None
    fault: str | None
    identifier: str | None


def log_of(state: Path, start: int) -> Path:
    """Where `server_process` logs the requests of a state's Nth start (counted from 1)."""
    return state.with_name(f"{state.name}.requests-{start}.jsonl")


def requests_in(state: Path, start: int) -> list[LoggedRequest]:
    """The requests that arrived after the Nth start of the server on this state, in order."""
    lines = map(orjson.loads, log_of(state, start).read_bytes().splitlines())
    names = ("method", "path", "status", "fault", "identifier")
    return [LoggedRequest(*(line[name] for name in names)) for line in lines]


def settings_of(argv: Sequence[str]) -> SandboxSettings:
    """What the flags of `python -m tests.support.faulty` mean."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.faulty")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--fault", type=Fault.parse, action="append", default=[])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--no-v1", action="store_true")
    parser.add_argument("--no-v2", type=int)
    parser.add_argument("--rate", metavar="N/SECONDS")
    options = parser.parse_args(argv)
    limit, _, seconds = (options.rate or "").partition("/")
    return SandboxSettings(
        port=options.port,
        state=options.state,
        log=options.log,
        faults=tuple(options.fault),
        seed=options.seed,
        latency_seconds=options.latency,
        no_v1=options.no_v1,
        no_v2=options.no_v2,
        rate=Rate(int(limit), float(seconds)) if limit else None,
    )


def main(argv: Sequence[str]) -> None:
    """Serve until SIGTERM or SIGINT."""
    asyncio.run(_serve(settings_of(argv)))


async def _serve(settings: SandboxSettings) -> None:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await serve(settings, lambda base_url: print(base_url, flush=True))
    except asyncio.CancelledError:
        return


if __name__ == "__main__":
    main(sys.argv[1:])
