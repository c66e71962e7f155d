"""Verify: read created documents back and compare them with what was sent (contract 3).

    read the past ─┬─ check every row ──┬─ what was sent for each created row ─ GET its document ─ what differs
                   └─ or a results file ┘

Of a row that has changed since, and of a results file's rows, the journal says what was sent. What was sent and does
not come back proves nothing and is a detail; what the server adds is ignored. Rows that are not created are only
counted. Of each row fingerprints are kept, and of its lines in results and journal the places in the files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from time import perf_counter

from ..compact_map import Fingerprints
from ..config import RunSettings
from ..errors import UsageError
from ..files.earlier_results import in_lines
from ..files.past import Past, RowState, read_past
from ..files.results_index import open_documents
from ..files.spool import Spool
from ..plan.shared_names import SharedNames
from ..report.observers import Observer
from ..runtime import Runtime
from ..send.connect import open_requester
from ..send.drain import Drain, End
from ..send.workers import WorkerPool
from ..validate.check import Checked, check
from ..validate.checked_rows import ValidRow
from .comparison import Comparison
from .sent_documents import SentBodies, SentDocument, of_results, sampled
from .verified import Verified


async def verify(
    settings: RunSettings,
    *,
    observer: Observer,
    sample: int | None = None,
    drain: Drain | None = None,
    runtime: Runtime | None = None,
) -> Verified:
    """Compare created documents, or a `sample` of so many of them, with what was sent for them. Writes nothing.

    Without inputs it's about the rows of the results file. Raises UsageError before anything is asked; everything
    later is told by what it returns.
    """
    runtime, drain = runtime or Runtime(), drain or Drain()
    begun = perf_counter()
    base_url = "sandbox" if settings.endpoint.sandbox else settings.endpoint.base_url
    with ExitStack() as stack:
        files = stack.enter_context(in_lines(runtime.storage, settings.files, observer.warning, keeps=False))
        settings = replace(settings, files=files)
        past = read_past(runtime.storage, files, base_url, settings.sending.namespace)
        rows = Spool[SentDocument](runtime.storage, settings.files.found, stack)
        read = _read_rows if settings.inputs else _read_results
        verified, changed = read(settings, past, rows, runtime, stack)
        verified.base_url = base_url
        verified.sample = None if sample is None else min(sample, verified.created)
        if verified.created:
            if not settings.endpoint.keys:
                raise UsageError(settings.endpoint.no_key_hint)
            await _compare_all(settings, past, verified, rows, changed, observer, drain, runtime)
    verified.elapsed_seconds = perf_counter() - begun
    verified.stopped = str(drain.stopped) if drain.stopped else None
    verified.stopped_reason = drain.stop_reason
    verified.interrupted = End.INTERRUPTED in drain.ends
    return verified


_Wanted = Callable[[str], bool] | None  # whether only the journal says what was sent for a key; None: for no key


def _read_rows(
    settings: RunSettings, past: Past, rows: Spool[SentDocument], runtime: Runtime, stack: ExitStack
) -> tuple[Verified, _Wanted]:
    """Check every row of the inputs and count; created ones are spooled. Raises UsageError."""
    sources = stack.enter_context(runtime.open_inputs(settings.inputs, settings.files.found.parent))
    states = _RowStates(past, rows)
    check_all = partial(check, sources, settings.reading, same_rows=past.journaled.same_rows, is_filed=past.knows)
    checked = check_all(on_problem=lambda _: None, on_row=states.see)
    if states.shared.bases:
        shared = states.shared.keys(sources, settings.reading, runtime.storage, settings.files)
        rows.clear()
        states = _RowStates(past, rows)
        checked = check_all(on_problem=lambda _: None, on_row=states.see, shared=shared)
    rows.seal()
    return _counted(checked, states), states.changed.__contains__ if len(states.changed) else None


def _read_results(
    settings: RunSettings, past: Past, rows: Spool[SentDocument], runtime: Runtime, _: ExitStack
) -> tuple[Verified, _Wanted]:
    """Count and spool the rows of the results file. Raises UsageError."""
    results, undone = settings.files.results, past.journaled.undone
    with open_documents(runtime.storage, results, undone) as document_of:
        for document in of_results(runtime.storage, results, document_of):
            rows.add(document)
    rows.seal()
    gone = sum(history.is_undone for history in past.journaled.histories.values())
    return Verified(rows=len(rows) + gone, undone=gone, created=len(rows)), lambda _: True


@dataclass(slots=True)
class _RowStates:
    """Where rows stand, counted; created ones are spooled. Nothing is sent, so an undone row is not created anew."""

    past: Past
    created: Spool[SentDocument]
    counts: dict[RowState, int] = field(default_factory=dict)
    changed: Fingerprints = field(default_factory=Fingerprints)
    shared: SharedNames = field(init=False)

    def __post_init__(self) -> None:
        self.shared = SharedNames(self.past)

    def see(self, row: ValidRow) -> None:
        state = self.past.state(row.key, row.spec_hash)
        self.counts[state] = self.counts.get(state, 0) + 1
        if state is not RowState.CREATED:
            self.shared.see(row)
        if state is RowState.CREATED:
            spec = row.spec()
            self.created.add(SentDocument(spec.key, spec.source, spec.line, spec.body, spec.placement))
        elif state in (RowState.CHANGED, RowState.UNFINISHED):
            spec = row.spec()
            self.created.add(SentDocument(spec.key, spec.source, spec.line, placement=spec.placement))
            self.changed.add(spec.key, 1)


def _counted(checked: Checked, states: _RowStates) -> Verified:
    unchanged, unfinished, changed, undone = (
        states.counts.get(state, 0)
        for state in (RowState.CREATED, RowState.UNFINISHED, RowState.CHANGED, RowState.UNDONE)
    )
    created = unchanged + unfinished + changed
    return Verified(
        rows=checked.rows,
        invalid=checked.invalid,
        undone=undone,
        created=created,
        changed=changed,
        not_created=checked.valid - created - undone,
    )


async def _compare_all(
    settings: RunSettings,
    past: Past,
    verified: Verified,
    rows: Spool[SentDocument],
    is_wanted: _Wanted,
    observer: Observer,
    drain: Drain,
    runtime: Runtime,
) -> None:
    files, sending = settings.files, settings.sending
    bodies = SentBodies(runtime.storage, files.journal, past, is_wanted)
    documents: Iterator[SentDocument] = iter(rows)
    if verified.sample is not None:
        documents = sampled(documents, verified.created, verified.sample, runtime.random)
    pool = WorkerPool(sending.concurrency, runtime.random)
    with open_documents(runtime.storage, files.results, past.journaled.undone) as document_of:
        async with open_requester(
            settings.endpoint, sending, files, drain, runtime, observer.warning, keeps=False
        ) as requester:
            comparison = Comparison(
                requester, pool, sending.max_attempts, verified, observer, documents, document_of, bodies
            )
            with observer.working(verified.chosen, requester), drain.waits():
                await pool.work(comparison.step)
            verified.requests = requester.requests
