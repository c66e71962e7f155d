"""`create`: the pipeline for programs that make their specs themselves (contract 12)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio

from ..config import OMNI_RATE, Files, Reading, Sending
from ..errors import DiskTrouble, Locked, UsageError
from ..files.disk import Storage
from ..files.failures import Form
from ..files.ledger import Ledger, open_ledger
from ..files.past import Past, RowState, read_past
from ..models import Problem, Row, Spec
from ..omni.fields import KEY
from ..omni.v1 import V1
from ..pace.gate import Gate
from ..pace.rate import Rate
from ..plan.lost_journal import Forgotten
from ..runtime import Runtime, shared_pace_of
from ..send.batch import Batch
from ..send.drain import Drain, End
from ..send.requester import Requester
from ..send.unsent import invalid_outcome
from ..transport.client import Client
from ..validate.check import Checked, InvalidRow, ValidRow, check_row
from ..validate.claims import UNPLACED, Claims, Places, holding
from ..validate.validate import Validator
from .outcome_stream import Outcomes

_DONE = (RowState.CREATED, RowState.CHANGED, RowState.UNDONE)


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
    on_warning: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[Outcomes]:
    """Create every spec that is not created yet; the outcomes come as they happen.

    Args:
        specs: `Spec`s (from `read_specs`) or mappings with the API's fields (and `key`, if wanted). An invalid one
            becomes a `Failed` with reason `invalid` and is not sent.
        client: an open `Client`.
        rate: requests for each key, as in `"60/min"`; None for unlimited.
        concurrency: requests in flight at most.
        journal: `x.journal.jsonl`; `x.results.jsonl` and `x.failures.jsonl` lie beside it. None: nothing is kept, and
            never twice holds within this process only.
        max_attempts: POSTs for one spec at most.
        shared_pace: the vendor counts per key, so the rate holds over all batcher runs of this user on this machine,
            programs and command line alike. They meet where the environment's `BATCHER_STATE_DIR` says, else in the
            user's state directory. False: this block counts for itself, and nothing is kept there.
        settings: everything else; `rate`, `concurrency`, `max_attempts` and `shared_pace` above are then ignored.
        on_warning: is told what a person should know.

    Leaving the block drains as the first ctrl-C does; then an exception of the block comes out of it as it is, and so
    does one of `specs`. Raises UsageError if the files belong to something else or cannot be made, Locked if another
    run holds them, and DiskTrouble at the end if they could not be put in order.
    """
    if settings is None:
        pace = Rate.parse(rate) if isinstance(rate, str) else rate
        settings = Sending(rate=pace, concurrency=concurrency, max_attempts=max_attempts, shared_pace=shared_pace)
    shared = shared_pace_of(settings, os.environ, on_warning)
    runtime = Runtime(shared_pace=shared)
    drain = Drain()
    outcomes = Outcomes(drain)
    async with (
        _placed(journal) as files,
        _open(client, settings, files, runtime, outcomes, drain, on_warning) as (batch, ledger, intake),
    ):
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
                    on_warning(str(trouble))
                outcomes.trouble = outcomes.trouble or trouble
    if outcomes.trouble is not None:
        raise outcomes.trouble


@contextlib.asynccontextmanager
async def _open(
    client: Client,
    settings: Sending,
    files: Files,
    runtime: Runtime,
    outcomes: Outcomes,
    drain: Drain,
    warn: Callable[[str], None],
) -> AsyncIterator[tuple[Batch, Ledger, _Intake]]:
    """Everything that a batch holds open."""
    async with contextlib.AsyncExitStack() as stack:
        _lock(stack, runtime.storage, files.journal)
        past = read_past(runtime.storage, files, client.base_url, settings.namespace)
        ledger = await stack.enter_async_context(
            open_ledger(
                runtime.storage,
                files,
                past,
                run=runtime.run_id,
                now=runtime.now,
                form=Form(),
                base_url=client.base_url,
                namespace=settings.namespace,
                fsync_ms=settings.fsync_ms,
                on_trouble=lambda trouble: drain.start(End.STOPPED, str(trouble)),
            )
        )
        gate = await stack.enter_async_context(Gate(client.keys, settings.rate, shared=runtime.shared_pace))
        give_up = settings.give_up_after_seconds
        requester = Requester(
            V1(client.base_url),
            client.transport,
            gate,
            drain,
            give_up_after_seconds=give_up,
            warn=warn,
            now=runtime.now,
        )

        def tell_again(spec: Spec) -> None:
            said = ledger.failure_of(spec.key)
            if said is not None:
                batch.tally.count(said)
                outcomes.put(replace(said, source=spec.source, line=spec.line))

        batch = Batch(requester, ledger, settings, drain, outcomes.put, runtime, outcomes.room, tell_again)
        outcomes.tally = batch.tally
        yield batch, ledger, _Intake(past, ledger, outcomes, batch, runtime, files, settings)


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


class _Intake:
    """Mappings → specs with keys, those that are created already passed over, invalid ones booked as failed."""

    def __init__(
        self,
        past: Past,
        ledger: Ledger,
        outcomes: Outcomes,
        batch: Batch,
        runtime: Runtime,
        files: Files,
        settings: Sending,
    ) -> None:
        self._ledger = ledger
        self._past, self._outcomes, self._batch, self._runtime = past, outcomes, batch, runtime
        self._files, self._forgotten = files, Forgotten(past, settings, ledger.remember)
        self._recreate = settings.recreate_undone
        self._validator = Validator(Reading())
        self._checked = Checked(Claims(Places([Path("specs")])))
        self._number = 0

    def sent(self, specs: Iterable[Any] | AsyncIterable[Any]) -> Iterator[Spec] | AsyncIterator[Spec]:
        """The specs to send, synchronous or not as they came."""
        return self._each_later(specs) if isinstance(specs, AsyncIterable) else self._each(specs)

    def _each(self, specs: Iterable[Any]) -> Iterator[Spec]:
        for given in specs:
            if (spec := self._spec(given)) is not None:
                yield spec

    async def _each_later(self, specs: AsyncIterable[Any]) -> AsyncIterator[Spec]:
        async for given in specs:
            if (spec := self._spec(given)) is not None:
                yield spec

    def _spec(self, given: Spec | Mapping[str, Any]) -> Spec | None:
        """The spec to send; None if there is nothing to send."""
        if not isinstance(given, Spec):
            self._number += 1
            row = Row("specs", self._number, dict(given))
            match check_row(row, self._checked, self._validator):
                case InvalidRow(row, key, problems):
                    self._refuse(row, key, problems)
                    return None
                case ValidRow() as valid:
                    given = valid.spec()
        elif not self._is_first(given):
            return None
        state = self._past.state(given.key, lambda: given.spec_hash, recreate=self._recreate)
        if state in _DONE:
            self._outcomes.skipped += 1
            return None
        self._forgotten.see(given, given.row.unclear_attempt, state)
        if (refusal := self._forgotten.refusal(self._files)) is not None:
            raise UsageError(refusal)
        return given

    def _is_first(self, spec: Spec) -> bool:
        """Whether no spec so far has its key or its identifier; else it is refused, as `check` refuses such a row."""
        claims = self._checked.claims
        if claims.claim(spec.key, spec.identifier, UNPLACED) is not None:
            return True
        is_key = spec.key in claims.keys
        taken = spec.key if is_key else holding(spec.identifier or "")
        problem = claims.clash(spec.row, taken, KEY if is_key else "identifier")
        # a key that no row has: `~2` alone may be another spec's, the second row of this name
        self._refuse(spec.row, claims.another(f"{spec.key}~", UNPLACED), [problem])
        return False

    def _refuse(self, row: Row, key: str, problems: Sequence[Problem]) -> None:
        self._batch.book(invalid_outcome(row, key, problems, self._runtime, self._ledger.unclear(key)))


@contextlib.asynccontextmanager
async def _placed(journal: str | Path | None) -> AsyncIterator[Files]:
    """The three files; without a journal they are in a directory that is gone after the block. Raises UsageError."""
    with contextlib.ExitStack() as stack:
        if journal is None:
            try:
                directory = stack.enter_context(TemporaryDirectory(prefix="batcher-"))
            except OSError as error:
                raise UsageError(
                    f"cannot make a temporary directory ({error}); set TMPDIR, or name a journal"
                ) from error
            journal = Path(directory, "specs.journal.jsonl")
        journal = Path(journal)
        stem = journal.name.removesuffix(".jsonl").removesuffix(".journal")
        results, failures = journal.with_name(f"{stem}.results.jsonl"), journal.with_name(f"{stem}.failures.jsonl")
        yield Files(journal=journal, results=results, failures=failures)


def _lock(stack: contextlib.AsyncExitStack, storage: Storage, journal: Path) -> None:
    try:
        stack.enter_context(storage.lock(journal, b"a program that uses batcher as a library"))
    except BlockingIOError as error:
        raise Locked(f"{journal} is in use by {error}. Wait for it to end; nothing was sent.") from None
    except OSError as error:
        raise UsageError(
            f"{journal}: cannot be written there ({error.strerror}). Make that directory, or name another journal; "
            "nothing was sent."
        ) from error
