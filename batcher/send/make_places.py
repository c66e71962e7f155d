"""Folders and labels that rows ask for and that aren't there, made before the first POST (contract 14).

    lock of this instance's creators ─ list anew ─ each missing folder, parents first:
      journal `making`, fsync ─ POST ┬ made                        → journal `made` with its id
                                     ├ refused                     → journal `made` without one; a problem of its rows
                                     └ nobody knows → list again   ┬ there        → `made` with its id
                                                                   └ not for 30 s → the run stops; the next one lists it first

The same name again would make a second folder, so a POST whose fate is open is never sent again on the word of one list:
only ten minutes after it, when it can't come to anything any more. Labels are simpler: one that exists is a 409.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import assert_never

import anyio

from ..api_keys import ApiKey
from ..errors import StopReason
from ..files.ledger import Ledger
from ..files.step_lines import Making, PlaceMade
from ..models import stamp
from ..omni import places as requests
from ..omni.places import Folder
from ..omni.verdicts import Blocked, Braked, EndpointUnusable, KeyDoubted, KeyRefused, Refused, There, Unknown, Unsent
from ..placement import StepKind, is_uuid, segments_of
from ..read.json_text import shown
from ..runtime import Runtime
from .folder_creators import FolderCreators
from .places import Places
from .requester import Requester
from .settle_rules import LAG_SECONDS, SETTLED_SECONDS

_ROW = "folders and labels"
_OPEN = (
    "it isn't known whether the folder {name} was created: the request at {at} got no answer, and the folder isn't there yet. "
    "Nothing more was created. Run the same command again: the next run lists it first (from {until} on it may create it)."
)


@dataclass(slots=True)
class PlaceMaker:
    """Makes what `places` lacks. `refused`: without case, the paths and labels that the server didn't make, and why."""

    places: Places
    ledger: Ledger
    runtime: Runtime
    creators: FolderCreators
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def _requester(self) -> Requester:
        return self.places.requester

    async def make(self, folders: Iterable[str], labels: Iterable[str]) -> None:
        """Make them, one creator at a time; the run is stopped if that can't be. Raises DiskTrouble, KeysRefused, UsageError."""
        missing = [asked for asked in folders if not is_uuid(asked) and not self._found(asked)]
        if missing:
            async with self.creators.alone():
                await self._make_folders(missing)
        for label in labels:
            if self.places.problem_of_label(label) and not self._requester.drain.is_on:
                await self._make_label(label)

    async def _make_folders(self, missing: Iterable[str]) -> None:
        """Parents first. Another creator may have made some since they were listed."""
        if not await self.places.list_folders():
            return
        for asked in sorted(missing, key=lambda path: len(segments_of(path))):
            if not self._found(asked):
                await self._make_path(asked)
            if self._requester.drain.is_on:
                return

    def _found(self, path: str) -> tuple[Folder, ...]:
        tree = self.places.tree
        return () if tree is None else tree.find(path)

    async def _make_path(self, asked: str) -> None:
        """Each folder of a path that isn't there."""
        if self.places.tree is None:
            return
        parent, names = self.places.tree.parent_for(asked)
        for name in names:
            path = f"{parent.path}/{name}" if parent is not None else name
            folder = await self._make_folder(path, name, parent)
            if folder is None:
                if path.casefold() in self.refused:
                    self.refused[asked.casefold()] = self.refused[path.casefold()]
                return
            self.places.tree.add(folder)
            parent = folder

    async def _make_folder(self, path: str, name: str, parent: Folder | None) -> Folder | None:
        """One folder; None if it was refused, or the run must stop."""
        if not self._may_make(path):
            return None
        question = requests.make_folder(name, None if parent is None else parent.id)
        while True:
            key, verdict = await self._requester.ask_with_key(_ROW, question, partial(self._intend, path))
            match verdict:
                case There(response=response) if (folder := requests.folder_of(response)) is not None:
                    return self._made(path, folder)
                case There() | Unknown():
                    return await self._look_for(path)
                case KeyDoubted(refused) if not await self._is_good(key, verdict):
                    self._made(path, None)
                case KeyDoubted(refused):
                    self._refuse(path, refused)
                    return None
                case Refused() | Blocked():
                    self._refuse(path, verdict)
                    return None
                case EndpointUnusable(message, stop_reason):
                    self._made(path, None)
                    self._requester.stop(message, stop_reason)
                    return None
                case Braked() | KeyRefused() | Unsent():  # nothing was made by it
                    self._made(path, None)
                case _:
                    assert_never(verdict)

    async def _intend(self, path: str) -> None:
        """A POST of this folder is about to leave: it does when that is on disk."""
        making = Making(StepKind.FOLDER, path, stamp(self.runtime.now()), self.ledger.run)
        self.ledger.write_step(making)
        self.creators.begin(making)
        await self.ledger.sync()

    def _made(self, path: str, folder: Folder | None) -> Folder | None:
        made = None if folder is None else folder.id
        self.ledger.write_step(PlaceMade(StepKind.FOLDER, path, made, stamp(self.runtime.now()), self.ledger.run))
        self.creators.end(path)
        return folder

    def _refuse(self, path: str, refused: Refused | Blocked) -> None:
        self._made(path, None)
        self.refused[path.casefold()] = f"{refused.status}: {refused.message}"

    def _may_make(self, path: str) -> bool:
        """Whether no earlier POST of it may still come to something; it isn't listed now."""
        own = self.ledger.steps.making.get((StepKind.FOLDER, path.casefold()))
        open_since = self.creators.open.get(path.casefold(), own)
        if open_since is None:
            return True
        began, is_over = datetime.fromisoformat(open_since.at), self.creators.base_url is None
        if is_over or (self.runtime.now() - began).total_seconds() >= SETTLED_SECONDS:
            self._made(path, None)
            return True
        self._stop(path, open_since)
        return False

    async def _look_for(self, path: str) -> Folder | None:
        """What became of a POST without a clear answer. Lists may lag: then they are asked for 30 s."""
        until, wait = anyio.current_time() + LAG_SECONDS, 1.0
        while await self.places.list_folders():
            if found := self._found(path):
                return self._made(path, found[0])
            left = until - anyio.current_time()
            if left <= 0:
                self._stop(path, self.ledger.steps.making[StepKind.FOLDER, path.casefold()])
                break
            await anyio.sleep(min(wait, left))
            wait *= 2
        return None

    def _stop(self, path: str, making: Making) -> None:
        until = datetime.fromisoformat(making.at) + timedelta(seconds=SETTLED_SECONDS)
        text = _OPEN.format(name=shown(path), at=making.at, until=stamp(until))
        self._requester.stop(text, StopReason.PLACES)

    async def _make_label(self, label: str) -> None:
        """One label; it's safe to ask for it again."""
        match await self.places.asking.ask(_ROW, requests.make_label(label)):
            case There():
                made = PlaceMade(StepKind.LABELS, label, None, stamp(self.runtime.now()), self.ledger.run)
                self.ledger.write_step(made)
                self.places.add_label(label)
            case Refused(status=status, message=message) | Blocked(status, message):
                self.refused[label.casefold()] = f"{status}: {message}"
            case Unknown(message=message):
                self._requester.stop(f"the label {shown(label)} couldn't be created: {message}", StopReason.PLACES)
            case None:
                pass

    async def _is_good(self, key: ApiKey, doubted: KeyDoubted) -> bool:
        return await self.places.asking.doubts.is_good(key, doubted)
