"""A spec against a document as either version reads it back: what is ours matches, what isn't doesn't."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from batcher.models import ApiVersion
from batcher.omni import comparable
from batcher.omni.v2_body import body_of
from batcher.omni.verdicts import Document

V1, V2 = ApiVersion.V1, ApiVersion.V2
QUERY = {"table": "orders", "fields": ["orders.total"], "filters": {"a": {"type": "string", "values": ["x"]}}}
REGION = {"type": "string", "fieldName": "orders.region", "values": ["EMEA"]}
SPEC: dict[str, Any] = {
    "modelId": "b3f1c9d2-6a47-4e1b-8f53-2d9a7c04e6b1",
    "name": "Sales",
    "identifier": "sales",
    "description": "d",
    "facetFilters": True,
    "filterConfig": {"r": REGION},
    "queryPresentations": [
        {"name": "t", "query": QUERY, "visConfig": {"visType": "basic", "config": {"x": 1}}},
        {"name": "u", "query": QUERY, "chartType": "kpi"},
    ],
}
SEED = {"type": "blank", "name": "Query 1", "query": None, "automaticVis": True}


def read_by_v2(spec: dict[str, Any] = SPEC) -> dict[str, Any]:
    """What v2 reads back of a document that it made of this spec: its own additions, and everything there."""
    body = body_of(spec)
    del body["identifier"]
    tiles = body.get("queryPresentations", {"data": {"1": SEED}, "order": ["1"]})
    data = {key: {"aiConfig": None, "isSql": None} | tile for key, tile in tiles["data"].items()}
    for tile in data.values():
        if tile["query"] is not None:
            tile["query"] = tile["query"] | {"modelId": "of the workbook"}
    if "1" in data:
        data["1"] = data["1"] | {"automaticVis": True}
    more = {"workbookModelId": "w", "settings": {"crossfilterEnabled": False} | body.get("settings", {})}
    read: dict[str, Any] = orjson.loads(orjson.dumps(body | more | {"queryPresentations": tiles | {"data": data}}))
    return read


def parts(spec: dict[str, Any], read: dict[str, Any], version: ApiVersion = V2) -> list[str]:
    """The parts that differ."""
    document = Document(read, version)
    found = [one.part for one in comparable.differences(orjson.dumps(spec), document) if not one.is_note]
    assert comparable.is_match(orjson.dumps(spec), document) == (not found)
    return found


def test_what_v2_made_of_a_spec_matches_it() -> None:
    """With all that the server adds; also where the inner chart comes back flat, and the order is another."""
    assert parts(SPEC, read_by_v2()) == []
    flat = read_by_v2()
    vis = flat["queryPresentations"]["data"]["1"]["visConfig"]
    vis["visConfig"] = {"visType": "basic", "x": 1}
    assert parts(SPEC, flat) == []
    renumbered = read_by_v2()
    data = renumbered["queryPresentations"]["data"]
    renumbered["queryPresentations"] = {"data": {"9": data["1"], "4": data["2"]}, "order": ["9", "4"]}
    assert parts(SPEC, renumbered) == []


@pytest.mark.parametrize(
    ("path", "value", "part"),
    [
        ("name", "other", "name"),
        ("description", None, "description"),
        ("modelId", "other", "modelId"),
        ("settings.facetFilters", False, "settings.facetFilters"),
        ("controls.data.r.config.values", ["APAC"], "controls.data.r.config.values"),
        ("controls.data", {}, "controls.data.r"),
        ("queryPresentations.data.1.query.table", "x", "queryPresentations[0].query.table"),
        ("queryPresentations.data.2.query.filters.b", {}, "queryPresentations[1].query.filters"),
        ("queryPresentations.data.2.query.sorts", [{"column_name": "a"}], "queryPresentations[1].query.sorts"),
        ("queryPresentations.data.2.visConfig.chartType", "line", "queryPresentations[1].visConfig.chartType"),
        (
            "queryPresentations.data.1.visConfig.visConfig.config.x",
            2,
            "queryPresentations[0].visConfig.visConfig.config.x",
        ),
        ("queryPresentations.data.3", {"name": "w", "query": QUERY}, "queryPresentations"),
        ("queryPresentations.order", ["2", "1"], "queryPresentations[0].name"),
    ],
)
def test_what_was_sent_otherwise_differs(path: str, value: object, part: str) -> None:
    """Nothing that a person could have made otherwise passes for ours."""
    read = read_by_v2()
    *inside, last = path.split(".")
    place: Any = read
    for name in inside:
        place = place[name]
    place[last] = value
    assert part in parts(SPEC, read)


def test_what_only_the_body_has_is_not_compared() -> None:
    """A document that v1 made, read by v2: other containers, another automatic chart, another kind of chart."""
    read = read_by_v2()
    read["containers"] = []
    for tile in read["queryPresentations"]["data"].values():
        del tile["query"]["userEditedSQL"]
        tile["automaticVis"] = True
        tile["type"] = "sql"
    read["queryPresentations"]["data"]["2"]["visConfig"] = {"chartType": "kpi", "fields": ["other"], "version": 7}
    assert parts(SPEC, read) == []


def test_a_document_without_tiles_has_a_seed() -> None:
    """Which is nobody's content. A tile that somebody made of it is."""
    bare = {name: SPEC[name] for name in ("modelId", "name", "identifier")}
    assert parts(bare, read_by_v2(bare)) == []
    used = read_by_v2(bare)
    used["queryPresentations"]["data"]["1"]["query"] = QUERY
    assert parts(bare, used) == ["queryPresentations"]


OWN: dict[str, Any] = {
    "modelId": SPEC["modelId"],
    "name": "Sales",
    "identifier": "sales",
    "summary": "by hand",
    "queryPresentations": {
        "data": {
            "1": None,
            "3": {"type": "query", "name": "t", "query": QUERY | {"modelId": "m"}, "automaticVis": False},
            "2": {"type": "query", "name": "u", "query": QUERY, "visConfig": {"chartType": "kpi", "fields": ["a"]}},
        },
        "order": ["2", "3"],
    },
    "controls": {"data": {"r": {"config": REGION}}, "order": ["r"]},
    "containers": [{"containerType": "page", "instanceKey": "p"}],
}


def test_v2s_own_shapes_are_compared_as_they_are() -> None:
    """Their layout, too, as the row says it."""
    read = read_by_v2({**OWN, "queryPresentations": {**OWN["queryPresentations"], "data": {
        key: tile for key, tile in OWN["queryPresentations"]["data"].items() if tile is not None
    }}})  # fmt: skip
    assert parts(OWN, read) == []
    assert parts(OWN, read | {"containers": []}) == ["containers"]
    read["queryPresentations"]["data"]["3"]["automaticVis"] = True
    assert parts(OWN, read) == ["queryPresentations[1].automaticVis"]


def test_v2s_own_shapes_are_compared_as_v1_reads_them() -> None:
    """What v1 has no place for doesn't come back, which proves nothing."""
    tile = {"name": "t", "query": QUERY}
    vis = {"chartType": "kpi", "visConfig": {"fields": ["a"], "visType": None}}
    read = {"name": "Sales", "modelId": OWN["modelId"], "filterConfig": {"r": REGION}}
    echoed = read | {"queryPresentations": [tile | {"name": "u"} | vis, tile | {"chartType": None}]}
    assert parts(OWN, echoed, V1) == []
    assert parts(OWN, read | {"queryPresentations": [tile]}, V1) == ["queryPresentations"]
    assert parts(OWN, echoed | {"filterConfig": {"r": REGION | {"values": []}}}, V1) == ["filterConfig.r.values"]
