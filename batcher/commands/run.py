"""The run, from files to files:

    lock ─ read the past ─ check every row ─ plan ─┬─ nothing to do, or invalid rows: the end
                                                   └─ open ─ preflight ─ settle what is unclear ─ send new rows
                                                      ─ send what failed before ─ rewrite failures ─ count ─ the end

`survey` reads the inputs once before the first request; `Batch` pulls them a second time, row by row. `summarise` counts.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator
from dataclasses import replace

import anyio

from ..config import RunSettings
from ..errors import DiskTrouble, Stopped, UsageError
from ..files.failures_file import FailureCounts
from ..files.ledger import Ledger, open_ledger
from ..files.lock import lock
from ..files.past import RowState
from ..plan.repair_input import is_fed_back, open_tidied, tidy_input
from ..plan.survey import Survey, keep_edited, survey
from ..read.sources import open_inputs
from ..report.observers import Observer
from ..report.plan import Plan
from ..report.summary import Summary
from ..runtime import Runtime
from ..send.absent_rows import left_open, settle_orphan
from ..send.batch import Batch
from ..send.connect import open_requester
from ..send.drain import Drain, End
from ..send.edits import book_mended
from ..send.invalid import book_invalid
from ..send.preflight import budget_of, preflight
from ..send.read_ahead import read_ahead
from ..send.requester import Requester
from .summarise import rows_without_outcome, summarise


async def run(settings: RunSettings, *, observer: Observer, drain: Drain, runtime: Runtime | None = None) -> Summary:
    """Create every document that is not created yet; see the module's picture.

    Raises UsageError (nothing was sent), InvalidInput (nothing was sent or written), Locked; everything later is told
    by the summary.
    """
    runtime = runtime or Runtime()
    with lock(settings.files, runtime.storage, runtime.holder), contextlib.ExitStack() as stack:
        tidy_input(settings, runtime)
        sources = stack.enter_context(open_inputs(settings.inputs, sys.stdin.buffer))
        found = survey(settings, sources, runtime, observer)
        if found.refusal is not None:
            raise UsageError(found.refusal)
        if not found.has_work:
            return summarise(settings, runtime, found, drain)
        if not settings.endpoint.keys and (found.plan.sending or found.orphans):
            raise UsageError(settings.endpoint.no_key_hint)
        keep_edited(settings, runtime, found)
        return await _send(settings, found, observer, drain, runtime)


def status(settings: RunSettings, *, observer: Observer, runtime: Runtime | None = None) -> Plan:
    """What a run would find; reads only. Raises UsageError."""
    runtime = runtime or Runtime()
    with open_tidied(settings, runtime, sys.stdin.buffer) as sources:
        found = survey(replace(settings, skip_invalid=True), sources, runtime, observer)
    if found.refusal is not None:
        observer.warning(found.refusal)
    return found.plan


async def _send(settings: RunSettings, found: Survey, observer: Observer, drain: Drain, runtime: Runtime) -> Summary:
    async with _open(settings, found, observer, drain, runtime) as (requester, ledger):
        batch = Batch(requester, ledger, settings.sending, drain, observer.outcome, runtime.random)
        observer.planned(found.plan)
        with observer.working(found.plan.sending, requester):
            try:
                book_invalid(settings, runtime, found, ledger)
                book_mended(settings, runtime, found, ledger)
                if found.plan.sending or found.orphans:
                    await _send_all(settings, found, requester, ledger, batch, drain)
            except Stopped as stopped:
                drain.start(End.STOPPED, str(stopped))
        held = await _close_files(ledger, found, requester, batch if is_fed_back(settings) else None)
    requests, histories = requester.requests, ledger.histories
    return summarise(settings, runtime, found, drain, batch=batch, held=held, requests=requests, histories=histories)


async def _send_all(
    settings: RunSettings, found: Survey, requester: Requester, ledger: Ledger, batch: Batch, drain: Drain
) -> None:
    """Everything that asks the server, in the order of the module's picture."""
    if settings.preflight:
        keys = len(settings.endpoint.keys)
        await preflight(requester, found.asked, budget=budget_of(found.plan.sending), keys=keys)
    await _settle_orphans(requester, ledger, batch, found, drain)
    for state in (RowState.UNCERTAIN, RowState.NEW, RowState.FAILED):
        await _send_pass(state, settings, found, ledger, batch)


async def _send_pass(state: RowState, settings: RunSettings, found: Survey, ledger: Ledger, batch: Batch) -> None:
    """The rows of one standing, in the order of the inputs; no reading if there are none."""
    if found.count(state) == 0:
        return
    with contextlib.closing(found.specs(settings, state)) as specs:
        async with read_ahead(specs, ledger.journal, settings.sending.concurrency) as ahead:
            found.booked[state] = await batch.send_all(ahead, failed_before=state is RowState.FAILED)


async def _settle_orphans(requester: Requester, ledger: Ledger, batch: Batch, found: Survey, drain: Drain) -> None:
    with drain.waits():
        for key in found.orphans:
            outcome = await settle_orphan(key, requester, ledger, batch.sender.reconciler)
            if outcome is not None:
                ledger.book(outcome)


async def _close_files(
    ledger: Ledger, found: Survey, requester: Requester, fed_back: Batch | None
) -> FailureCounts | None:
    """Bring the failures file up to date; None if the disk does not let us.

    One that is the input is left as it is while some of its rows have not been tried: it may be all there is of them.
    """
    held = None
    with anyio.CancelScope(shield=True):
        try:
            for progress in left_open(ledger):
                ledger.book(progress.uncertain(ledger.run, requester.now()))
            await ledger.sync()
            counted = ledger.count_failures(found.is_input)
            if fed_back is None or rows_without_outcome(found, fed_back.tally, counted) == 0:
                counted = await ledger.rewrite_failures(found.is_input)
            held = counted
        except DiskTrouble as trouble:
            requester.stop(str(trouble))
    return held


@contextlib.asynccontextmanager
async def _open(
    settings: RunSettings, found: Survey, observer: Observer, drain: Drain, runtime: Runtime
) -> AsyncIterator[tuple[Requester, Ledger]]:
    """Everything that a run holds open."""
    sending = settings.sending
    async with (
        open_requester(settings.endpoint, sending, settings.files, drain, runtime, observer.warning) as requester,
        open_ledger(
            runtime.storage,
            settings.files,
            found.past,
            run=runtime.run_id,
            now=runtime.now,
            form=found.form,
            base_url=found.base_url,
            namespace=sending.namespace,
            fsync_ms=sending.fsync_ms,
            on_trouble=lambda trouble: drain.start(End.STOPPED, str(trouble)),
            appends_failures=not is_fed_back(settings),
        ) as ledger,
    ):
        for key, identifier in found.identifiers.items():
            ledger.remember(key, identifier)
        yield requester, ledger
