"""The laws of people's lives. They know rows by their markers and documents by what is seen of them, never by keys.

- A row has one document. Edits and answers that ask for more are counted where they are made (`Desk`), each with the
  section of the contract that says so.
- What an undo deletes was made for us.
- Each row has its document in the end, or a line in the failures file that says why not, or was undone.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from batcher.errors import Stopped, UsageError
from batcher.reasons import HINTS, Reason
from batcher.report.summary import exit_code

from . import laws
from .desk import content_seen, marker_of
from .records import FILES, Start
from .server import Document

if TYPE_CHECKING:
    from .people import PeoplesWorld

FIXED_TWICE = "perhaps fixed in two places"
TOLD = {"what was created under another key", FIXED_TWICE}  # why a row is held back


def marker(document: Document) -> int:
    """Of which row it is."""
    return marker_of(document.body["description"])


def before_delete(world: PeoplesWorld, identifier: str) -> None:
    """An undo deletes nobody else's document."""
    document = world.server.documents.get(identifier)
    if document is not None and document.post is None:
        raise world.broken(f"undo deletes {identifier}, which is a stranger's")


def after_run(world: PeoplesWorld, start: Start) -> None:
    """No internal error, nothing durable lost, counts that add up, and no document that nobody asked for."""
    if start.crash is not None:
        raise world.broken(f"the run raised {start.crash!r}") from start.crash
    laws.check_safe(world)
    if start.error is not None and not isinstance(start.error, UsageError | Stopped):
        raise world.broken(f"the run ended with {start.error!r}")
    if start.summary is not None and (not start.summary.adds_up or exit_code(start.summary) == 70):
        raise world.broken(f"the counts do not add up: {start.summary}")
    _check_documents(world)


def _check_documents(world: PeoplesWorld) -> None:
    by_row = Counter(marker(document) for document in world.server.ours)
    by_content = Counter(content_seen(document.body) for document in world.server.ours)
    desk = world.desk
    for number, made in by_row.items():
        if made > 1 + desk.renames[number] + desk.seconds[number]:
            raise world.broken(f"{made} documents of row {number}, which nobody asked for")
    for content, made in by_content.items():
        if made > 1 + desk.seconds[marker_of(content[2])]:
            raise world.broken(f"{made} documents of one content, which nobody asked for: {content}")


def told_rows(start: Start) -> str:
    """With --skip-invalid a refusal is the hint of its row."""
    return HINTS[Reason.SAME_CONTENT] if any(problem.cause in TOLD for problem in start.problems) else ""


def in_the_end(world: PeoplesWorld) -> None:
    """Each row has its document, or it is said why not."""
    made = {marker(document) for document in world.server.ours}
    held: dict[int, list[dict[str, Any]]] = {}
    for line in world.lines(FILES.failures):
        held.setdefault(marker_of(line["spec"].get("description")), []).append(line)
    for row in world.desk.rows:
        if row.number in made or row.number in world.undone:
            continue
        lines = held.get(row.number)
        if lines is None:
            raise world.broken(f"row {row.number} has no document, and no line says why")
        may_fail = row.refuse or row.is_nameless or any(_is_left(line) for line in lines)
        if not may_fail:
            line = lines[-1]
            raise world.broken(f"row {row.number} could be created, but it is {line['reason']}: {line['message']}")


def _is_left(line: dict[str, Any]) -> bool:
    """Whether only a person can go on here."""
    return bool(line["outcome"] == "uncertain" or line["reason"] == "identifier_taken")
