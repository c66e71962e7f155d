"""The page of one document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

import orjson

from ..answers.ids import iso
from ..answers.state import is_app
from ..calls import Response
from ..store import Document, Folder, Label
from .frame import chips, element, link, response
from .sketches import sketch_of
from .view import Sheet, Tile, View, view_of, words_of

_WIDE, _NARROW = 13, 8  # columns of 24


def page_of(document: Document, folders: Sequence[Folder], labels: Sequence[Label]) -> Response:
    """The document as a reader would see it; `folders` lead from the top down to it."""
    head = element("div", _trail(document, folders), element("h1", document.name), class_="head")
    description = orjson.loads(document.body).get("description")
    if description:
        head.append(element("p", description, class_="lead"))
    if labels:
        head.append(chips([label.name for label in labels], "labels"))
    if is_app(document):
        html = orjson.loads(document.body)["app"]["html"]
        body = [element("p", "An HTML app. Its source, which is not run here:"), element("pre", html)]
    else:
        body = _body(view_of(document))
    return response(200, document.name, head, *body, _facts(document))


def _trail(document: Document, folders: Sequence[Folder]) -> ET.Element:
    steps = [link("/", "Documents"), *(link(f"/f/{folder.id}", folder.name) for folder in folders)]
    if not folders and document.scope == "restricted":
        steps.append(link("/f/personal", "Personal folder"))
    return element("nav", *(element("span", step) for step in steps), class_="trail", aria_label="Folders")


def _body(view: View) -> list[ET.Element]:
    body = []
    if view.filters:
        filters = (
            element("li", element("b", each.name), element("span", each.value or "any value")) for each in view.filters
        )
        body.append(element("ul", *filters, class_="filters", aria_label="Filters"))
    body += [element("p", note, class_="aside") for note in view.notes]
    if not any(sheet.tiles for sheet in view.sheets):
        body.append(element("p", "It has no tiles.", class_="empty"))
    return body + [part for sheet in view.sheets for part in _sheet(sheet, is_one=len(view.sheets) == 1)]


def _sheet(sheet: Sheet, *, is_one: bool) -> list[ET.Element]:
    heading = [] if is_one else [element("h2", sheet.name)]
    return [*heading, element("div", *map(_tile, sheet.tiles), class_="tiles")]


def _tile(tile: Tile) -> ET.Element:
    width = "wide" if tile.width >= _WIDE else "narrow" if tile.width <= _NARROW else "half"
    if tile.text is not None:
        return element("section", element("p", tile.text, class_="text"), class_=f"tile {width}")
    card = element("section", element("h3", tile.name or "Untitled"), class_=f"tile {width}")
    if tile.sub_title:
        card.append(element("p", tile.sub_title, class_="sub"))
    if tile.is_missing:
        card.append(element("p", "Item missing: it has no visConfig, and automaticVis isn't true.", class_="aside"))
    else:
        words = tile.chart or "chosen by Omni"
        card.append(element("figure", sketch_of(tile.chart), element("figcaption", words)))
    if tile.description:
        card.append(element("p", tile.description, class_="sub"))
    if tile.query is not None:
        card.extend(_query(tile.query, tile.topic))
    return card


def _query(query: Mapping[str, Any], topic: str | None) -> list[ET.Element]:
    rows = element("dl")

    def row(name: str, *values: ET.Element | str) -> None:
        rows.extend([element("dt", name), element("dd", *values)])

    row("Table", str(query.get("table", "")))
    if topic:
        row("Topic", topic)
    row("Fields", chips(map(str, query.get("fields", [])), "fields"))
    if isinstance(filters := query.get("filters"), dict) and filters:
        row("Filters", *(element("div", f"{field} {words_of(value)}") for field, value in filters.items()))
    if isinstance(sorts := query.get("sorts"), list) and sorts:
        row("Sorted by", *(element("div", _sort(sort)) for sort in sorts))
    if (limit := query.get("limit")) is not None:
        row("Limit", str(limit))
    if query.get("userEditedSQL"):
        row("SQL", element("pre", str(query["userEditedSQL"])))
    whole = element("pre", orjson.dumps(query, option=orjson.OPT_INDENT_2).decode())
    return [rows, element("details", element("summary", "The whole query"), whole)]


def _sort(sort: object) -> str:
    if not isinstance(sort, dict):
        return words_of(sort)
    return f"{sort.get('column_name', '')} {'↓' if sort.get('sort_descending') else '↑'}"


def _facts(document: Document) -> ET.Element:
    facts = {
        "Identifier": document.identifier,
        "Model": document.model_id,
        "Created": f"{iso(document.created_at)[:16].replace('T', ' ')} UTC by API {document.api}",
    }
    rows = [part for name, value in facts.items() for part in (element("dt", name), element("dd", value))]
    return element("footer", element("dl", *rows))
