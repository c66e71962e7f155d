"""v2's validation: right bodies pass, wrong ones are refused in the words of the newer endpoints (API.md 8)."""

from __future__ import annotations

from typing import Any

import pytest

from batcher.sandbox.rules.v2 import problems, string_filter

from .client import MODEL, QUERY_V2, TILE_V2, tiles

FILTER = {"type": "string", "kind": "EQUALS", "values": ["complete"]}
PAGE = {"instanceKey": "p", "containerType": "page", "container": {"containerType": "grid", "children": []}}


def body(**fields: Any) -> dict[str, Any]:
    """A right body, changed."""
    return {"modelId": MODEL, "name": "Sales", **fields}


def tile(**fields: Any) -> dict[str, Any]:
    """A body with one tile, changed."""
    return body(queryPresentations=tiles(TILE_V2 | fields))


def query(**fields: Any) -> dict[str, Any]:
    """A body with one tile, its query changed."""
    return tile(query=QUERY_V2 | fields)


def control(config: Any) -> dict[str, Any]:
    """A body with one control."""
    return body(controls={"data": {"f": {"config": config}}, "order": ["f"]})


def grid(x: int, w: int) -> list[Any]:
    """One page with one tile at this place."""
    place = {"instanceKey": "t", "gridPosition": {"x": x, "y": 0, "w": w, "h": 1}}
    return [{"instanceKey": "p", "containerType": "page", "container": {"children": [place]}}]


