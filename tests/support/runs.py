"""Runs of the real run in tests: rows into a file, `run.run` over them, and questions to its files.

    job = Job(tmp_path)
    job.rows(row("a"), row("b", identifier="b-1"))
    async with FaultyServer("reset-after@1") as server:
        ran = await job.run(server.base_url)
    assert ran.code == 0 and ran.how == {"a": "reconciled", "b": "created"}

`virtual_run` does the same in virtual time against a server in memory (`Memory`), for everything that takes minutes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import anyio
import anyio.lowlevel

from batcher.api_keys import ApiKey
from batcher.commands import run
from batcher.config import Endpoint, Files, Reading, RunSettings, Sending
from batcher.files.disk import AppendFile, Disk
from batcher.models import ApiVersion, Outcome, Problem
from batcher.report.observers import Observer
from batcher.report.summary import Summary, exit_code
from batcher.runtime import Runtime
from batcher.sandbox import SandboxSettings
from batcher.sandbox.calls import Call
from batcher.sandbox.routes import Api
from batcher.sandbox.store import Document, Store
from batcher.send.drain import Drain, End
from batcher.transport.reply import HELD, Answer, NotSent, Reply, at_once

from .virtual import loop

MODEL = "5f1c2b3a-6d4e-4f70-8a91-b2c3d4e5f607"
BASE = "http://omni.test"


def row(name: str, **fields: Any) -> dict[str, Any]:
    """One row of an input."""
    return {"name": name, "modelId": MODEL, **fields}


class Hasty(Random):
    """Chance that never waits: every back-off is over at once."""

    def uniform(self, a: float, b: float) -> float:
        """The least that may come."""
        return min(a, b)


class Witness(Observer):
    """Remembers what a run told."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[str] = []
        self.outcomes: list[Outcome] = []
        self.on_outcome: Callable[[Outcome], None] = lambda _outcome: None

    def problem(self, problem: Problem) -> None:
        """Keep it."""
        self.problems.append(problem)

    def warning(self, message: str) -> None:
        """Keep it."""
        self.warnings.append(message)

    def outcome(self, outcome: Outcome) -> None:
        """Keep it, and let the test act on it."""
        self.outcomes.append(outcome)
        self.on_outcome(outcome)


@dataclass(frozen=True)
class Ran:
    """What a run said."""

    summary: Summary
    witness: Witness

    @property
    def code(self) -> int:
        """What the command would exit with."""
        return exit_code(self.summary)

    @property
    def counts(self) -> dict[str, int]:
        """The counts that are not zero."""
        names = ("created_now", "created_before", "reconciled", "adopted", "failed", "uncertain", "to_do", "undone")
        counts = {name: getattr(self.summary, name) for name in names}
        return {name: count for name, count in counts.items() if count}

    @property
    def warnings(self) -> str:
        """All warnings as one text."""
        return "\n".join(self.witness.warnings)


