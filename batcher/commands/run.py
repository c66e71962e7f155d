"""The run, from files to files. `cli/run.py` reads the options and turns the summary into an exit code; here is the work:

    lock ─ survey ─┬─ a problem in any row (without --skip-invalid): the end, nothing sent or written
                   ├─ nothing to do: count, the end
                   └─ open ─ book what needs no request ─ preflight ─ find or make folders and labels
                      ─ settle what is unclear ─ finish created rows that lack steps ─ send new rows, each with
                      its steps ─ send what failed before ─ bring the failures file up to date ─ count, the end

| stage | where |
|---|---|
| lock: no other run on these files | `files/lock.py` |
| before survey: what an undo that was cut off left open is looked up | `commands/cut_undo.py` |
| survey: the past, every row checked once, what is to be sent spooled | `plan/survey.py`, `files/past.py`, `read/`, `validate/` |
| open: connection, pace and the three files (results, failures, journal) | `send/connect.py` |
| book: write down the outcome of rows that need no request, as invalid ones | `send/before_sending.py` |
| preflight: are the API keys good, do the models exist? | `send/preflight.py` |
| folders and labels that rows ask for: found, or made | `commands/placing.py`, `send/places.py`, `send/make_places.py` |
| steps: what follows a create, moving into a folder and labels | `commands/unfinished_rows.py`, `send/finish_step.py` |
| one row: attempts, retries and what its answers mean | `send/sender.py`, `send/create_step.py`, `omni/` |
| what an unclear attempt did | `send/reconcile.py`, `send/settle_rules.py` |
| rows with an unclear attempt that the inputs no longer hold | `send/absent_rows.py` |
| count: one count by row state, checked against the rows read | `commands/summarise.py` |
"""

from __future__ import annotations

import contextlib
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import anyio

from ..config import Files, RunSettings
from ..errors import DiskTrouble, Stopped, UsageError
from ..files.disk import Storage
from ..files.earlier_results import in_lines
from ..files.ledger import Ledger
from ..files.lock import lock
from ..files.past import RowState
from ..files.trouble import on_disk
from ..models import Spec, stamp
from ..plan.content_messages import warn_of_kept
from ..plan.failures_input import as_journaled, is_fed_back
from ..plan.rows_file import write_rows
from ..plan.seen_rows import SENT, SpooledRows, open_spools
from ..plan.survey import Survey, keep_edited, survey
from ..report.observers import Observer
from ..report.summary import Summary
from ..runtime import Runtime
from ..send.absent_rows import left_open, settle_absent
from ..send.batch import Batch
from ..send.before_sending import book_edits, book_invalid
from ..send.connect import open_run
from ..send.drain import Drain
from ..send.preflight import budget_of, preflight
from ..send.requester import Requester
from .cut_undo import past_of, settled_past
from .placing import Placing
from .same_rows import survey_again, write_same
from .show_sheet import show
from .summarise import count_without, rows_left, summarise
from .unfinished_rows import UnfinishedRows
from .unknown_models import leave_out

_MOST_ROUNDS = 5  # of giving rows their earlier keys, each of which may show one more


async def run(settings: RunSettings, *, observer: Observer, drain: Drain, runtime: Runtime | None = None) -> Summary:
    """Create every document that is not created yet; see the module's picture.

    Raises UsageError (nothing was sent), InvalidInput (nothing was sent or written), Locked; everything later is told
    by the summary.
    """
    runtime = runtime or Runtime()
    with lock(settings.files, runtime.storage, runtime.holder), contextlib.ExitStack() as stack:
        files = stack.enter_context(in_lines(runtime.storage, settings.files, observer.warning, keeps=True))
        settings = replace(settings, files=files)
        sources = stack.enter_context(runtime.open_inputs(settings.inputs, settings.files.results.parent))
        spooled = stack.enter_context(open_spools(runtime.storage, settings.files))
        started, begun = stamp(runtime.now()), runtime.timer()
        past = await settled_past(settings.endpoint, settings.sending, settings.files, drain, runtime, observer.warning)
        sources = stack.enter_context(as_journaled(settings, sources, runtime.storage, past))
        surveyed = survey(settings, sources, runtime, observer, past, spooled)
        for _ in range(_MOST_ROUNDS):
            if not await write_same(surveyed.same, past, settings.files, runtime):
                break
            warn_of_kept(surveyed.same, observer)
            if surveyed.refusal is not None:
                break
            spooled.clear()
            past = past_of(settings.endpoint, settings.sending, settings.files, runtime)
            surveyed = survey_again(settings, sources, runtime, observer, past, spooled)
        if surveyed.refusal is not None:
            write_rows(settings.rows_to, surveyed.same.unanswered)
            raise UsageError(surveyed.refusal)
        for warning in surveyed.warnings:
            observer.warning(warning)
        surveyed = replace(surveyed, started=started, begun=begun)
        if not surveyed.has_work:
            await _make_durable(runtime.storage, settings.files, drain)
            show(settings.files, runtime, past, spooled, past.journaled.reported, drain)
            return summarise(settings, runtime, surveyed, spooled, drain)
        if not settings.endpoint.keys and surveyed.has_requests:
            raise UsageError(settings.endpoint.no_key_hint)
        return await _Run(settings, runtime, surveyed, spooled, observer, drain).live()