@pytest.mark.parametrize(
    "right",
    [
        body(),
        body(name="x" * 254, identifier="-a_", description=None, folderId=None, summary="s" * 255),
        body(description="x" * 5000, folderId=MODEL),
        body(queryPresentations=tiles(*[TILE_V2] * 48)),
        body(queryPresentations=tiles(None, TILE_V2, order=["2"])),
        tile(
            visConfig={"chartType": "bar", "fields": [], "version": 0, "visConfig": {"visType": "basic", "config": {}}}
        ),
        tile(visConfig={"chartType": None, "more": 1}, subTitle=None, description=None, topicName=None, aiConfig=None),
        query(limit=100, join_paths_from_topic_name="", anything=1, filters={"a.b": FILTER}),
        query(filters={"a.b": "last 6 months"}),
        control(FILTER | {"fieldName": "a.b", "label": "A"}),
        control({"type": "FIELD_SELECTION", "options": []}),
        body(controls={"data": {"f": {"config": FILTER, "map": {"1": False, "2": "a.c"}}, "g": None}, "order": ["f"]}),
        body(settings={"facetFilters": True, "refreshInterval": None, "unheard-of": 1}),
        body(containers=[PAGE]),
        body(containers=None),
        body(containers=grid(12, 12)),
        body(app={"html": "<p>"}),
    ],
)
def test_right_bodies_pass(right: dict[str, Any]) -> None:
    """What the facts allow has no problems."""
    assert problems(right) == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([], "Invalid input: expected object, received array"),
        ({"name": "Sales"}, "modelId: Invalid input: expected string, received undefined"),
        (body(modelId="abc"), "modelId: Invalid UUID"),
        (body(name=""), "name cannot be empty"),
        (body(name="x" * 255), "name must be 254 characters or fewer"),
        (body(identifier="a"), "identifier must be at least 2 characters"),
        (body(identifier="a" * 49), "identifier must be 48 characters or fewer"),
        (
            body(identifier="Ab"),
            "identifier: identifier may only contain lowercase letters, numbers, hyphens and underscores",
        ),
        (body(folderId="x"), "folderId: Invalid UUID"),
        (body(summary=""), "summary cannot be empty"),
        *(
            (body(**{key: 1}), f'Unrecognized key: "{key}"')
            for key in ("branchId", "metadata", "filterConfig", "userId")
        ),
        (body(queryPresentations="{}"), "queryPresentations: Invalid input: expected object, received string"),
        (body(queryPresentations=[]), "queryPresentations: Invalid input: expected object, received array"),
        (body(queryPresentations={"data": {"0": TILE_V2}}), "queryPresentations.data: Invalid key in record"),
        (body(queryPresentations={"data": {"a": TILE_V2}}), "queryPresentations.data: Invalid key in record"),
        (body(queryPresentations={"tiles": {}}), 'queryPresentations: Unrecognized key: "tiles"'),
        (
            body(queryPresentations=tiles(*[TILE_V2] * 49)),
            "A single patch may carry at most 48 query presentations.",
        ),
        (
            body(queryPresentations=tiles(TILE_V2, None, order=["1", "2", "7"])),
            "order references unknown query presentation IDs: 2, 7",
        ),
        (
            body(queryPresentations={"data": {"1": {"name": "x"}}}),
            "queryPresentations.data.1.type: Invalid input: expected string, received undefined",
        ),
        (tile(colour=1), 'queryPresentations.data.1: Unrecognized key: "colour"'),
        (tile(chartType="bar"), 'queryPresentations.data.1: Unrecognized key: "chartType"'),
        (tile(name="x" * 145), "queryPresentations.data.1.name: name must be 144 characters or fewer"),
        (tile(subTitle="x" * 251), "queryPresentations.data.1.subTitle: subTitle must be 250 characters or fewer"),
        (
            tile(description="x" * 501),
            "queryPresentations.data.1.description: description must be 500 characters or fewer",
        ),
        (
            tile(visConfig={"chartType": "barColor"}),
            'queryPresentations.data.1.visConfig.chartType: Invalid option: expected one of "auto"|',
        ),
        (
            tile(visConfig={"visConfig": {"visType": "app"}}),
            'queryPresentations.data.1.visConfig.visConfig.visType: Invalid option: expected one of "vegalite"|',
        ),
        (tile(sourceQueryPresentationKey="1"), "queryPresentations.data.1: sourceQueryPresentationKey is not allowed"),
        (tile(type="linked"), "queryPresentations.data.1: sourceQueryPresentationKey is required on type linked"),
        (
            query(join_paths_from_topic_name=None),
            "queryPresentations.data.1.query.join_paths_from_topic_name: Invalid input: expected string, received null",
        ),
        (
            query(sorts=[{"column_name": "a"}]),
            "queryPresentations.data.1.query.sorts.0.sort_descending: Invalid input: expected boolean",
        ),
        (
            query(filters={"a.b": {"type": "wrong"}}),
            "queryPresentations.data.1.query.filters.a.b.type: Invalid option: expected one of",
        ),
        (control(FILTER | {"hidden": True}), 'controls.data["f"].config carries hidden, which is not supported'),
        (control("last 6 months"), "controls.data.f.config: Invalid input: expected object, received string"),
        (body(controls={"data": {}, "order": ["f"]}), "order references unknown control IDs: f"),
        (body(settings={"runQueriesOn": "x"}), "settings.runQueriesOn: Invalid option: expected one of"),
        (body(containers=[]), "containers: Array must contain at least 1 element(s)"),
        (body(containers=[PAGE | {"instanceKey": str(n)} for n in range(16)]), "containers: at most 15 pages"),
        (body(containers=[PAGE, PAGE]), "containers: instanceKey p is not unique"),
        (body(containers=grid(13, 12)), "containers: t: x + w must be at most 24"),
        (body(containers=None, settings={}), "settings needs a dashboard, but containers is null"),
        (body(app={"html": "x"}, settings={}), "settings cannot be combined with app"),
    ],
)
def test_wrong_bodies_are_named(wrong: object, message: str) -> None:
    """Each wrong field gives exactly one message."""
    (found,) = problems(wrong)
    assert found.startswith(message)


def test_each_missing_key_of_a_query_is_named() -> None:
    """Ten keys are required."""
    found = problems(tile(query={}))
    assert [message.partition(":")[0].rpartition(".")[2] for message in found] == list(QUERY_V2)


def test_unknown_fields_can_be_passed_over() -> None:
    """A newer API that knows more fields can be stood in for."""
    assert problems(body(branchId=MODEL), unknown_fields=True) == []


def test_string_filters_are_found() -> None:
    """They pass the validation, and the server stumbles over the first one."""
    assert string_filter(query(filters={"a": FILTER, "b": "last 6 months"})) == "last 6 months"
    assert string_filter(query(filters={"a": FILTER})) is None
    assert string_filter(body(queryPresentations=tiles(None, {"type": "blank", "query": None}))) is None
    assert string_filter(body()) is None