@dataclass
class Job:
    """A directory with an input and the three files of its runs.

    `form` is that of the failures file, and of an earlier version's results, if there are any.
    """

    directory: Path
    form: str = "jsonl"
    runtime: Runtime = field(default_factory=lambda: Runtime(random=Hasty(1)))
    runs: int = 0

    @property
    def input(self) -> Path:
        """The input that `rows` writes."""
        return self.directory / "d.jsonl"

    @property
    def files(self) -> Files:
        """Where the run writes."""
        results = self.directory / "d.results.jsonl"
        if self.form == "csv" and results.with_suffix(".csv").exists():
            results = results.with_suffix(".csv")
        return Files(
            results=results,
            failures=self.directory / f"d.failures.{self.form}",
            journal=self.directory / "d.journal.jsonl",
        )

    def rows(self, *rows: Mapping[str, Any]) -> None:
        """Write the input anew."""
        self.input.write_text("".join(json.dumps(one) + "\n" for one in rows))

    def settings(
        self,
        base_url: str,
        *,
        keys: Sequence[str] = ("k1",),
        inputs: Sequence[Path] | None = None,
        skip_invalid: bool = False,
        rekey: bool = False,
        create_again: bool = False,
        rows: frozenset[str] | None = None,
        rows_to: Path | None = None,
        preflight: bool = False,
        more: Mapping[str, Any] | None = None,
        **sending: Any,
    ) -> RunSettings:
        """Settings of one run: no rate, no preflight, no shared pace unless asked for. `more`: further `RunSettings`."""
        given = {"rate": None, "concurrency": 4, "timeout_seconds": 5.0, "shared_pace": False, "fsync_ms": 20} | sending
        return RunSettings(
            inputs=tuple(str(path) for path in inputs or (self.input,)),
            endpoint=Endpoint(base_url=base_url, keys=tuple(ApiKey(key, n) for n, key in enumerate(keys, 1))),
            files=self.files,
            reading=Reading(api=ApiVersion(given.get("api", "v1"))),
            sending=Sending(**given),
            skip_invalid=skip_invalid,
            rekey=rekey,
            create_again=create_again,
            rows=rows,
            rows_to=rows_to,
            preflight=preflight,
            **(more or {}),
        )

    async def run(
        self, base_url: str, *, drain: Drain | None = None, witness: Witness | None = None, **settings: Any
    ) -> Ran:
        """Run the input; whatever comes of it, the counts must add up. Raises what `run.run` raises."""
        self.runs += 1
        witness = witness or Witness()
        runtime = replace(self.runtime, run_id=f"run{self.runs}")
        summary = await run.run(
            self.settings(base_url, **settings), observer=witness, drain=drain or Drain(), runtime=runtime
        )
        assert summary.adds_up, summary
        return Ran(summary, witness)

    @property
    def results(self) -> list[dict[str, Any]]:
        """The lines of the results file."""
        return lines(self.files.results.with_suffix(".jsonl"))

    @property
    def failures(self) -> list[dict[str, Any]]:
        """The lines of the failures file."""
        return lines(self.files.failures)

    @property
    def journal(self) -> list[dict[str, Any]]:
        """The lines of the journal."""
        return lines(self.files.journal)

    def intents(self, name: str) -> list[dict[str, Any]]:
        """The intents of the row with this name."""
        return [line for line in self.journal if line.get("type") == "intent" and line["body"]["name"] == name]

    @property
    def how(self) -> dict[str, str]:
        """For each created name how it was; fails if one stands there twice."""
        how = {line["name"]: line["how"] for line in self.results}
        assert len(how) == len(self.results), "a row has two lines in the results file"
        return how

    @property
    def reasons(self) -> dict[str, str]:
        """For each name in the failures file its outcome and reason; fails if one stands there twice."""
        found = {line["spec"]["name"]: f"{line['outcome']} {line['reason']}" for line in self.failures}
        assert len(found) == len(self.failures), "a row has two lines in the failures file"
        return found

    def edit_failures(self, change: Callable[[dict[str, Any]], None]) -> None:
        """A person edits each line of the failures file."""
        edited = self.failures
        for line in edited:
            change(line)
        self.files.failures.write_text("".join(json.dumps(line) + "\n" for line in edited))


def lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON lines file; none if it is missing."""
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def contents(directory: Path) -> dict[str, bytes]:
    """All files there by name."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}


async def until(condition: Callable[[], bool]) -> None:
    """Wait until it holds, at most ten seconds."""
    with anyio.fail_after(10):
        while not condition():  # noqa: ASYNC110 - the condition is a server's, which has no event for it
            await anyio.sleep(0.01)


def interrupt_after(drain: Drain, count: int, end: End = End.INTERRUPTED) -> Witness:
    """A witness that starts the drain with the so-many-th outcome."""
    witness = Witness()

    def watch(_outcome: Outcome) -> None:
        if len(witness.outcomes) == count:
            drain.start(end)

    witness.on_outcome = watch
    return witness


# in virtual time -------------------------------------------------------------------------------------------------

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def virtual_now() -> datetime:
    """The wall clock that goes with the virtual loop."""
    return START + timedelta(seconds=loop().time())


