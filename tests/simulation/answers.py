"""What a person answers to a refusal: the way out that it names, taken as it says (contract 4 to 6)."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from batcher.models import Problem

from . import people_laws
from .desk import marker_of
from .people_laws import FIXED_TWICE
from .records import FILES, Start

if TYPE_CHECKING:
    from .people import PeoplesWorld

THREE = (FILES.results, FILES.failures, FILES.journal)


@dataclass(slots=True)
class Answers:
    """What the person has come to say on the command line."""

    rekey: bool = False
    create_again: bool = False
    skip_invalid: bool = False
    force: bool = False


def take_way_out(world: PeoplesWorld, refused: str, start: Start) -> str | None:
    """Take it; by which words it was found. None: the refusal names none that anybody could take."""
    for words, way in _WAYS.items():
        if words in refused:
            way(world, refused, start)
            return words
    return None


def put_back(world: PeoplesWorld) -> None:
    """The files as they were before somebody changed them."""
    for path, data in world.put_away.items():
        world.put(path, data)
    world.put_away.clear()


def _say_which(world: PeoplesWorld, _refused: str, start: Start) -> None:
    """They are the same rows, or a second document of each row that was named is wanted."""
    answers, desk = world.answers, world.desk
    made = {people_laws.marker(document) for document in world.server.ours}
    is_other = any(p.cause == FIXED_TWICE and marker_at(start, p) not in made for p in start.problems)
    answers.rekey = (
        world.schedule.seed % 3 != 0 or (desk.is_numbered_anew and world.part is not None)
    ) and not is_other
    answers.create_again = not answers.rekey
    if answers.create_again:
        desk.seconds.update({marker_at(start, problem) for problem in start.problems})
    else:
        desk.rekey()


def marker_at(start: Start, problem: Problem) -> int:
    """Of which row a line of the inputs is that a problem names."""
    text = start.texts[problem.source]
    lines = text.decode("utf-16" if text.startswith(codecs.BOM_UTF16_LE) else "utf-8").splitlines()
    return marker_of(lines[problem.line - 1][lines[problem.line - 1].index("row:") :])


def _put_back(world: PeoplesWorld, _refused: str, _start: Start) -> None:
    put_back(world)


def _put_back_or_run_input(world: PeoplesWorld, _refused: str, _start: Start) -> None:
    if not world.put_away:
        world.feeds, world.only_input = False, True
    put_back(world)


def _put_back_or_take_out(world: PeoplesWorld, refused: str, _start: Start) -> None:
    """A results file that was not changed at all: then the line goes, and its document by hand."""
    if world.put_away:
        put_back(world)
        return
    lines = world.lines(FILES.results)
    line = lines.pop(int(refused.split(":")[1]) - 1)
    document = world.server.documents.get(line["identifier"])
    if document is not None and document.post is not None:
        world.undone[people_laws.marker(document)] = world.desk.runs
        del world.server.documents[document.identifier]
    world.put(FILES.results, b"".join(orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE) for one in lines))


def _put_back_or_start_over(world: PeoplesWorld, refused: str, _start: Start) -> None:
    if world.schedule.seed % 2 or not world.may_forget():
        put_back(world)
        return
    journal = world.disk.content(FILES.journal)
    for path in THREE:
        world.remove(path)
    if "all lines of" in refused:  # an earlier version began it: its first line is to stay
        world.put(FILES.journal, journal[: journal.index(b"\n") + 1])
    world.forget(0)


def _fix_or_skip(world: PeoplesWorld, _refused: str, start: Start) -> None:
    if str(FILES.results) in start.texts:
        return  # it was the wrong file
    if start.reads_failures and world.put_away:
        put_back(world)
    elif start.reads_failures or world.schedule.seed % 2 or not world.desk.edit("mend nameless", world.chance):
        world.answers.skip_invalid = True


def _force(world: PeoplesWorld, _refused: str, _start: Start) -> None:
    world.answers.force = True


_WAYS: dict[str, Callable[[PeoplesWorld, str, Start], None]] = {
    "--rekey": _say_which,
    "Put the key back": _put_back_or_run_input,
    "Put that file back": _put_back_or_start_over,
    "Put that journal and its results back": _put_back,
    "Put the results file back": _put_back_or_take_out,
    "--skip-invalid": _fix_or_skip,
    "--force": _force,
}
