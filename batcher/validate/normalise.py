"""Row → body: cells become JSON values, ids are trimmed, what is absent is left out. Never raises, never judges.

Rows of one input mostly look alike, so what can be known from the names of the fields alone is worked out once, in a
plan, and kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ..models import Row
from ..omni.fields import FOLDER, IDS, KEY, LABELS, OURS, Kind, Table
from ..omni.tables import KINDS
from ..read.cells import value_of

Body = dict[str, Any]
IN_ITEM = "queryPresentations[]."  # before the name of an item's field
_MANY_FIELDS = 100  # in an item: more are surely unknown, and so many are enough to say so
_MOST_PLANS = 1000  # a bound on memory, for inputs whose rows never look alike


@dataclass(frozen=True, slots=True)
class Plan:
    """What is known of rows with these fields.

    `names` are the API's fields among them, in the API's order, `places` where each of these stands (`json_places`:
    those that hold no text); `as_is`: the fields are those and no others, in that order; `key_at`, `placement` (folder and
    labels) and `unknown`: where the others stand.
    """

    size: int
    names: tuple[str, ...]
    places: tuple[tuple[int, str, Kind], ...]
    json_places: tuple[tuple[int, str], ...]
    name_at: int
    trimmed: tuple[str, ...]
    as_is: bool
    key_at: int | None
    placement: Mapping[str, int]
    unknown: Mapping[str, int]


def plan_of(fields: Sequence[str], known: Sequence[str]) -> Plan:
    """The plan for rows with these fields, of which these are known."""
    at = {name: place for place, name in enumerate(fields)}
    names = tuple(name for name in known if name in at)
    return Plan(
        size=len(fields),
        names=names,
        places=tuple((at[name], name, KINDS[name]) for name in names),
        json_places=tuple((at[name], name) for name in names if KINDS[name] is not Kind.TEXT),
        name_at=at.get("name", -1),
        trimmed=tuple(name for name in IDS if name in at),
        as_is=names == tuple(fields),
        key_at=at.get(KEY),
        placement={name: at[name] for name in (FOLDER, LABELS) if name in at},
        unknown={name: place for name, place in at.items() if name not in known and name not in OURS},
    )


class Normaliser:
    """Makes bodies of rows. With `ignore_unknown` it remembers what it leaves out, in queryPresentations too."""

    def __init__(self, table: Table, *, ignore_unknown: bool) -> None:
        self._known, self._known_in_items = table.names, frozenset(table.item.fields)
        self._ignore_unknown = ignore_unknown
        self._plans: dict[tuple[str, ...], Plan] = {}
        self._left_out: dict[str, None] = {}  # in the order in which they were met

    def take_left_out(self) -> list[str]:
        """The unknown fields that held something and were left out, since this was last called."""
        names = list(self._left_out)
        self._left_out.clear()
        return names

    def _leave_out(self, names: Iterable[str]) -> None:
        if len(self._left_out) < _MOST_PLANS:
            self._left_out.update(dict.fromkeys(names))

    def _is_news(self, plan: Plan) -> bool:
        """Are there unknown fields that are to be ignored and that nobody has noted yet?"""
        return self._ignore_unknown and not plan.unknown.keys() <= self._left_out.keys()

    def plan(self, names: tuple[str, ...]) -> Plan:
        """The plan for rows with fields of these names."""
        plan = self._plans.get(names)
        if plan is None:
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            plan = self._plans[names] = plan_of(names, self._known)
        return plan

    def of_row(self, row: Row) -> Body:
        """The body of a row."""
        plan = self.plan(tuple(row.fields))
        if row.cells:
            return self.of_cells(plan, [str(cell) for cell in row.fields.values()])
        return self.of_fields(plan, row.fields)

    def of_cells(self, plan: Plan, cells: Sequence[str]) -> Body:
        """The body that these cells of a table hold."""
        if plan.unknown and self._is_news(plan):
            self._leave_out(name for name, place in plan.unknown.items() if cells[place].strip())
        if not plan.json_places:
            body: Body = {name: text for place, name, _ in plan.places if (text := cells[place].strip())}
            if "name" in body:
                body["name"] = cells[plan.name_at]
            return body
        body = {}
        for place, name, kind in plan.places:
            if text := (cell := cells[place]).strip():
                if kind is not Kind.TEXT:
                    body[name] = value_of(name, text)
                else:
                    body[name] = cell if name == "name" else text
        return self._tidy_items(body) if "queryPresentations" in body else body

    def of_fields(self, plan: Plan, fields: dict[str, Any]) -> Body:
        """The body in these fields of a JSON object; that very object if there is nothing to change."""
        if plan.unknown and self._is_news(plan):
            self._leave_out(name for name in plan.unknown if fields[name] is not None)
        if plan.as_is and None not in fields.values():
            body = fields
        else:
            body = {name: value for name in plan.names if (value := fields[name]) is not None}
        for name in plan.trimmed:
            value = body.get(name)
            if type(value) is str and value != (text := value.strip()):
                body = body | {name: text}
        if "metadataVersion" in body:
            body = body | {"metadataVersion": _as_text(body["metadataVersion"])}
        return self._tidy_items(body) if "queryPresentations" in body else body

    def _tidy_items(self, body: Body) -> Body:
        """Drop what is null in a queryPresentations item, and what is unknown if that is to be ignored, or is too much."""
        items = body["queryPresentations"]
        if type(items) is not list:
            return body
        for item in items:
            if type(item) is dict and (None in item.values() or self._ignore_unknown or len(item) > _MANY_FIELDS):
                return body | {"queryPresentations": [self._tidy(item) for item in items]}
        return body

    def _tidy(self, item: Any) -> Any:
        if type(item) is not dict:
            return item
        there = {name: value for name, value in item.items() if value is not None}
        if there.keys() <= self._known_in_items:
            return there
        if not self._ignore_unknown:  # wrong, whatever else is in it
            unknown = (name for name in there if name not in self._known_in_items)
            few = self._known_in_items.union(islice(unknown, _MANY_FIELDS))
            return {name: value for name, value in there.items() if name in few}
        self._leave_out(f"{IN_ITEM}{name}" for name in there if name not in self._known_in_items)
        return {name: value for name, value in there.items() if name in self._known_in_items}


def _as_text(version: object) -> object:
    """The API takes metadataVersion as text, but answers with a number, which then finds its way into inputs."""
    if isinstance(version, bool) or not isinstance(version, int | float):
        return version
    return str(int(version) if version == int(version) else version)
