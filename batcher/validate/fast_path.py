"""The fast path: what a record holds if nothing about it is wrong or unusual.

Nearly every row takes it, without ever becoming a `Row`, so whatever is known of all records of an input is worked out
once, when it is opened. A record that may be wrong is None here, and gets the full validation (`Validator.problems`),
which says what is wrong. Both are made from one table (`omni/fields.py`), so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from ..api_keys import looks_like_api_key
from ..omni.fields import DOCUMENT, KEY, NO_NUL, NOT_BLANK, UNTYPED_FIELDS
from ..omni.shapes import Text
from ..read.broken import Broken
from ..read.csv_table import Header, Table
from ..read.failures_lines import is_failure
from ..read.json_text import doubt_of
from ..read.read import Content
from . import complaints
from .normalise import Body, Normaliser, Plan

Plain = tuple[str | None, Body, bytes]  # the row's own key, its body, and its body as JSON

_MOST_MODELS = 1000  # that are remembered: a bound on memory


def _most(name: str) -> int | None:
    """The most characters of a field whose cells are judged by that alone; None if the table of fields asks for more.

    A cell that isn't blank matches these patterns by itself, but for a NUL.
    """
    match DOCUMENT.fields[name].shape:
        case Text(0 | 1, int(most), pattern) if pattern in (None, NO_NUL, NOT_BLANK):
            return most
        case _:
            return None


_MOST = {name: most for name in ("name", "description") if (most := _most(name)) is not None}


@dataclass(frozen=True, slots=True)
class FastPath:
    """Reads records. `wrong` raises ValueError for a body that is."""

    normaliser: Normaliser
    wrong: Callable[[Body], Any]
    ignore_unknown: bool
    api_keys: frozenset[str]

    def of(self, content: Content) -> Callable[[Any], Plain | None]:
        """What reads the records of this input."""
        if not isinstance(content, Table):
            return self._text
        if content.header.of_failures:
            return _nothing
        plan = self.normaliser.plan(content.header.fields)
        if set(plan.names) <= {"modelId", *_MOST} and plan.key_at is None and not (plan.unknown or plan.placement):
            return self._simple(content.header, plan)
        return partial(self._cells, plan)

    def _simple(self, header: Header, plan: Plan) -> Callable[[Any], Plain | None]:
        """For a spreadsheet of names: nothing but models, names and descriptions.

        Here the full validation would be most of the work. It must have accepted a model once; of the other two only the
        length is left to ask.
        """
        most_of_name, most_of_description = _MOST["name"], _MOST.get("description", 0)
        model_at, name_at = header.fields.index("modelId"), header.fields.index("name")
        description_at = header.fields.index("description") if "description" in header.fields else model_at
        has_description, size = "description" in header.fields, plan.size
        models: set[str] = set()

        def read(cells: Any) -> Plain | None:
            if type(cells) is list and len(cells) == size and (model := cells[model_at].strip()) in models:
                name, description = cells[name_at], cells[description_at].strip() if has_description else ""
                if (
                    len(name) <= most_of_name
                    and len(description) <= most_of_description
                    and name.strip()
                    and name.isprintable()  # so there is no NUL in it, and no line break
                    and "\0" not in description
                ):
                    body = {"modelId": model, "name": name}
                    if description:
                        body["description"] = description
                    return None, body, orjson.dumps(body)
            found = self._cells(plan, cells)
            if found is not None and len(models) < _MOST_MODELS:
                models.add(found[1]["modelId"])
            return found

        return read

    def _cells(self, plan: Plan, cells: list[str] | Broken) -> Plain | None:
        if isinstance(cells, Broken) or len(cells) != plan.size:
            return None
        if plan.unknown and not self.ignore_unknown and any(cells[place] for place in plan.unknown.values()):
            return None
        if plan.placement and any(cells[place] for place in plan.placement.values()):
            return None
        body = self.normaliser.of_cells(plan, cells)
        try:
            self.wrong(body)
            written = orjson.dumps(body)
        except (ValueError, TypeError):
            return None
        if not UNTYPED_FIELDS.isdisjoint(body):  # the schema asks nothing about these; the full validation does
            return None
        for place, name in plan.json_places:
            if name in body and doubt_of(cells[place].encode(), orjson.dumps(body[name])):
                return None
        key = None if plan.key_at is None else cells[plan.key_at].strip() or None
        if key is not None and self._is_odd(key):
            return None
        return key, body, written

    def _text(self, raw: bytes) -> Plain | None:
        try:
            fields = orjson.loads(raw)
            if type(fields) is not dict or ("spec" in fields and is_failure(fields)):
                return None
            plan = self.normaliser.plan(tuple(fields))
            if plan.placement and any(fields[name] is not None for name in plan.placement):
                return None
            body = self.normaliser.of_fields(plan, fields)
            written = orjson.dumps(fields)
            if written != raw and doubt_of(raw, written):
                return None
            self.wrong(body)
            if body is not fields:
                written = orjson.dumps(body)
        except (ValueError, TypeError):  # of orjson, too
            return None
        if not UNTYPED_FIELDS.isdisjoint(body):  # the schema asks nothing about these; the full validation does
            return None
        if plan.unknown and not self.ignore_unknown:
            return None
        if plan.key_at is None or (key := fields[KEY]) is None:
            return None, body, written
        if type(key) is not str or self._is_odd(key := key.strip()):
            return None
        return key, body, written

    def _is_odd(self, key: str) -> bool:
        return complaints.of_key(key) is not None or looks_like_api_key(key, self.api_keys)


def _nothing(_: object) -> None:
    """The lines of a failures file all get the full validation."""
