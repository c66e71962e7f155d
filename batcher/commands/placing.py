"""Rows whose folder or labels the instance hasn't: made first if that is asked for, else problems of their rows (contract 14)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..config import RunSettings
from ..errors import InvalidInput
from ..files.ledger import Ledger
from ..files.past import RowState
from ..models import Problem, Spec
from ..omni.fields import FOLDER, LABELS
from ..placement import StepKind
from ..plan.mentions import Asked
from ..plan.seen_rows import SpooledRows
from ..reasons import Reason
from ..report.observers import Observer
from ..runtime import Runtime
from ..send.before_sending import invalid_outcome
from ..send.folder_creators import FolderCreators
from ..send.make_places import PlaceMaker
from ..send.places import Places
from ..send.sender import Sender

Missing = Mapping[tuple[StepKind, str], Problem]  # by kind and name without case


@dataclass(frozen=True, slots=True)
class Placing:
    """What a run does about the folders and labels that its rows ask for, before it creates anything."""

    settings: RunSettings
    spooled: SpooledRows
    runtime: Runtime
    ledger: Ledger
    observer: Observer

    async def place(self, asked: Asked, sender: Sender) -> bool:
        """Find them, make them if that is asked for, and leave out rows whose own aren't there. False: the run is over.

        Raises InvalidInput, UsageError, DiskTrouble.
        """
        missing: Missing | None = None if asked.kinds else {}
        with sender.requester.drain.waits():
            if asked.kinds:
                missing = await self._find(asked, sender.places)
        if missing is None or sender.requester.drain.is_on:
            return False
        self._leave_out(missing)
        return True

    async def _find(self, asked: Asked, places: Places) -> Missing | None:
        if not await places.look_up(asked.kinds):
            return None
        endpoint = self.settings.endpoint
        creators = FolderCreators(places.requester, self.runtime, None if endpoint.sandbox else endpoint.base_url)
        maker = PlaceMaker(places, self.ledger, self.runtime, creators)
        folders = [one.as_asked for one in asked.folders.values()] if self.settings.create_folders else []
        labels = [one.as_asked for one in asked.labels.values()] if self.settings.create_labels else []
        if folders or labels:
            await maker.make(folders, labels)
        return missing_places(asked, places, maker.refused)

    def _leave_out(self, missing: Missing) -> None:
        """Nothing is sent, or (with --skip-invalid) nothing for these rows, of which new ones are booked as failed.

        An unclear row is still looked up, and a created one still gets its other steps.
        """
        for problem in missing.values():
            self.observer.problem(problem)
        if missing and not self.settings.skip_invalid:
            raise InvalidInput(
                f"{_words(missing)}; no document was created. Create what's missing with --create-folders or --create-labels, "
                "fix these rows, or skip them with --skip-invalid."
            )
        for state in (RowState.NEW, RowState.FAILED) if missing else ():
            for spec in self.spooled.take_out(state, lambda spec: bool(_problems(spec, missing))):
                problems = _problems(spec, missing)
                outcome = invalid_outcome(spec.row, spec.key, problems, self.runtime, reason=Reason.NOT_FOUND)
                self.ledger.book(outcome)
                self.observer.unsent(outcome)


def missing_places(asked: Asked, places: Places, refused: Mapping[str, str]) -> Missing:
    """What rows ask for and isn't there, each once. `refused`: why the server didn't make it."""
    missing: dict[tuple[StepKind, str], Problem] = {}
    for name, mentions in asked.folders.items():
        if problem := places.problem_of_folder(mentions.as_asked):
            why = f"; it couldn't be created: {refused[name]}" if name in refused else ""
            missing[StepKind.FOLDER, name] = mentions.problem(FOLDER, problem + why)
    for name, mentions in asked.labels.items():
        if problem := places.problem_of_label(mentions.as_asked):
            why = f"; it couldn't be created: {refused[name]}" if name in refused else ""
            missing[StepKind.LABELS, name] = mentions.problem(LABELS, problem + why)
    return missing


def _problems(spec: Spec, missing: Missing) -> list[Problem]:
    folder = [] if spec.placement.folder is None else [(StepKind.FOLDER, spec.placement.folder.casefold())]
    named = [*folder, *((StepKind.LABELS, label.casefold()) for label in spec.placement.labels)]
    return [missing[name] for name in named if name in missing]


def _words(missing: Missing) -> str:
    """`2 folders and 1 label can't be used`."""
    parts = []
    for kind, word in ((StepKind.FOLDER, "folder"), (StepKind.LABELS, "label")):
        count = sum(found is kind for found, _ in missing)
        if count:
            parts.append(f"{count:,} {word}{'s' * (count != 1)}")
    return f"{' and '.join(parts)} can't be used"
