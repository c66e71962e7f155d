"""A spec as version 2's body: each row of API.md's table (section 9)."""

from __future__ import annotations

from typing import Any

import pytest

from batcher.models import ApiVersion
from batcher.omni.v2_body import body_of
from batcher.omni.v2_rules import problems
from batcher.validate.schema import VALIDATE

MODEL = "b3f1c9d2-6a47-4e1b-8f53-2d9a7c04e6b1"
PLAIN = {"table": "orders", "fields": ["orders.total"]}
EMPTY = {
    "calculations": [], "column_totals": {}, "fill_fields": [], "filters": {}, "pivots": [], "row_totals": {},
    "sorts": [], "userEditedSQL": "",
}  # fmt: skip
QUERY = PLAIN | EMPTY
IS_ONE = {"type": "string", "kind": "EQUALS", "values": ["one"]}
REGION = IS_ONE | {"fieldName": "orders.region"}
PICKER = {"type": "FIELD_SELECTION", "field": "x"}


def converted(**fields: Any) -> dict[str, Any]:
    """The body of a spec with these fields, which the check lets pass, without model and name."""
    spec = {"modelId": MODEL, "name": "Sales", **fields}
    VALIDATE[ApiVersion.V2](spec)
    assert list(problems(spec)) == []
    body = body_of(spec)
    assert (body.pop("modelId"), body.pop("name")) == (MODEL, "Sales")
    return body


def tile_of(**item: Any) -> dict[str, Any]:
    """The one tile of such an item."""
    presentations = converted(queryPresentations=[{"name": "t", "query": PLAIN, **item}])["queryPresentations"]
    assert presentations["order"] == ["1"]
    tile: dict[str, Any] = presentations["data"]["1"]
    return tile


def vis_of(**item: Any) -> dict[str, Any]:
    """What becomes of the chart of such an item."""
    tile = tile_of(**item)
    assert tile["automaticVis"] is False
    vis: dict[str, Any] = tile["visConfig"]
    return vis


def test_what_both_versions_call_the_same_stays() -> None:
    """Model and name as in every test; nothing is made of what isn't there."""
    assert converted(identifier="sales", description="d") == {"identifier": "sales", "description": "d"}
    assert converted(queryPresentations=[]) == {}
    assert body_of({"modelId": MODEL, "name": "a"}, "f") == {"modelId": MODEL, "name": "a", "folderId": "f"}


def test_tiles_get_record_keys_and_an_order() -> None:
    """From 1, as text; each is a query with automatic chart, and its name."""
    tiles = converted(queryPresentations=[{"name": name, "query": PLAIN} for name in "abc"])["queryPresentations"]
    assert tiles["order"] == ["1", "2", "3"] == list(tiles["data"])
    assert [tile.pop("name") for tile in tiles["data"].values()] == ["a", "b", "c"]
    assert all(tile == {"type": "query", "query": QUERY, "automaticVis": True} for tile in tiles["data"].values())


def test_what_a_tile_says_of_itself_stays() -> None:
    """Under the same names."""
    said = {
        "subTitle": "s", "description": "d", "topicName": "t", "prefersChart": True,
        "resultConfig": {"a": 1}, "aiConfig": {"description": {"enabled": True}},
    }  # fmt: skip
    assert tile_of(**said) == {"type": "query", "name": "t", **said, "query": QUERY, "automaticVis": True}


@pytest.mark.parametrize(
    ("item", "vis"),
    [
        ({"chartType": "code"}, {"chartType": "code"}),
        ({"chartType": "lineColor"}, {"chartType": "lineColor", "visConfig": {"visType": "basic", "config": {}}}),
        ({"chartType": "kpi"}, {"chartType": "kpi", "visConfig": {"visType": "omni-kpi", "config": {}}}),
        ({"visConfig": {"visType": "map"}}, {"visConfig": {"visType": "map", "config": {}}}),
        (
            {"visConfig": {"visType": "basic", "config": {"x": [1]}, "chartType": "bar"}},
            {"chartType": "bar", "visConfig": {"visType": "basic", "config": {"x": [1]}}},
        ),
        ({"visConfig": {"config": {"x": 1}, "extras": {"e": 1}}}, {"extras": {"e": 1}, "visConfig": {"config": {"x": 1}}}),
        ({"visConfig": {"fields": ["a"]}, "chartType": "code"}, {"chartType": "code", "fields": ["a"]}),
        ({"fields": ["a"], "chartType": "code"}, {"chartType": "code", "fields": ["a"]}),
        ({"visType": "basic", "config": {"x": 1}}, {"visConfig": {"visType": "basic", "config": {"x": 1}}}),
        (
            {"visConfig": {"chartType": "line", "version": 3, "visConfig": {"visType": "basic", "config": {}}}},
            {"chartType": "line", "version": 3, "visConfig": {"visType": "basic", "config": {}}},
        ),
    ],
)  # fmt: skip
def test_a_chart_moves_to_where_v2_has_it(item: dict[str, Any], vis: dict[str, Any]) -> None:
    """The query's fields and a version come with it."""
    assert vis_of(**item) == {"fields": PLAIN["fields"], "version": 0} | vis


