"""Lives whose rows go into folders and get labels: every step done exactly as asked, none twice, no folder twice.

Both versions of the API, a switch, faults, crashes and edits as in the other lives; a folder's POST may be lost, late or
answered with rubbish. The calm runs have `--apply-steps`, so that in the end each document is where its row says now.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson

from batcher.files.lines import is_object

from .life import live_in
from .places import Place
from .product import Real
from .records import FILES, Start, whole_lines
from .schedule import Schedule, SimRow, draw_placed
from .world import World

_STEPS = {"move": "folder", "labels": "labels"}


class PlacedWorld(World):
    """A world of rows with folders and labels."""

    option = " --placed"

    def __init__(self, seed: int, *, schedule: Schedule | None = None, **more: Any) -> None:
        super().__init__(schedule or draw_placed(seed), **more)
        self.wire.watch.before_change = self._before_change
        self.asked: dict[str, list[SimRow]] = {}  # by key: what each run's input said of the row
        self.steps = 0

    def _before_change(self, method: str, path: str) -> None:
        """A step is about to leave: of a document on file, and not one whose line is durable."""
        *_, identifier, last = path.split("/")
        if method not in ("PUT", "PATCH"):
            return
        self.steps += 1
        keys = [line["key"] for line in self.lines(FILES.results) if line["identifier"] == identifier]
        if not keys:
            raise self.broken(f"{last} of {identifier}, which is not on file")
        if any(self._is_done(key, _STEPS[last]) for key in keys):
            raise self.broken(f"{last} of {identifier} is done, durably, and is sent again")

    def _is_done(self, key: str, step: str) -> bool:
        """Whether the durable part of the journal says so, and nothing asks for it anew since."""
        durable, done = len(whole_lines(self.disk.durable(FILES.journal))), False
        for number, line in enumerate(self.lines(FILES.journal)):
            if line.get("key") != key:
                continue
            if line["type"] in ("intent", "steps"):
                done = False
            elif line["type"] == "step" and line["step"] == step and number < durable:
                done = True
        return done

    def failing(self) -> list[dict[str, Any]]:
        """As `World`, and the created rows that lack steps."""
        due: dict[str, set[str]] = {}
        last: dict[str, dict[str, Any]] = {}
        data = self.disk.content(FILES.journal)
        tail = data.rpartition(b"\n")[2]
        for line in [*whole_lines(data), *([orjson.loads(tail)] if is_object(tail) else [])]:
            key = line.get("key", "")
            match line["type"]:
                case "intent":
                    due[key] = {name for name in ("folder", "labels") if name in line}
                    if line.get("api") == "v2":
                        due[key].discard("folder")
                case "steps":
                    due[key] = set(line["due"])
                case "step":
                    due.get(key, set()).discard(line["step"])
                case "unfinished":
                    last[key] = line
                case _:
                    pass
        return [*super().failing(), *(line for key, line in last.items() if due.get(key))]

    def judge_run(self, start: Start) -> None:
        """As `World`; and no folder is there twice."""
        super().judge_run(start)
        for key, given in self.known(start).items():
            self.asked.setdefault(key, []).append(given.row)
            self.asked.setdefault(given.row.marker, []).append(given.row)
        made = Counter((folder.parent, folder.name.casefold()) for folder in self.server.places.folders)
        twice = [name for (_, name), count in made.items() if count > 1]
        if twice:
            raise self.broken(f"made twice: the folders {twice}")


def live_placed(world: PlacedWorld, product: Real) -> None:
    """Live it to the end. Raises Broken."""
    live_in(world, product)
    last = world.starts[-1]
    created = {line["key"]: line["identifier"] for line in world.lines(FILES.results)}
    known = world.known(last)
    by_marker = {given.row.marker: given.row for given in known.values()}
    for key, given in known.items():
        if key in created and not given.row.is_broken:
            # rows that share a name are told apart by their content, not by the order that `known` goes by
            document = world.server.documents.get(created[key])
            marker = "" if document is None else str(document.body.get("description")).partition(" ")[0]
            row = by_marker.get(marker, given.row)
            _check_place(world, key, row, world.server.places.of.get(created[key], Place()))


def _check_place(world: PlacedWorld, key: str, row: SimRow, place: Place) -> None:
    """The document is where its row says, and has the labels that it says; else nothing but what it said once."""
    there = world.server.places.path_of(place.folder)
    if row.folder is not None and there != _path(row.folder):
        raise world.broken(f"{key} is in the folder {there}, its row says {row.folder}")
    asked = [*world.asked[key], *world.asked.get(row.marker, ())]
    once = {_path(one.folder) for one in asked if one.folder is not None}
    if there is not None and there not in once:
        raise world.broken(f"{key} is in the folder {there}, which it never asked for")
    if not set(row.labels) <= place.labels:
        raise world.broken(f"{key} has the labels {sorted(place.labels)}, its row says {row.labels}")
    if not place.labels <= {label for one in asked for label in one.labels}:
        raise world.broken(f"{key} has the labels {sorted(place.labels)}, which it never asked for")


def _path(folder: str) -> str:
    return "/".join(segment.lower().replace(" ", "-") for segment in folder.strip("/").split("/"))