class _QuickFile:
    """A file whose fsync takes no thread, as virtual time has none."""

    def __init__(self, file: AppendFile) -> None:
        self._file = file
        self.write, self.size, self.truncate = file.write, file.size, file.truncate

    async def sync(self) -> None:
        """These tests do not cut the power."""
        await anyio.lowlevel.checkpoint()


class QuickDisk(Disk):
    """The disk, for virtual time."""

    @contextmanager
    def append(self, path: Path) -> Iterator[Any]:
        """Open for appending."""
        with super().append(path) as file:
            yield _QuickFile(file)


Script = Callable[[Call, int], Reply | Awaitable[Reply | None] | None]


@dataclass(frozen=True)
class MaybeUnreached:
    """A script that is asked before the request leaves, so that it can say that the server was not reached."""

    script: Script

    def __call__(self, call: Call, number: int) -> Reply | Awaitable[Reply | None] | None:
        """See `Script`."""
        return self.script(call, number)


class Memory:
    """An Omni in memory as a transport: the sandbox's own routes, without sockets, on the virtual clock.

    `script` is asked first, with the call and its number among the calls of its method (from 1): a reply of its own, or
    None to let the server answer. `carry_out` is how a script lets the server act although its answer is lost.
    """

    def __init__(self, script: Script | None = None, *, latency_seconds: float = 0.05, **settings: Any) -> None:
        self.store = Store(None)
        self.api = Api(SandboxSettings(**settings), self.store, base_url=BASE, clock=lambda: virtual_now().timestamp())
        self.script = script or (lambda _call, _number: None)
        self.latency_seconds = latency_seconds
        self.calls: list[tuple[float, Call]] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self._numbers: Counter[str] = Counter()
        self._left: list[Document] | None = None

    @contextmanager
    def serving(self) -> Iterator[None]:
        """The server lives inside the block; what it holds can be asked for afterwards, too."""
        with self.store:
            yield
            self._left = list(self.store.documents())

    async def request(
        self,
        method: str,
        path: str,
        key: ApiKey,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        *,
        start: Callable[[], bool] = at_once,
    ) -> Reply:
        """Let the script answer, or else the server."""
        call = Call(method, path, query or {}, f"Bearer {key.secret}", body=body or b"")
        self._numbers[method] += 1
        number, is_asked_first = self._numbers[method], isinstance(self.script, MaybeUnreached)
        scripted = self.script(call, number) if is_asked_first else None
        self.calls.append((loop().time(), call))
        if not isinstance(scripted, NotSent) and not start():
            self._numbers[method] -= 1
            self.calls.pop()
            return HELD
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await anyio.sleep(self.latency_seconds)
            if not is_asked_first:
                scripted = self.script(call, number)
            if isinstance(scripted, Awaitable):
                scripted = await scripted
            return self.carry_out(call) if scripted is None else scripted
        finally:
            self.in_flight -= 1

    def carry_out(self, call: Call) -> Answer:
        """What the server does and answers."""
        response = self.api.answer(call)
        headers = {name.lower(): value for name, value in response.headers}
        return Answer(response.status, headers, response.body, self.latency_seconds)

    def drop_kept(self) -> None:
        """Nothing is kept here."""

    @property
    def documents(self) -> list[Document]:
        """All documents ever made."""
        return list(self.store.documents()) if self._left is None else self._left

    def times(self, method: str = "POST") -> list[float]:
        """When the requests of this method left (virtual seconds)."""
        return [at for at, call in self.calls if call.method == method]


def virtual_world(memory: Memory, random: Random | None = None) -> Runtime:
    """The world of a run in virtual time."""
    return Runtime(
        storage=QuickDisk(),
        transport=memory,
        now=virtual_now,
        timer=lambda: loop().time(),
        random=random or Hasty(1),
    )


def answer(status: int, message: str = "", **headers: str) -> Answer:
    """An answer in the application's own error shape."""
    body = json.dumps({"detail": message or f"Status {status}", "status": status}).encode()
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body, 0.01)
