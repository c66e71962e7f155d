"""`python -m tests.benchmarks.house [--repo PATH]...`: the import graph, and how far one document walks through the files.

The graph's rooms are what stands directly in `batcher/`: folders and modules. A floor is a longest chain of imports; an
arrow is a room that imports from another, and one that runs up is an arrow that must be removed to have no circle. The
walk is that of `batcher run rows.csv --sandbox`, counted for two sizes, so that start and end cancel out; the sandbox's
own side (`batcher/sandbox/`) counts for the files entered, not for the further documents.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .documents import write_csv

FEW, MANY = 50, 250
ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("entries.py")

Arrows = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Graph:
    """A checkout's import graph; `up` are the arrows that run up."""

    modules: int
    rooms: int
    floors: int
    arrows: int
    up: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Walk:
    """What a run enters, and each further document: files, entries (calls of our functions), moves between files."""

    files: int
    files_each: int
    entries_each: float
    moves_each: float


def main() -> None:
    """Print the figures of each checkout."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.house", description="What a stranger must read.")
    parser.add_argument("--repo", type=Path, action="append", help="a checkout (this one); may be repeated")
    for repo in parser.parse_args().repo or [ROOT]:
        graph, walk = graph_of(repo.resolve() / "batcher"), walk_of(repo.resolve())
        lines = sum(path.read_bytes().count(b"\n") for path in (repo / "batcher").rglob("*.py"))
        up = "".join(f"\n    {source} → {target}" for source, target in graph.up)
        print(
            f"{repo}: {graph.modules} modules, {lines:,} lines\n"
            f"  {graph.rooms} rooms on {graph.floors} floors, {graph.arrows} arrows, {len(graph.up)} of them up{up}\n"
            f"  a run enters {walk.files} files; each further document {walk.files_each} files"
            f" with {walk.entries_each:.0f} calls and {walk.moves_each:.0f} moves between files"
        )


def graph_of(package: Path) -> Graph:
    """Read every module's imports, those inside functions too, but not those for type checkers."""
    rooms: dict[str, set[str]] = {}
    modules = sorted(package.rglob("*.py"))
    for path in modules:
        here = path.relative_to(package.parent).with_suffix("").parts
        targets = rooms.setdefault(_room(here), set())
        targets |= {_room(target) for target in _imports(path, here)} - {_room(here)}
    known = {room: frozenset(targets & rooms.keys()) for room, targets in rooms.items()}
    up = tuple(_arrows_up(known))
    down = {room: frozenset(target for target in known[room] if (room, target) not in up) for room in known}
    return Graph(len(modules), len(known), _floors(down), sum(map(len, known.values())), up)


def _room(module: tuple[str, ...]) -> str:
    return module[1] if len(module) > 1 else "__init__"


def _imports(path: Path, here: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The modules of the package that one of them imports, as paths of names."""
    package = here[0]
    for node in _nodes(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names if alias.name.split(".")[0] == package)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level] if node.level else ()
            source = (*base, *(node.module or "").split(".")) if node.module else base
            if source[0] == package:
                yield from ((*source, alias.name) for alias in node.names) if len(source) == 1 else (source,)


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from _nodes(node)


def _arrows_up(arrows: Arrows) -> Iterator[tuple[str, str]]:
    """The arrows against a good order of the rooms: lowest last; found greedily, then improved by moving single rooms."""
    order = _greedy_order(arrows)
    improved = True
    while improved:
        improved = False
        for room in list(order):
            rest = [other for other in order if other != room]
            best = min(range(len(order)), key=lambda n: _count_up(arrows, [*rest[:n], room, *rest[n:]]))
            moved = [*rest[:best], room, *rest[best:]]
            if _count_up(arrows, moved) < _count_up(arrows, order):
                order, improved = moved, True
    place = {room: n for n, room in enumerate(order)}
    for room in order:
        yield from ((room, target) for target in sorted(arrows[room]) if place[target] < place[room])


def _greedy_order(arrows: Arrows) -> list[str]:
    """Take the room with the fewest arrows from above, less those that it sends down, until none is left."""
    left, order = set(arrows), []
    while left:
        into = {room: sum(room in arrows[other] for other in left) for room in left}
        room = min(sorted(left), key=lambda name: (into[name], -len(arrows[name] & left)))
        order.append(room)
        left.discard(room)
    return order


def _count_up(arrows: Arrows, order: list[str]) -> int:
    place = {room: n for n, room in enumerate(order)}
    return sum(place[target] < place[room] for room in order for target in arrows[room])


def _floors(arrows: Arrows) -> int:
    @cache
    def height(room: str) -> int:
        return 1 + max(map(height, arrows[room]), default=0)

    return max(map(height, arrows))


def walk_of(repo: Path) -> Walk:
    """Run the checkout's command on few and on many rows, and count."""
    with tempfile.TemporaryDirectory(prefix="batcher-house-") as home:
        few, many = (_run(repo, Path(home), count) for count in (FEW, MANY))
    each = {
        name: {path: (many[name][path] - few[name].get(path, 0)) / (MANY - FEW) for path in many[name]}
        for name in ("entries", "moves")
    }
    walked = {path for path, entries in each["entries"].items() if entries >= 0.5 and not path.startswith("sandbox/")}
    entries, moves = (sum(each[name].get(path, 0.0) for path in walked) for name in ("entries", "moves"))
    return Walk(len(many["entries"]), len(walked), entries, moves)


def _run(repo: Path, home: Path, count: int) -> dict[str, dict[str, int]]:
    rows, output = write_csv(home / f"rows{count}.csv", count), home / f"entries{count}.json"
    command = [sys.executable, "-P", str(SCRIPT), str(output), "run", str(rows), "--sandbox", "--rate", "none", "-q"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMNI_", "BATCHER_"))}
    environment |= {"PYTHONPATH": str(repo), "XDG_STATE_HOME": str(home)}
    subprocess.run(command, cwd=repo, env=environment, check=True, stdin=subprocess.DEVNULL, timeout=300)
    counts: dict[str, dict[str, int]] = json.loads(output.read_text(encoding="utf-8"))
    return counts


if __name__ == "__main__":
    main()