def test_a_tile_of_which_no_chart_is_known_gets_an_automatic_one() -> None:
    """Else a reader sees "Item missing"."""
    assert tile_of(visConfig={"fields": ["a"]})["automaticVis"] is True


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        ({"limit": 5, "anything": [1]}, {"limit": 5, "anything": [1]}),
        ({"modelId": "m", "model_extension_id": "e", "visConfig": {}}, {}),
        ({"join_paths_from_topic_name": None, "filters": None, "sorts": None}, {}),
        ({"join_paths_from_topic_name": "t"}, {"join_paths_from_topic_name": "t"}),
        ({"filters": {"a": IS_ONE}, "sorts": []}, {"filters": {"a": IS_ONE}}),
    ],
)  # fmt: skip
def test_a_query_has_its_ten_keys(query: dict[str, Any], sent: dict[str, Any]) -> None:
    """Without what the server puts in itself, and without nulls that it refuses."""
    assert tile_of(query=PLAIN | query)["query"] == QUERY | sent
    assert len(QUERY) == 10


def test_filters_become_controls_that_can_be_seen() -> None:
    """In the given order, the others after it; a filter bar and a grid are made. What was hidden is in no container."""
    body = converted(
        filterConfig={"a": REGION, "b": PICKER, "c": REGION | {"hidden": True}, "d": REGION | {"hidden": False}},
        filterOrder=["b", "a"],
        queryPresentations=[{"name": name, "query": PLAIN} for name in ("x", "y", "z")],
    )
    assert body["controls"] == {
        "data": {"a": {"config": REGION}, "b": {"config": PICKER}, "c": {"config": REGION}, "d": {"config": REGION}},
        "order": ["b", "a", "c", "d"],
    }
    bar, page = body["containers"]
    assert bar["instanceKey"] == "filter-bar"
    assert [(one["type"], one["id"]) for one in bar["children"]] == [("control", "b"), ("filter", "a"), ("filter", "d")]
    stacks = page["container"]["children"]
    assert [stack["metadata"]["attachedQueryKey"] for stack in stacks] == ["1", "2", "3"]
    assert [(place["x"], place["y"], place["w"], place["h"]) for place in (one["gridPosition"] for one in stacks)] == [
        (0, 0, 12, 48), (12, 0, 12, 48), (0, 48, 12, 48),
    ]  # fmt: skip
    assert list(problems({"containers": body["containers"]})) == []


def test_without_filters_the_layout_is_v2s() -> None:
    """It places every tile itself. So it is with filters that nobody is to see."""
    tiles = [{"name": "x", "query": PLAIN}]
    assert "containers" not in converted(queryPresentations=tiles)
    assert "containers" not in converted(queryPresentations=tiles, filterConfig={"a": REGION | {"hidden": True}})


def test_an_array_of_controls_is_a_filter_config() -> None:
    """An undocumented shape of v1."""
    control = REGION | {"id": "r"}
    body = converted(controls=[control], queryPresentations=[{"name": "x", "query": PLAIN}])
    assert body["controls"] == {"data": {"r": {"config": control}}, "order": ["r"]}
    assert body["containers"][0]["children"] == [{"type": "filter", "id": "r", "instanceKey": "control-1"}]


def test_facet_filters_are_a_setting() -> None:
    """Next to others."""
    assert converted(facetFilters=True) == {"settings": {"facetFilters": True}}
    body = converted(facetFilters=False, settings={"runQueriesOn": "all-pages"})
    assert body["settings"] == {"runQueriesOn": "all-pages", "facetFilters": False}


def test_v2s_own_shapes_stay() -> None:
    """Only queries are completed, as the server refuses others and puts in its own model."""
    tiles = {
        "data": {
            "1": None,
            "2": {"type": "query", "name": "t", "query": PLAIN | {"modelId": "m"}},
            "7": {"type": "blank"},
        },
        "order": ["2", "7"],
    }
    own = {
        "controls": {"data": {"r": {"config": REGION, "map": {"2": False}}}, "order": ["r"]},
        "settings": {"refreshInterval": None, "crossfilterEnabled": True},
        "containers": [{"containerType": "page", "instanceKey": "p"}],
        "summary": "nightly",
    }
    body = converted(queryPresentations=tiles, **own)
    assert {name: body[name] for name in own} == own
    assert body["queryPresentations"]["order"] == ["2", "7"]
    data = body["queryPresentations"]["data"]
    assert data == {"1": None, "2": {"type": "query", "name": "t", "query": QUERY}, "7": {"type": "blank"}}
    assert "containers" not in converted(queryPresentations=tiles, controls=own["controls"])


def test_own_tiles_are_laid_out_too() -> None:
    """Those of a dashboard, once each; a KPI is half as high."""
    kpi = {"type": "query", "name": "k", "visConfig": {"chartType": "kpi", "visConfig": {"visType": "omni-kpi"}}}
    tiles = {"data": {"1": {"type": "csv"}, "2": None, "3": kpi, "4": {"type": "blank"}}, "order": ["4", "1", "4"]}
    body = converted(queryPresentations=tiles, filterConfig={"a": REGION})
    stacks = body["containers"][1]["container"]["children"]
    assert [(one["metadata"]["attachedQueryKey"], one["gridPosition"]["h"]) for one in stacks] == [("4", 48), ("3", 24)]
