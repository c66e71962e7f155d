"""`run_file`: what `batcher run` does, for a program that has a file of rows (contract 12). `commands/create.py` has `create`."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec

import anyio

from .arguments import expect, ignore
from .cli.settings.files import check_writable, files_of
from .commands import run as run_command
from .commands.arguments import sending_of
from .commands.without_flags import errors_without_flags, without_flags
from .config import OMNI_RATE, Endpoint, Reading, RunSettings, Sending
from .models import Created, Failed, Outcome, Problem, Unfinished
from .pace.rate import Rate
from .report.observers import Observer
from .report.plan import Plan
from .report.summary import Summary
from .runtime import Runtime, shared_pace_of
from .send.drain import Drain, End
from .transport.client import Client

P = ParamSpec("P")


class Progress(NamedTuple):
    """Where a run is. Of `total` rows to create, `created`, `failed` and `uncertain` are done; `before` were there already."""

    total: int
    before: int
    created: int = 0
    failed: int = 0
    uncertain: int = 0

    @property
    def left(self) -> int:
        """Rows without an outcome yet."""
        return max(0, self.total - self.created - self.failed - self.uncertain)


async def run_file(
    path: str | Path,
    client: Client,
    *,
    results: str | Path | None = None,
    rate: str | Rate | None = OMNI_RATE,
    concurrency: int = 8,
    max_attempts: int = 5,
    shared_pace: bool = True,
    settings: Sending | None = None,
    reading: Reading | None = None,
    skip_invalid: bool = False,
    rekey: bool = False,
    create_again: bool = False,
    preflight: bool = True,
    on_progress: Callable[[Progress], None] | None = None,
    on_problem: Callable[[Problem], None] | None = None,
    on_warning: Callable[[str], None] | None = None,
) -> Summary:
    """Create a document for each row of a file that has none yet, as `batcher run` does, with the same files.

    Args:
        path: a CSV, JSONL or other input; failures files, too.
        client: an open `Client`.
        results: where the results go; failures and journal lie beside them. None: next to the input, where the command
            line finds them, too.
        rate: requests for each key, as in `"60/min"`; None for unlimited.
        concurrency: requests in flight at most.
        max_attempts: POSTs for one row at most.
        shared_pace: whether the rate holds over all batcher runs of this user on this machine, as in `create`.
        settings: everything else; the four above are then ignored.
        reading: how to read the file; None: by its name.
        skip_invalid: note invalid rows as failures, and create the rest. Otherwise nothing is sent.
        rekey: rows whose content was created under another key are the same rows.
        create_again: they are others: each gets a document of its own.
        preflight: ask first whether the keys are good and the models exist.
        on_progress: is told where the run is, after each row.
        on_problem: is told what is wrong with each invalid row.
        on_warning: is told what a person should know.

    Returns what it came to, in counts that add up: `exit_code(summary)` is what the command would exit with. Raises
    InvalidInput and UsageError (nothing was sent), Locked, TypeError, and what a callback raised, once all requests in
    flight have their outcome.
    """
    expect("path", path, str, Path)
    expect("client", client, Client)
    expect("results", results, str, Path, None)
    expect("reading", reading, Reading, None)
    flags = {"skip_invalid": skip_invalid, "rekey": rekey, "create_again": create_again, "preflight": preflight}
    for name, value in flags.items():
        expect(name, value, bool)
    for name, given in (("on_progress", on_progress), ("on_problem", on_problem), ("on_warning", on_warning)):
        expect(name, given, Callable, None)  # type: ignore[arg-type] # isinstance takes it
    sending = sending_of(settings, rate, concurrency, max_attempts, shared_pace=shared_pace)
    drain = Drain()
    observer = _Observer(drain, on_progress or ignore, on_problem or ignore, on_warning or ignore)
    with errors_without_flags():
        files = files_of([str(path)], results=None if results is None else Path(results))
        check_writable(files)
        secrets = frozenset(key.secret for key in client.keys)
        run_settings = RunSettings(
            inputs=(str(path),),
            endpoint=Endpoint(base_url=client.base_url, keys=client.keys),
            files=files,
            reading=replace(reading or Reading(), api=sending.api, api_keys=secrets),
            sending=sending,
            skip_invalid=skip_invalid,
            rekey=rekey,
            create_again=create_again,
            preflight=preflight,
        )
        shared = shared_pace_of(sending, os.environ, observer.warning)
        runtime = Runtime(transport=client.transport, shared_pace=shared)
        summary = await run_command.run(run_settings, observer=observer, drain=drain, runtime=runtime)
    if observer.trouble is not None:
        raise observer.trouble
    return replace(summary, stopped=without_flags(summary.stopped) if summary.stopped else None)


def _blocking(run: Callable[P, Coroutine[Any, Any, Summary]]) -> Callable[P, Summary]:
    signature = inspect.signature(run)

    def blocking(*args: P.args, **kwargs: P.kwargs) -> Summary:
        client = signature.bind(*args, **kwargs).arguments["client"]
        expect("client", client, Client)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise RuntimeError("an event loop runs here already (a notebook?): use `await batcher.run_file(...)`")

        async def whole() -> Summary:
            async with client:
                return await run(*args, **kwargs)

        return anyio.run(whole)

    functools.update_wrapper(blocking, run)
    blocking.__name__ = blocking.__qualname__ = "run_file_blocking"
    blocking.__doc__ = """`run_file` for a program without an event loop: `client` is opened for it, and closed.

    Ctrl-C ends it at once; the next run settles the requests that were in flight.
    """
    return blocking


run_file_blocking = _blocking(run_file)


class _Observer(Observer):
    """Passes on what a program wants to know; what its callbacks raise ends the run gracefully."""

    def __init__(
        self,
        drain: Drain,
        on_progress: Callable[[Progress], None],
        on_problem: Callable[[Problem], None],
        on_warning: Callable[[str], None],
    ) -> None:
        self.trouble: Exception | None = None
        self._drain, self._on_progress = drain, on_progress
        self._on_problem, self._on_warning = on_problem, on_warning
        self._progress = Progress(0, 0)

    def planned(self, plan: Plan) -> None:
        self._tell(Progress(plan.sending, plan.created))

    def outcome(self, outcome: Outcome) -> None:
        now = self._progress
        match outcome:
            case Created():
                self._tell(now._replace(created=now.created + 1))
            case Failed():
                self._tell(now._replace(failed=now.failed + 1))
            case Unfinished():
                pass  # it is created, which was told
            case _:
                self._tell(now._replace(uncertain=now.uncertain + 1))

    def problem(self, problem: Problem) -> None:
        told = replace(problem, message=without_flags(problem.message))
        self._call(lambda: self._on_problem(told))

    def warning(self, message: str) -> None:
        self._call(lambda: self._on_warning(without_flags(message)))

    def _tell(self, progress: Progress) -> None:
        self._progress = progress
        self._call(lambda: self._on_progress(progress))

    def _call(self, tell: Callable[[], None]) -> None:
        try:
            tell()
        except Exception as error:  # noqa: BLE001 - the program's own; it comes out of the run as it is
            self.trouble = self.trouble or error
            self._drain.start(End.CLOSED)
