"""What a tile of a v2 create may hold (API.md 8)."""

from __future__ import annotations

from collections.abc import Mapping

from .schema import (
    ANYTHING,
    BOOLEAN,
    LET_STRINGS_PASS,
    NUMBER,
    OBJECT,
    STRING,
    STRINGS,
    Schema,
    nullable,
    reference,
)


def _words(text: str) -> list[str]:
    return text.split()


RECORD_KEY = "^[1-9][0-9]*$"
TYPES = ["blank", "csv", "query", "dataset", "spreadsheet", "sql", "dbt", "query-view", "linked"]
CHART_TYPES = _words("""auto area areaStacked areaStackedPercentage bar barLine barGrouped barStacked barStackedPercentage boxplot
code column columnGrouped columnStacked columnStackedPercentage heatmap kpi line lineColor map regionMap markdown
omni-ai-summary-markdown pie funnel sankey point pointColor pointSize pointSizeColor singleRecord omni-spreadsheet
summaryValue svgMap table treemap""")
VIS_TYPES = _words("""vegalite omni-ai-summary-markdown basic omni-kpi map omni-markdown funnel sankey single-record svg-map
treemap omni-spreadsheet spreadsheet-tab summary-value omni-table""")
FILTER_TYPES = ["string", "number", "date", "null", "boolean", "query", "user_attribute", "composite"]

FILTER: Schema = {
    "type": "object",
    "required": ["type"],
    "properties": {"type": {"type": "string", "enum": FILTER_TYPES}},
    LET_STRINGS_PASS: True,
}
SORT: Schema = {
    "type": "object",
    "required": ["column_name", "sort_descending"],
    "properties": {"column_name": STRING, "sort_descending": BOOLEAN},
}
QUERY: Schema = {
    "type": ["object", "null"],
    "required": [
        "calculations",
        "column_totals",
        "fields",
        "fill_fields",
        "filters",
        "pivots",
        "row_totals",
        "sorts",
        "table",
        "userEditedSQL",
    ],
    "properties": {
        "calculations": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["calc_name"],
                "properties": {"calc_name": STRING, "format": STRING},
            },
        },
        "column_totals": OBJECT,
        "fields": STRINGS,
        "fill_fields": STRINGS,
        "filters": {"type": "object", "additionalProperties": reference("FilterV2")},
        "pivots": STRINGS,
        "row_totals": OBJECT,
        "sorts": {"type": "array", "items": SORT},
        "table": STRING,
        "userEditedSQL": STRING,
        "limit": nullable(NUMBER),
        "join_paths_from_topic_name": STRING,
        "period_over_period": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["date_filter_field_name", "periods_ago", "time_unit_name"],
                "properties": {"date_filter_field_name": STRING, "periods_ago": NUMBER, "time_unit_name": STRING},
            },
        },
    },
}
VIS: Schema = {
    "type": ["object", "null"],
    "properties": {
        "chartType": {"type": ["string", "null"], "enum": [*CHART_TYPES, None]},
        "fields": STRINGS,
        "version": NUMBER,
        "visConfig": {
            "type": ["object", "null"],
            "properties": {"visType": {"type": ["string", "null"], "enum": [*VIS_TYPES, None]}, "config": OBJECT},
        },
    },
}
_AI: Schema = {
    "type": "object",
    "properties": {"enabled": BOOLEAN, "aiContext": nullable(STRING)},
}
TILE: Schema = {
    "type": ["object", "null"],
    "required": ["type"],
    "properties": {
        "type": {"type": "string", "enum": TYPES},
        "name": {"type": "string", "minLength": 1, "maxLength": 144},
        "subTitle": nullable({"type": "string", "maxLength": 250}),
        "description": nullable({"type": "string", "maxLength": 500}),
        "topicName": nullable(STRING),
        "prefersChart": BOOLEAN,
        "automaticVis": nullable(BOOLEAN),
        "isSql": nullable(BOOLEAN),
        "filterOrder": STRINGS,
        "query": reference("QueryV2"),
        "visConfig": reference("VisConfigV2"),
        "resultConfig": OBJECT,
        "aiConfig": {"type": ["object", "null"], "properties": {"description": _AI, "subTitle": _AI}},
        "sourceQueryPresentationKey": {"type": "string", "pattern": RECORD_KEY, "description": "Invalid record key"},
        "editingModelObjectName": ANYTHING,
        "editingModelObjectNameChange": ANYTHING,
        "fileUploadId": STRING,
    },
    "additionalProperties": False,
}
_ONLY = {
    "sourceQueryPresentationKey": {"linked"},
    "editingModelObjectName": {"dataset", "query-view"},
    "editingModelObjectNameChange": {"dataset", "query-view"},
    "fileUploadId": {"csv", "spreadsheet"},
}
SCHEMAS: Mapping[str, Schema] = {"TileV2": TILE, "QueryV2": QUERY, "VisConfigV2": VIS, "FilterV2": FILTER}


def type_problems(tile: Mapping[str, object], path: str) -> list[str]:
    """What one of these types alone may have, or must have."""
    kind = tile["type"]
    found = [
        f"{path}: {key} is not allowed on type {kind}"
        for key, kinds in _ONLY.items()
        if key in tile and kind not in kinds
    ]
    if kind == "linked" and "sourceQueryPresentationKey" not in tile:
        found.append(f"{path}: sourceQueryPresentationKey is required on type linked")
    return found
