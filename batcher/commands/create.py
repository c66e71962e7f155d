"""`create`: the pipeline for programs that make their specs themselves (contract 12)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio

from ..arguments import expect, ignore
from ..config import OMNI_RATE, Endpoint, Files, Sending
from ..errors import DiskTrouble, UsageError
from ..files.disk import where_it_lies
from ..files.earlier_results import earlier_or, in_lines
from ..files.failures_view import Form
from ..files.ledger import Ledger
from ..files.lock import lock
from ..files.results_index import open_documents
from ..models import Spec
from ..pace.rate import Rate
from ..read.temporary import temporary_place
from ..runtime import Runtime, shared_pace_of
from ..send.batch import Batch
from ..send.connect import open_run
from ..send.drain import Drain, End
from ..transport.client import Client
from .arguments import sending_of
from .cut_undo import settled_past
from .intake import Intake
from .outcome_stream import Outcomes
from .unfinished_rows import identifiers_of
from .without_flags import error_without_flags, errors_without_flags

_NEITHER = (
    "journal=None needs fill_identifiers=True: with neither, nothing would keep a second block from creating the same "
    "documents again. Name a journal, or let batcher fill in the identifiers; nothing was sent."
)
HOLDER = "a program that uses batcher as a library"


@contextlib.asynccontextmanager
async def create(
    specs: Iterable[Spec | Mapping[str, Any]] | AsyncIterable[Spec | Mapping[str, Any]],
    client: Client,
    *,
    rate: str | Rate | None = OMNI_RATE,
    concurrency: int = 8,
    journal: str | Path | None,
    max_attempts: int = 5,
    shared_pace: bool = True,
    settings: Sending | None = None,
    tell_before: bool = False,
    on_warning: Callable[[str], None] | None = None,
) -> AsyncIterator[Outcomes]:
    """Create every spec that is not created yet; the outcomes come as they happen.

    Args:
        specs: `Spec`s (from `read_specs`) or mappings with the API's fields (and `key`, if wanted). None and NaN are
            absent, and a `uuid.UUID` is its text. An invalid one becomes a `Failed` with reason `invalid` and is not sent.
        client: an open `Client`.
        rate: requests for each key, as in `"60/min"`; None for unlimited.
        concurrency: requests in flight at most.
        journal: `x.journal.jsonl`; `x.results.jsonl` and `x.failures.jsonl` lie beside it. None: nothing is kept, and
            never twice holds within this process only; it takes filled-in identifiers.
        max_attempts: POSTs for one spec at most.
        shared_pace: the vendor counts per key, so the rate holds over all batcher runs of this user on this machine,
            programs and command line alike. They meet where the environment's `BATCHER_STATE_DIR` says, else in the
            user's state directory. False: this block counts for itself, and nothing is kept there.
        settings: everything else; `rate`, `concurrency`, `max_attempts` and `shared_pace` above are then ignored.
        tell_before: what earlier blocks and runs created comes, too, as `Created` with `how="before"`.
        on_warning: is told what a person should know. What it raises ends the block as an exception in it does.

    Leaving the block drains as the first Ctrl-C does; then an exception of the block comes out of it as it is, and so
    does one of `specs`. Raises TypeError and ValueError for arguments that can't be, UsageError if the files belong to
    something else or cannot be made, Locked if another run holds them, and DiskTrouble at the end if they could not be
    put in order.
    """
    _expect(specs, client, journal, on_warning)
    expect("tell_before", tell_before, bool)
    settings = sending_of(settings, rate, concurrency, max_attempts, shared_pace=shared_pace)
    if journal is None and not settings.fill_identifiers:
        raise UsageError(_NEITHER)
    drain = Drain()
    outcomes = Outcomes(drain)
    warn = outcomes.careful(on_warning or ignore)
    shared = shared_pace_of(settings, os.environ, warn)
    runtime = Runtime(transport=client.transport, shared_pace=shared)
    async with (
        _in_words_of_programs(),
        _placed(journal) as files,
        _open(client, settings, files, runtime, outcomes, drain, warn, tells_before=tell_before) as opened,
    ):
        batch, ledger, intake = opened
        async with anyio.create_task_group() as group:
            group.start_soon(_work, batch, intake.sent(specs), outcomes)
            try:
                yield outcomes
            except Exception as error:  # noqa: BLE001 - comes out below as it is, not wrapped up by the groups around it
                outcomes.trouble = error
            finally:
                drain.start(End.CLOSED)
        if journal is not None:
            try:
                with anyio.CancelScope(shield=True):
                    await ledger.sync()
                    await ledger.rewrite_failures()
            except DiskTrouble as trouble:
                if outcomes.trouble is not None:  # what comes out of the block is another exception
                    warn(str(trouble))
                outcomes.trouble = outcomes.trouble or trouble
    if outcomes.trouble is not None:
        raise error_without_flags(outcomes.trouble)


def _expect(specs: object, client: object, journal: object, on_warning: object) -> None:
    expect("client", client, Client)
    expect("journal", journal, str, Path, None)
    expect("on_warning", on_warning, Callable, None)  # type: ignore[arg-type] # isinstance takes it
    if isinstance(specs, str | bytes | Mapping | Spec) or not isinstance(specs, Iterable | AsyncIterable):
        raise TypeError(f"specs must be an iterable of specs, such as a list, not {type(specs).__name__}")


@contextlib.asynccontextmanager
async def _in_words_of_programs() -> AsyncIterator[None]:
    with errors_without_flags():
        yield


@contextlib.asynccontextmanager
async def _open(
    client: Client,
    settings: Sending,
    given: Files,
    runtime: Runtime,
    outcomes: Outcomes,
    drain: Drain,
    warn: Callable[[str], None],
    *,
    tells_before: bool,
) -> AsyncIterator[tuple[Batch, Ledger, Intake]]:
    """Everything that a batch holds open."""
    endpoint = Endpoint(base_url=client.base_url, keys=client.keys)
    held = lock(given, runtime.storage, HOLDER, "Make that directory, or name another journal; nothing was sent.")
    with held, in_lines(runtime.storage, given, warn, keeps=True) as files:
        past = await settled_past(endpoint, settings, files, drain, runtime, warn)
        async with open_run(endpoint, settings, past, Form(), files, drain, runtime, warn) as (requester, ledger):

            def report_again(spec: Spec) -> None:
                failure = ledger.failure_of(spec.key)
                if failure is not None:
                    batch.tally.count(failure)
                    outcomes.put(replace(failure, source=spec.source, line=spec.line))

            batch = Batch(requester, ledger, settings, drain, outcomes.put, runtime, outcomes.room, report_again)
            outcomes.tally = batch.tally
            api_keys = frozenset(key.secret for key in client.keys)
            intake = Intake(past, ledger, outcomes, batch, runtime, files, settings, api_keys)
            if not (tells_before or past.journaled.steps.due):
                yield batch, ledger, intake
                return
            with open_documents(runtime.storage, files.results, past.journaled.undone) as document_of:
                batch.identifier_of = identifiers_of(document_of)
                if tells_before:
                    intake.document_of = document_of
                yield batch, ledger, intake


async def _work(batch: Batch, specs: Iterator[Spec] | AsyncIterator[Spec], outcomes: Outcomes) -> None:
    try:
        await batch.send_all(specs)
    except* Exception as group:  # noqa: BLE001 - comes out of the block
        outcomes.trouble = _innermost(group)
    finally:
        outcomes.end()


def _innermost(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


@contextlib.asynccontextmanager
async def _placed(journal: str | Path | None) -> AsyncIterator[Files]:
    """The three files; without a journal they are in a directory that is gone after the block. Raises UsageError."""
    with contextlib.ExitStack() as stack:
        if journal is None:
            try:
                directory = stack.enter_context(TemporaryDirectory(prefix="batcher-", dir=temporary_place()))
            except OSError as error:
                raise UsageError(
                    f"cannot make a temporary directory ({error}); set TMPDIR, or name a journal"
                ) from error
            journal = Path(directory, "specs.journal.jsonl")
        journal = where_it_lies(Path(journal))
        stem = journal.name.removesuffix(".jsonl").removesuffix(".journal")
        results, failures = journal.with_name(f"{stem}.results.jsonl"), journal.with_name(f"{stem}.failures.jsonl")
        yield Files(journal=journal, results=earlier_or(results), failures=failures)
