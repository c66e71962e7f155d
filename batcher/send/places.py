"""The instance's folders and labels, listed once before the first POST, and what rows ask for found among them.

All folders are listed rather than each path asked for: a segment may be a folder's name, two folders may match, and a
move needs the path of a folder that is named by its id. That is one request for a hundred folders (API.md 11).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ..errors import StopReason
from ..omni import places
from ..omni.api import Question
from ..omni.places import Folder, FolderTree, StepVerdict
from ..omni.verdicts import Blocked, Refused, There, Unknown
from ..placement import Placement, StepKind
from ..read.json_text import shown
from .ask_for_step import AskForStep
from .requester import Requester

_ROW = "folders and labels"  # what these requests are about, instead of a row
_CANT = "the {what} can't be listed ({why}), which rows with a folder or labels need. Nothing more was created."


@dataclass(slots=True)
class Places:
    """What is there: nothing is known before `look_up`."""

    requester: Requester
    asking: AskForStep
    tree: FolderTree | None = None
    labels: dict[str, str] | None = field(default=None)  # without case → as it is spelled there

    async def look_up(self, kinds: Iterable[StepKind]) -> bool:
        """List what isn't listed yet of these. False if that can't be done, or the run ends: then it is stopped."""
        for kind in kinds:
            match kind:
                case StepKind.FOLDER:
                    if self.tree is None and not await self.list_folders():
                        return False
                case StepKind.LABELS:
                    if self.labels is None and not await self._list_labels():
                        return False
        return True

    async def list_folders(self) -> bool:
        """List all folders, anew if need be."""
        found: list[Folder] = []
        cursor: str | None = None
        while True:
            answered = await self._ask("folders", places.list_folders(cursor))
            page = None if answered is None else places.folder_page_of(answered)
            if page is None:
                return self._cannot("folders", answered)
            found += page.folders
            cursor = page.cursor
            if cursor is None:
                self.tree = FolderTree(found)
                return True

    async def _list_labels(self) -> bool:
        answered = await self._ask("labels", places.list_labels())
        labels = None if answered is None else places.labels_of(answered)
        if labels is None:
            return self._cannot("labels", answered)
        self.labels = {label.casefold(): label for label in labels}
        return True

    def _cannot(self, what: str, answered: bytes | None) -> bool:
        if answered is not None:
            self.requester.stop(_CANT.format(what=what, why="the answer isn't a list"), StopReason.UNREADABLE)
        return False

    async def _ask(self, what: str, question: Question[StepVerdict]) -> bytes | None:
        """A list's answer; None if there is none to use, and the run is stopped."""
        match await self.asking.ask(_ROW, question):
            case There(response=response):
                return response
            case Refused(status=status, message=message) | Unknown(status=status, message=message):
                why = message if status is None else f"{status}: {message}"
                self.requester.stop(_CANT.format(what=what, why=why), StopReason.PLACES)
            case Blocked(status=status, message=message):
                self.requester.stop(_CANT.format(what=what, why=f"{status}: {message}"), StopReason.FIREWALL)
            case None:
                pass
        return None

    def problem_of_folder(self, asked: str) -> str | None:
        """Why this folder can't be used, if it can't."""
        found = self.tree.find(asked) if self.tree is not None else ()
        if len(found) == 1:
            return None
        if found:
            return f"{shown(asked)} may mean {' or '.join(shown(folder.path) for folder in found)}; write that, or its UUID"
        return f"there is no folder {shown(asked)}, or the API key can't see it"

    def problem_of_label(self, label: str) -> str | None:
        """Why this label can't be used, if it can't."""
        is_there = self.labels is not None and label.casefold() in self.labels
        return None if is_there else f"there is no label {shown(label)}"

    def add_label(self, label: str) -> None:
        """One more, that was made."""
        if self.labels is not None:
            self.labels[label.casefold()] = label

    def problems(self, placement: Placement) -> Iterator[tuple[StepKind, str]]:
        """What keeps a row from being placed: the step, and why."""
        if placement.folder is not None and (problem := self.problem_of_folder(placement.folder)):
            yield StepKind.FOLDER, problem
        for label in placement.labels:
            if problem := self.problem_of_label(label):
                yield StepKind.LABELS, problem
                return

    def folder(self, asked: str) -> Folder | None:
        """The folder that this path or UUID means."""
        found = self.tree.find(asked) if self.tree is not None else ()
        return found[0] if len(found) == 1 else None
