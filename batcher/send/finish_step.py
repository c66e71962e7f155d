"""The steps that follow a create: a created document goes into its folder and gets its labels (contract 14).

    row: folder, labels ──── validate/placement.py ──→ Spec.placement ──→ intent line (folder, labels)
                                                                            │
    before the first POST: folders and labels listed, places.py             │ created: results line; steps are due
                                                                            ↓
    for each step due: slot of the rate → request ┬ done                → journal `step`
                                                  ├ refused             → the next one, then unfinished
                                                  ├ nobody knows        → back off, again; used up: unfinished
                                                  ├ a firewall's word   → last, then unfinished
                                                  └ the run ends        → unfinished, not reached: a later run does it

A row's steps run in its worker, right behind its create. What is due is known from the journal alone (`files/due_steps.py`),
so a crash loses none, and repeats at most those whose lines were not on disk: each is safe to repeat.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from ..files.ledger import Ledger
from ..files.step_lines import StepDone
from ..models import Spec, Unfinished, stamp
from ..omni import places as requests
from ..omni.api import Question
from ..omni.places import StepVerdict
from ..omni.verdicts import Blocked, Refused, There, Unknown
from ..placement import StepKind
from ..read.read import as_read
from ..reasons import NOT_REACHED, STEP_HINTS, Reason
from .ask_for_step import AskForStep
from .create_step import SetAside
from .firewall import Firewall
from .places import Places

_MISSING = {StepKind.FOLDER: "created, but not in its folder", StepKind.LABELS: "created, but without its labels"}


@dataclass(frozen=True, slots=True)
class Finished:
    """All steps of the row are done."""


@dataclass(frozen=True, slots=True)
class FinishStep:
    """Does the steps that rows lack, one row at a time for each worker."""

    asking: AskForStep
    ledger: Ledger
    places: Places
    firewall: Firewall

    async def take(self, spec: Spec, identifier: str) -> Finished | Unfinished | SetAside | None:
        """Do what is due. None: the run must stop. Raises DiskTrouble, KeysRefused."""
        missing: Unfinished | None = None
        due = self.ledger.steps.due.get(spec.key)
        for kind in () if due is None else due.kinds:
            answer = await self._do(spec, identifier, kind)
            match answer:
                case There():
                    self.firewall.passes(spec.key)
                    self.ledger.write_step(StepDone(spec.key, kind, identifier, self._now(), self.ledger.run))
                case Blocked():
                    refused = self.firewall.meets(spec.key, answer)
                    if refused is None:
                        return None if self.asking.requester.drain.is_on else SetAside()
                    missing = missing or self._unfinished(spec, identifier, kind, refused)
                case Refused():
                    self.firewall.passes(spec.key)
                    missing = missing or self._unfinished(spec, identifier, kind, answer)
                case Unknown():
                    return missing or self._unfinished(spec, identifier, kind, answer)
                case None:
                    return None
                case _:
                    assert_never(answer)
        return missing or Finished()

    def not_reached(self, spec: Spec, identifier: str) -> Unfinished | None:
        """The outcome of a row whose steps the run doesn't come to; None if it is on file, or nothing is due."""
        due = self.ledger.steps.due.get(spec.key)
        if due is None or due.failure is not None:
            return None
        why = Unknown(Reason.INTERRUPTED, None, NOT_REACHED.format(due.kinds[0]))
        return self._unfinished(spec, identifier, due.kinds[0], why)

    async def _do(self, spec: Spec, identifier: str, kind: StepKind) -> There | Refused | Blocked | Unknown | None:
        question: Question[StepVerdict]
        match kind:
            case StepKind.FOLDER:
                if not await self.places.look_up([StepKind.FOLDER]):
                    return None
                asked = spec.placement.folder or ""
                folder = self.places.folder(asked)
                if folder is None:
                    return Refused(Reason.NOT_FOUND, 404, self.places.problem_of_folder(asked) or "")
                question = requests.move(identifier, folder.path)
            case StepKind.LABELS:
                question = requests.add_labels(identifier, spec.placement.labels)
        return await self.asking.ask(spec.key, question)

    def _unfinished(self, spec: Spec, identifier: str, kind: StepKind, why: Refused | Unknown) -> Unfinished:
        own = why.hint if isinstance(why, Refused) else None
        hint = own or STEP_HINTS.get(why.reason, STEP_HINTS[Reason.INTERRUPTED])
        return Unfinished(
            key=spec.key,
            source=spec.source,
            line=spec.line,
            reason=why.reason,
            status=why.status,
            message=why.message if why.reason is Reason.INTERRUPTED else f"{_MISSING[kind]}: {why.message}",
            hint=hint,
            attempts=0,
            identifier=identifier,
            at=self._now(),
            run=self.ledger.run,
            spec=as_read(spec.row),
            step=kind,
        )

    def _now(self) -> str:
        return stamp(self.asking.requester.now())
