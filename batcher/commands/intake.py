"""What a program gives to `create` → specs to send: checked, with keys; what is created already is passed over."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..config import Files, Reading, Sending
from ..errors import UsageError
from ..files.ledger import Ledger
from ..files.past import Past, RowState
from ..files.results_index import DocumentOf
from ..models import How, Problem, Row, Spec, stamp
from ..omni.fields import KEY
from ..plan.missing_journal import is_unknown, put_it_back
from ..runtime import Runtime
from ..send.batch import Batch
from ..send.before_sending import invalid_outcome
from ..validate.check import Checked, check_row
from ..validate.checked_rows import InvalidRow, ValidRow
from ..validate.claims import UNPLACED, Claims, Places, holding
from ..validate.validate import Validator
from .given_spec import SOURCE, row_of
from .outcome_stream import Outcomes
from .unfinished_rows import ask_anew

_DONE = (RowState.CREATED, RowState.CHANGED, RowState.UNDONE)


class Intake:
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
        api_keys: frozenset[str],
    ) -> None:
        self._ledger = ledger
        self._past, self._outcomes, self._batch, self._runtime = past, outcomes, batch, runtime
        self._files = files
        self._recreate = settings.recreate_undone
        self._validator = Validator(Reading(api=settings.api, api_keys=api_keys))
        self._checked = Checked(Claims(Places([Path(SOURCE)]), same_rows=past.journaled.same_rows, is_filed=past.knows))
        self._number = 0
        self.document_of: DocumentOf = lambda _: None  # what was created before, for those who ask for it

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
            match check_row(row_of(given, self._number), self._checked, self._validator):
                case InvalidRow(row, key, problems):
                    self._refuse(row, key, problems)
                    return None
                case ValidRow() as valid:
                    given = valid.spec()
        else:
            claimed = self._claim(given)
            if claimed is None:
                return None
            given = given._replace(key=claimed)
        state = self._past.state(given.key, lambda: given.spec_hash, recreate=self._recreate)
        if state in _DONE:
            self._outcomes.skipped += 1
            if (created := self.document_of(given.key)) is not None:
                self._outcomes.put(created._replace(source=given.source, line=given.line, how=How.BEFORE))
            return None
        if state is RowState.UNFINISHED and not ask_anew(given, self._ledger, stamp(self._runtime.now())):
            self._outcomes.skipped += 1
            return None
        if given.row.is_uncertain and state is RowState.NEW and is_unknown(self._past, given.key):
            raise UsageError(put_it_back(self._files, given.place))
        return given

    def _claim(self, spec: Spec) -> str | None:
        """The key under which the files have it; None if an earlier spec has it, or its identifier: then it's refused."""
        claims = self._checked.claims
        key = claims.claim(spec.key, spec.identifier, UNPLACED, is_filed=spec.row.is_fed_back)
        if key is None:
            is_key = claims.holder(spec.key) is not None
            taken = spec.key if is_key else holding(spec.identifier or "")
            problem = claims.clash(spec.row, taken, KEY if is_key else "identifier")
            # a key that no row has: `~2` alone may be another spec's, the second row of this name
            self._refuse(spec.row, claims.another(f"{spec.key}~", UNPLACED), [problem])
        return key

    def _refuse(self, row: Row, key: str, problems: Sequence[Problem]) -> None:
        self._batch.book(invalid_outcome(row, key, problems, self._runtime, self._ledger.unclear(key)))
