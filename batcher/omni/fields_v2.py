"""The table of fields under version 2: v1's with v2's limits and enums, and v2's own shapes (API.md 8 and 9).

Whatever v2 refuses by its schema is refused here first, so that a row that can't work is found before anything is sent. A
filter written as text is such a case: v2 answers it with 500, which would look like an unclear attempt.
"""

from __future__ import annotations

from dataclasses import replace

from .fields import AN_ITEM, DOCUMENT, ITEM, QUERY, Table
from .shapes import Anything, Array, Boolean, Either, Field, Map, Number, Object, Shape, Text

MOST_TILES = 48
MOST_PAGES = 15
FILTERS = ("string", "number", "date", "null", "boolean", "query", "user_attribute", "composite")
_SWITCHERS = (
    *("FIELD_SELECTION", "MULTI_FIELD_SELECTION", "FIELD_PICKER", "TOP_N"),
    *("PERIOD_OVER_PERIOD", "MULTI_FIELD_FILTER", "DYNAMIC_FILTER"),
)
CHART_TYPES = (
    *("auto", "area", "areaStacked", "areaStackedPercentage", "bar", "barLine", "barGrouped", "barStacked"),
    *("barStackedPercentage", "boxplot", "code", "column", "columnGrouped", "columnStacked"),
    *("columnStackedPercentage", "heatmap", "kpi", "line", "lineColor", "map", "regionMap", "markdown"),
    *("omni-ai-summary-markdown", "pie", "funnel", "sankey", "point", "pointColor", "pointSize", "pointSizeColor"),
    *("singleRecord", "omni-spreadsheet", "summaryValue", "svgMap", "table", "treemap"),
)
VIS_TYPES = (
    *("vegalite", "omni-ai-summary-markdown", "basic", "omni-kpi", "map", "omni-markdown", "funnel", "sankey"),
    *("single-record", "svg-map", "treemap", "omni-spreadsheet", "spreadsheet-tab", "summary-value", "omni-table"),
)
TILE_TYPES = ("blank", "csv", "query", "dataset", "spreadsheet", "sql", "dbt", "query-view", "linked")
RUN_QUERIES_ON = ("current-page", "all-pages")


def _one_of(names: tuple[str, ...]) -> Field:
    return Field(Text(pattern=f"^({'|'.join(names)})$"), f"one of {', '.join(names)}")


def _or_null(shape: Shape, allowed: str) -> Field:
    return Field(shape, allowed, is_nullable=True)


def _required(entry: Field) -> Field:
    return replace(entry, is_required=True)


