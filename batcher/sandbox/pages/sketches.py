"""A sketch for each family of charts: it says what kind of picture a tile will be, and shows no data."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from .frame import element

_SKETCHES = {
    "bars": "M4 30h10v14H4zM20 18h10v26H20zM36 24h10v20H36zM52 8h10v36H52zM68 14h10v30H68z",
    "line": "M2 38l18-12 16 6 18-18 14 6 12-14v4L68 24l-14-6-18 18-16-6L2 42z",
    "pie": "M40 4a20 20 0 1 1-17.3 30L40 24zM37 2v20L20 32A20 20 0 0 1 37 2z",
    "table": "M4 4h72v8H4zM4 18h20v4H4zM30 18h20v4H30zM56 18h20v4H56zM4 28h20v4H4zM30 28h20v4H30zM56 28h20v4H56z"
    "M4 38h20v4H4zM30 38h20v4H30zM56 38h20v4H56z",
    "points": "M10 34a4 4 0 1 0 .1 0zM24 22a4 4 0 1 0 .1 0zM38 28a4 4 0 1 0 .1 0zM52 12a4 4 0 1 0 .1 0zM68 8a4 4 0 1 0 .1 0z",
}
_FAMILIES = {
    "line": ("line", "area"),
    "bars": ("bar", "column", "boxplot", "funnel", "sankey", "heatmap", "treemap"),
    "pie": ("pie",),
    "number": ("kpi", "omni-kpi", "summary", "single"),
    "points": ("point", "map", "regionMap", "svg"),
}


def sketch_of(chart: str | None) -> ET.Element:
    """The sketch of a chart by the API's word for it; a table where nothing says what it is."""
    names = (family for family, words in _FAMILIES.items() if (chart or "").startswith(words))
    family = next(names, "table")
    number = element("text", "123", x="40", y="36", text_anchor="middle", font_size="34", font_weight="700")
    drawing = number if family == "number" else element("path", d=_SKETCHES[family])
    return element("svg", drawing, viewBox="0 0 80 48", class_="sketch", aria_hidden="true")
