"""What a person does to the three files between runs: fixes failures, saves them elsewhere, puts old copies back, undoes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from .desk import marker_of, shorn
from .people_laws import marker
from .records import FILES

if TYPE_CHECKING:
    from .people import PeoplesProduct, PeoplesWorld

DEEDS = (
    *("fix failures", *["fix failures in a spreadsheet program"] * 2, "fix both"),
    *("save failures in a spreadsheet program", "save results in a spreadsheet program"),
    *("old results", "old journal", "old failures", "lose results", "undo", "run results"),
)
_OLD = {"old results": FILES.results, "old journal": FILES.journal, "old failures": FILES.failures}


def do(world: PeoplesWorld, what: str, product: PeoplesProduct) -> bool:
    """Do it; False if there is nothing to do it to."""
    match what:
        case "fix failures" | "fix both":
            return _fix(world, is_both=what == "fix both")
        case "fix failures in a spreadsheet program":
            return _fix(world) and _save_failures(world, runs_it=True)
        case "save failures in a spreadsheet program":
            return _save_failures(world)
        case "save results in a spreadsheet program" if world.lines(FILES.results):
            world.tell(what)
            _save_results(world)
            world.undo(product)
            return True
        case "old results" | "old journal" | "old failures":
            return _put_old_copy(world, what)
        case "lose results" if world.lines(FILES.results):
            world.put_away[FILES.results] = world.disk.content(FILES.results)
            world.remove(FILES.results)
            return True
        case "undo" if world.lines(FILES.results):
            world.tell(what)
            world.undo(product)
            return True
        case "run results":
            return True
        case _:
            return False


def _fix(world: PeoplesWorld, *, is_both: bool = False) -> bool:
    """In the failures file, and perhaps in the input: there the same way or another, where the row has a key of its own."""
    rows = {row.number: row for row in world.desk.rows}
    last = {marker_of(line["spec"].get("description")): line for line in world.lines(FILES.failures)}
    lines, fixed = list(last.values()), 0  # a row that was given a key has two lines: a person takes the first one out
    for line in lines:
        spec = line["spec"]
        row = rows.get(marker_of(spec.get("description")))
        if row is None or row.touched == "key" or not _is_bad(spec) or line["outcome"] == "uncertain":
            continue
        version = f"{row.version}.f{world.desk.runs}"
        world.desk.touch(row, "content")
        fixed += 1
        if not spec.get("name"):
            made = next((one for one in world.server.ours if marker(one) == row.number), None)
            spec["name"] = (
                row.name if made is None else made.body["name"]
            )  # as it's called, if it was fixed in the input
            row.is_nameless = row.is_nameless and not is_both
        else:
            spec["description"] = f"row:{row.number} v{version}"
        if is_both and row.refuse:
            row.version = version if world.chance.random() < 0.5 else f"{version}i"
            row.refuse = None
    if fixed:
        _write_failures(world, lines)
    return bool(fixed)


def _is_bad(spec: dict[str, Any]) -> bool:
    return "refuse" in spec["description"] or not spec.get("name")


def _save_failures(world: PeoplesWorld, *, runs_it: bool = False) -> bool:
    """001 becomes 1."""
    lines = world.lines(FILES.failures)
    world.put_away[FILES.failures] = world.disk.content(FILES.failures)
    for line in lines:
        line["key"] = shorn(line["key"])
    _write_failures(world, lines)
    world.feeds = world.feeds or runs_it
    return bool(lines)


def _write_failures(world: PeoplesWorld, lines: list[dict[str, Any]]) -> None:
    world.put(FILES.failures, _text(lines))
    world.feeds = world.chance.random() < 0.7


def _save_results(world: PeoplesWorld) -> None:
    lines = world.lines(FILES.results)
    for line in lines:
        line["key"], line["identifier"] = shorn(line["key"]), shorn(line["identifier"])
    world.put_away[FILES.results] = world.disk.content(FILES.results)
    world.put(FILES.results, _text(lines))


def _put_old_copy(world: PeoplesWorld, what: str) -> bool:
    if not world.copies or (what == "old journal" and not world.may_forget()):
        return False
    runs, copy = world.chance.choice(world.copies)
    path = _OLD[what]
    if not copy[path] or copy[path] == world.disk.content(path):
        return False
    world.put_away.setdefault(path, world.disk.content(path))
    world.put(path, copy[path])
    if what == "old journal":
        world.forget(runs)
    return True


def _text(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)