_TEXT = Field(Text(), "text")
_TEXTS = Field(Array(_TEXT), "a JSON array of texts")
_OPEN = Object(is_open=True)
_OBJECT = Field(_OPEN, "a JSON object")
_FILTER = Field(
    Object({"type": _required(_one_of(FILTERS))}, is_open=True),
    'an object like {"type": "string", "kind": "EQUALS", "values": ["…"]}, as v2 takes no other filter',
)
_SORT = Field(
    Object(
        {
            "column_name": Field(Text(1), "the name of a field", is_required=True),
            "sort_descending": Field(Boolean(), "true or false", is_required=True),
        },
        is_open=True,
    ),
    'an object like {"column_name": "…", "sort_descending": true}',
)
_CALCULATION = Field(
    Object({"calc_name": Field(Text(1), "text", is_required=True), "format": _TEXT}, is_open=True),
    'an object like {"calc_name": "…"}',
)
_PERIOD = Field(
    Object(
        {
            "date_filter_field_name": Field(Text(1), "the name of a field", is_required=True),
            "periods_ago": Field(Number(), "a number", is_required=True),
            "time_unit_name": Field(Text(1), "text", is_required=True),
        },
        is_open=True,
    ),
    "an object with date_filter_field_name, periods_ago and time_unit_name",
)
_QUERY = Object(
    {
        **QUERY.fields,
        "filters": _or_null(Map(_FILTER), "an object of filters by field"),
        "sorts": _or_null(Array(_SORT), "a JSON array of sorts"),
        "calculations": _or_null(Array(_CALCULATION), "a JSON array of calculations"),
        "pivots": _or_null(Array(_TEXT), "a JSON array of field names"),
        "fill_fields": _or_null(Array(_TEXT), "a JSON array of field names"),
        "period_over_period": Field(Array(_PERIOD), "a JSON array"),
        "column_totals": _or_null(_OPEN, "a JSON object"),
        "row_totals": _or_null(_OPEN, "a JSON object"),
        "userEditedSQL": _or_null(Text(), "text"),
        "limit": _or_null(Number(), "a number"),
        "join_paths_from_topic_name": _or_null(Text(), "text"),
    },
    is_open=True,
)
_NAME = Field(Text(1, 144), "text of 1 to 144 characters")
_SUBTITLE = Field(Text(0, 250), "text of at most 250 characters", is_nullable=True)
_DESCRIPTION = Field(Text(0, 500), "text of at most 500 characters", is_nullable=True)
_CHART_TYPE, _VIS_TYPE = _one_of(CHART_TYPES), _one_of(VIS_TYPES)
_VIS = Object(
    {
        "chartType": replace(_CHART_TYPE, is_nullable=True),
        "visType": replace(_VIS_TYPE, is_nullable=True),
        "fields": _TEXTS,
        "version": Field(Number(), "a number"),
        "config": _OBJECT,
        "visConfig": _or_null(
            Object({"visType": replace(_VIS_TYPE, is_nullable=True), "config": _OBJECT}, is_open=True), "a JSON object"
        ),
    },
    is_open=True,
)
_AI = Field(
    Object(
        {"enabled": Field(Boolean(), "true or false"), "aiContext": _or_null(Text(), "text")},
        is_open=True,
    ),
    'an object like {"enabled": true, "aiContext": "…"}',
)
_AI_CONFIG = Field(
    Object({"description": _AI, "subTitle": _AI}, is_open=True), 'an object like {"description": {"enabled": true}}'
)
_ITEM = Object(
    {
        **ITEM.fields,
        "name": _required(_NAME),
        "query": _required(replace(ITEM.fields["query"], shape=_QUERY)),
        "description": _DESCRIPTION,
        "subTitle": _SUBTITLE,
        "chartType": _CHART_TYPE,
        "resultConfig": _OBJECT,
        "aiConfig": _AI_CONFIG,
        "visConfig": replace(ITEM.fields["visConfig"], shape=_VIS),
        "visType": _VIS_TYPE,  # these three belong into visConfig, and are moved there
        "config": _OBJECT,
        "fields": _TEXTS,
    }
)
_RECORD_KEY = "^[1-9][0-9]*$"
_TILE = Object(
    {
        "type": _required(_one_of(TILE_TYPES)),
        "name": _NAME,
        "subTitle": _SUBTITLE,
        "description": _DESCRIPTION,
        "topicName": _or_null(Text(), "text"),
        "prefersChart": Field(Boolean(), "true or false"),
        "automaticVis": _or_null(Boolean(), "true or false"),
        "isSql": _or_null(Boolean(), "true or false"),
        "filterOrder": _TEXTS,
        "query": _or_null(_QUERY, 'an object like {"table": "…", "fields": ["…"]}'),
        "visConfig": _or_null(_VIS, 'an object like {"chartType": "…", "visConfig": {"visType": "…", "config": {}}}'),
        "resultConfig": _OBJECT,
        "aiConfig": replace(_AI_CONFIG, is_nullable=True),
        "sourceQueryPresentationKey": Field(Text(pattern=_RECORD_KEY), "the key of a tile"),
        "editingModelObjectName": _TEXT,
        "editingModelObjectNameChange": Field(Anything()),
        "fileUploadId": _TEXT,
    }
)
_TILES = Object(
    {
        "data": Field(
            Map(Field(_TILE, 'an object like {"type": "query", "name": "…"}', is_nullable=True), _RECORD_KEY),
            'an object of tiles by "1", "2", …',
            is_required=True,
        ),
        "order": Field(Array(Field(Text(), "a key of data")), 'a JSON array of keys of data like ["1", "2"]'),
    }
)
_CONTROL_TYPE = _required(_one_of((*FILTERS, *_SWITCHERS)))
_CONFIG = Field(
    Object({"type": _CONTROL_TYPE}, is_open=True),
    'an object like {"type": "string", "fieldName": "…", "kind": "EQUALS", "values": ["…"]}',
)
_CONTROL = Object({"config": _required(_CONFIG), "map": _OBJECT})
_CONTROLS = Object(
    {
        "data": Field(
            Map(Field(_CONTROL, 'an object like {"config": {…}}', is_nullable=True)),
            "an object of controls by id",
            is_required=True,
        ),
        "order": Field(Array(Field(Text(), "a control's id")), 'a JSON array of ids of controls like ["f1", "f2"]'),
    }
)
_LISTED_CONTROL = Object({"id": Field(Text(1), "text", is_required=True), "type": _CONTROL_TYPE}, is_open=True)
_SETTINGS = Object(
    {
        "crossfilterEnabled": Field(Boolean(), "true or false"),
        "facetFilters": Field(Boolean(), "true or false"),
        "refreshInterval": _or_null(Number(), "a number of seconds"),
        "runQueriesOn": replace(_one_of(RUN_QUERIES_ON), is_nullable=True),
        "customText": _or_null(Object({"queryError": _TEXT, "queryNoResults": _TEXT}), "an object of texts"),
    }
)
V2 = Table(
    Object(
        {
            **DOCUMENT.fields,
            "queryPresentations": Field(
                Either(Array(Field(_ITEM, f"an object like {AN_ITEM}")), _TILES),
                f"a JSON array of objects like {AN_ITEM}, or v2's own {{data, order}}",
            ),
            "filterConfig": Field(Map(_CONFIG), "a JSON object of filters by id"),
            "controls": Field(
                Either(Array(Field(_LISTED_CONTROL, 'an object like {"id": "…", "type": "…"}')), _CONTROLS),
                "a JSON object like {data, order}",
            ),
            "settings": Field(_SETTINGS, "a JSON object"),
            "containers": Field(Array(_OBJECT), "a JSON array of containers"),
            "summary": Field(Text(1, 255), "text of 1 to 255 characters"),
        }
    ),
    _ITEM,
)