async def _make_durable(storage: Storage, files: Files, drain: Drain) -> None:
    """What is about to be reported may be lines of a run whose last fsync failed: then it isn't on disk yet."""
    try:
        for path in (files.results, files.journal):
            if storage.size(path):
                with on_disk(path, "fsync"), storage.append(path) as file:
                    await file.sync()
    except DiskTrouble as trouble:
        drain.stop(str(trouble), trouble.stop_reason)


@dataclass(frozen=True, slots=True)
class _Run:
    """A run that has something to do."""

    settings: RunSettings
    runtime: Runtime
    survey: Survey
    spooled: SpooledRows
    observer: Observer
    drain: Drain

    async def live(self) -> Summary:
        """Send, settle, and bring the files up to date."""
        kept = keep_edited(self.settings, self.runtime, self.survey)
        async with self._open() as (requester, ledger):

            def tell_waiting(spec: Spec) -> None:
                if (failure := ledger.failure_of(spec.key)) is not None:
                    self.observer.unsent(failure)

            def tell_finished(spec: Spec) -> None:
                self.observer.done(f"{spec.place}: no step left to try")

            told, on_waiting, on_finished = self.observer.outcome, tell_waiting, tell_finished
            sending, drain, runtime = self.settings.sending, self.drain, self.runtime
            batch = Batch(
                requester, ledger, sending, drain, told, runtime, on_waiting=on_waiting, on_finished=on_finished
            )
            self.observer.planned(self.survey.plan)
            with self.observer.working(self.survey.plan.sending, requester):
                try:
                    await self._book_unsent(ledger)
                    if self.survey.has_requests:
                        await self._send_all(requester, ledger, batch)
                except Stopped as stopped:
                    self.drain.stop(str(stopped), stopped.stop_reason)
            kept = await self._close_files(ledger, requester, batch) or kept
            show(self.settings.files, self.runtime, self.survey.past, self.spooled, ledger.reported, self.drain)
        return summarise(
            self.settings,
            self.runtime,
            self.survey,
            self.spooled,
            self.drain,
            batch=batch,
            kept_failures=kept,
            requests=requester.requests,
        )

    async def _book_unsent(self, ledger: Ledger) -> None:
        await book_invalid(self.spooled.invalid, self.runtime, ledger, self.observer.unsent)
        if is_fed_back(self.settings) and self.survey.is_edited:
            for state in SENT:
                await book_edits(self.spooled.valid[state], ledger)

    async def _send_all(self, requester: Requester, ledger: Ledger, batch: Batch) -> None:
        """Everything that asks the server, in the order of the module's picture."""
        if self.settings.preflight:
            asked, limit = self.survey.asked, self.settings.sending.limit
            budget, keys = budget_of(asked, self.survey.plan.sending, limit), len(self.settings.endpoint.keys)
            found = await preflight(requester, asked, budget=budget, keys=keys, is_canary=limit is not None)
            leave_out(found.unknown, self.settings, self.spooled, self.runtime, ledger, self.observer)
        placing = Placing(self.settings, self.spooled, self.runtime, ledger, self.observer)
        if not await placing.place(self.survey.asked, batch.sender):
            return
        self._unfinished.ask_anew(ledger)
        with self.drain.waits():
            for key in self.survey.absent:
                await settle_absent(key, requester, ledger, batch.sender)
        for state in SENT:
            if self.spooled.valid[state] and state is RowState.UNFINISHED:
                await self._unfinished.finish(batch)
            elif self.spooled.valid[state]:
                await batch.send_all(iter(self.spooled.valid[state]), failed_before=state is RowState.FAILED)

    @property
    def _unfinished(self) -> UnfinishedRows:
        return UnfinishedRows(self.spooled, self.survey.past, self.settings.files, self.runtime)

    async def _close_files(self, ledger: Ledger, requester: Requester, batch: Batch) -> Path | None:
        """Bring the failures file up to date, if the disk lets us; the copy of one that somebody edited meanwhile.

        One that is the input is left as it is while some of its rows have not been tried: it may be all there is of them.
        """
        with anyio.CancelScope(shield=True):
            try:
                for progress in left_open(ledger):
                    ledger.book(progress.uncertain(ledger.run, requester.now()))
                self._unfinished.leave(batch, ledger)
                await ledger.sync()
                without = count_without(self.survey, self.spooled, ledger.histories)
                left = rows_left(self.survey, without, batch.tally) + self.survey.plan.undone
                if not left or not is_fed_back(self.settings):
                    return await ledger.rewrite_failures()
            except DiskTrouble as trouble:
                requester.stop(str(trouble), trouble.stop_reason)
        return None

    def _open(self) -> AbstractAsyncContextManager[tuple[Requester, Ledger]]:
        """Everything that a run holds open."""
        return open_run(
            self.settings.endpoint,
            self.settings.sending,
            self.survey.past,
            self.survey.form,
            self.settings.files,
            self.drain,
            self.runtime,
            self.observer.warning,
            appends_failures=not is_fed_back(self.settings),
        )
