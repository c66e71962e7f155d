"""Verify: read each created document back and compare it with what its row says now (contract 3).

    read the past ─ check every row ─ GET the document of each created row ─ what differs, one problem for each

What was sent and does not come back proves nothing and is a detail; what the server adds is ignored. Rows that are not
created are only counted. Of each row fingerprints are kept, and of its results line the place in the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter

import anyio

from ..config import RunSettings
from ..errors import Stopped, UsageError
from ..files.earlier_results import in_lines
from ..files.history import UndoneDocuments
from ..files.past import Past, RowState, read_past
from ..files.results_index import DocumentOf, open_documents
from ..files.spool import Spool, open_spool
from ..models import Problem, Spec
from ..omni.comparable import pair_of
from ..omni.verdicts import Absent, Document, There, Unknown
from ..pace.gate import KeysRefused
from ..plan.shared_names import SharedNames
from ..report.observers import Observer
from ..runtime import Runtime
from ..send.connect import open_requester
from ..send.drain import Drain, End
from ..send.look_up import read_back
from ..send.requester import Requester
from ..send.workers import WorkerPool
from ..validate.check import Checked, check
from ..validate.checked_rows import ValidRow
from .findings import findings
from .verified import Verified

_COMPARED = (RowState.CREATED, RowState.CHANGED)


async def verify(
    settings: RunSettings, *, observer: Observer, drain: Drain | None = None, runtime: Runtime | None = None
) -> Verified:
    """Compare every created document with its row. Writes nothing.

    Raises UsageError before anything is asked; everything later is told by what it returns.
    """
    runtime, drain = runtime or Runtime(), drain or Drain()
    begun = perf_counter()
    base_url = "sandbox" if settings.endpoint.sandbox else settings.endpoint.base_url
    verified = Verified(base_url)
    spool = open_spool(runtime.storage, settings.files.results, Spec)
    lines = in_lines(runtime.storage, settings.files, observer.warning, keeps=False)
    place = settings.files.results.parent
    with runtime.open_inputs(settings.inputs, place) as sources, spool as specs, lines as files:
        past = read_past(runtime.storage, files, base_url, settings.sending.namespace)
        states = _RowStates(past, specs)
        check_all = partial(check, sources, settings.reading, same_rows=past.journaled.same_rows, is_filed=past.knows)
        checked = check_all(on_problem=lambda _: None, on_row=states.see)
        if states.shared.bases:
            shared = states.shared.keys(sources, settings.reading, runtime.storage, settings.files)
            specs.clear()
            states = _RowStates(past, specs)
            checked = check_all(on_problem=lambda _: None, on_row=states.see, shared=shared)
        specs.seal()
        _count(verified, checked, states)
        if verified.created:
            if not settings.endpoint.keys:
                raise UsageError(settings.endpoint.no_key_hint)
            await _compare_all(
                settings, files.results, verified, past.journaled.undone, iter(specs), observer, drain, runtime
            )
    verified.elapsed_seconds = perf_counter() - begun
    verified.stopped = str(drain.stopped) if drain.stopped else None
    verified.stopped_reason = drain.stop_reason
    verified.interrupted = End.INTERRUPTED in drain.ends
    return verified


@dataclass(slots=True)
class _RowStates:
    """Where rows stand, counted; created ones are spooled. Nothing is sent, so an undone row is not created anew."""

    past: Past
    created: Spool[Spec]
    counts: dict[RowState, int] = field(default_factory=dict)
    shared: SharedNames = field(init=False)

    def __post_init__(self) -> None:
        self.shared = SharedNames(self.past)

    def see(self, row: ValidRow) -> None:
        state = self.past.state(row.key, row.spec_hash)
        self.counts[state] = self.counts.get(state, 0) + 1
        if state is not RowState.CREATED:
            self.shared.see(row)
        if state in _COMPARED:
            self.created.add(row.spec())


def _count(verified: Verified, checked: Checked, states: _RowStates) -> None:
    counts = states.counts
    verified.rows, verified.invalid = checked.rows, checked.invalid
    verified.undone = counts.get(RowState.UNDONE, 0)
    verified.created = sum(counts.get(state, 0) for state in _COMPARED)
    verified.changed = counts.get(RowState.CHANGED, 0)
    verified.not_created = checked.valid - verified.created - verified.undone


async def _compare_all(
    settings: RunSettings,
    results: Path,
    verified: Verified,
    undone: UndoneDocuments,
    specs: Iterator[Spec],
    observer: Observer,
    drain: Drain,
    runtime: Runtime,
) -> None:
    files, warn = settings.files, observer.warning
    with open_documents(runtime.storage, results, undone) as document_of:
        async with open_requester(
            settings.endpoint, settings.sending, files, drain, runtime, warn, keeps=False
        ) as requester:
            comparison = _Comparison(requester, settings, verified, observer, runtime, specs, document_of)
            with observer.working(verified.created, requester), drain.waits():
                await comparison.pool.work(comparison.step)
            verified.requests = requester.requests


class _Comparison:
    """The look-ups under way: a crew that pulls created rows in the order of the inputs."""

    def __init__(
        self,
        requester: Requester,
        settings: RunSettings,
        verified: Verified,
        observer: Observer,
        runtime: Runtime,
        specs: Iterator[Spec],
        document_of: DocumentOf,
    ) -> None:
        self.pool = WorkerPool(settings.sending.concurrency, runtime.random)
        self._requester = requester
        self._max_attempts = settings.sending.max_attempts
        self._verified = verified
        self._observer = observer
        self._specs = specs
        self._document_of = document_of

    async def step(self, _: anyio.CancelScope) -> bool:
        """One document; False if none is left, or the end has come."""
        try:
            spec = next(self._specs, None)
            created = None if spec is None else self._document_of(spec.key)
            if spec is None or created is None:
                return False
            identifier = created.identifier
            look = await read_back(self._requester, self.pool, spec.key, identifier, self._max_attempts)
        except KeysRefused:
            return False
        except (Stopped, UsageError) as error:
            self._requester.stop(str(error), error.stop_reason)
            return False
        match look:
            case There(document=None, status=status):
                self._report_unreadable(spec, identifier, f"exists, but cannot be read ({status})")
            case There(document=document) if document is not None:
                self._compare(spec, identifier, document)
            case Absent():
                self._verified.missing += 1
                self._problem(spec, "missing", f"there is no document {identifier}; it was deleted, or is in Trash")
            case Unknown(status=status, message=message):
                self._report_unreadable(spec, identifier, message if status is None else f"{status}: {message}")
            case _:
                return False
        return True

    def _compare(self, spec: Spec, identifier: str, document: Document) -> None:
        is_different = False
        for finding in findings(*pair_of(spec.body, document)):
            if finding.is_detail:
                self._observer.detail(_problem_of(spec, finding.kind, f"{identifier}: {finding.text}"))
            else:
                is_different = True
                self._problem(spec, finding.kind, f"{identifier} {finding.text}")
        if spec.identifier not in (None, identifier):
            is_different = True
            self._problem(spec, "identifier", f"{identifier} is the document's, the row says {spec.identifier}")
        if is_different:
            self._verified.different += 1
        else:
            self._verified.same += 1
            self._observer.done(f"{spec.place}: {identifier} matches its row")

    def _report_unreadable(self, spec: Spec, identifier: str, why: str) -> None:
        self._verified.unreadable += 1
        self._problem(spec, "unreadable", f"{identifier}: {why}")

    def _problem(self, spec: Spec, kind: str, text: str) -> None:
        self._observer.problem(_problem_of(spec, kind, text))


def _problem_of(spec: Spec, kind: str, text: str) -> Problem:
    return Problem(spec.source, spec.line, kind, text)
