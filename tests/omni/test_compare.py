"""What was sent against what is readable: when a document may be taken for this row's."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.omni.compare import differences, is_match

TILE = {"name": "t", "query": {"table": "o", "fields": ["o.id"], "limit": 5}, "prefersChart": True}
SENT: dict[str, Any] = {
    "name": "a",
    "modelId": "5F1C2B3A-6d4e-4f70-8a91-b2c3d4e5f607",
    "description": "d",
    "queryPresentations": [TILE, TILE | {"name": "u"}],
    "facetFilters": True,
    "filterOrder": ["f"],
    "filterConfig": {"f": {"kind": "x"}},
    "metadata": {"layouts": {}},
    "metadataVersion": "2",
}
ECHO: dict[str, Any] = {
    "name": "a",
    "modelId": "5f1c2b3a-6d4e-4f70-8a91-b2c3d4e5f607",
    "description": "d",
    "queryPresentations": [TILE | {"id": 1}, TILE | {"name": "u"}],
    "facetFilters": True,
    "filterOrder": ["f"],
    "filterConfig": {"f": {"kind": "x", "added": 1}},
    "refreshInterval": None,
}


def test_what_the_server_adds_is_ignored() -> None:
    """Other case of the model, added fields, a rewritten free-form part: a match."""
    assert is_match(SENT, ECHO)


def test_a_plain_document_matches_an_echo_full_of_defaults() -> None:
    """What was not sent may come back empty or as its default."""
    sent = {"name": "a", "modelId": "m"}
    echo: dict[str, Any] = {
        "name": "a",
        "modelId": "m",
        "description": None,
        "queryPresentations": [],
        "filterConfig": {},
    }
    assert is_match(sent, echo | {"filterOrder": [], "facetFilters": False, "metadataVersion": 2})
    assert is_match(sent, echo | {"description": ""})


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("name", "b"),
        ("description", "other"),
        ("description", None),
        ("modelId", "00000000-0000-4000-8000-000000000000"),
        ("queryPresentations", []),
        ("queryPresentations", [TILE]),
        ("queryPresentations", [TILE, TILE]),
        ("queryPresentations", [TILE, "u"]),
        ("queryPresentations", [TILE, {"name": "u", "query": {"table": "other", "fields": ["o.id"]}}]),
        ("queryPresentations", [TILE, {"name": "u", "query": {"table": "o", "fields": []}}]),
        ("facetFilters", False),
        ("filterOrder", []),
        ("filterConfig", {}),
        ("filterConfig", {"f": {"kind": "y"}}),
        ("filterConfig", {"g": {"kind": "x"}}),
        ("metadata", {"layouts": 1}),
        ("metadataVersion", 3),
        ("queryPresentations", [TILE, TILE | {"name": "u"}, TILE | {"name": "v"}]),
        ("queryPresentations", [TILE, TILE | {"name": "u", "prefersChart": False}]),
        ("queryPresentations", None),
    ],
)
def test_a_readable_difference_is_no_match(part: str, value: object) -> None:
    """Each part that is readable counts."""
    found = deepcopy(ECHO) | {part: value}
    assert not is_match(SENT, found)
    assert any(one.part.startswith(part) and not one.is_note for one in differences(SENT, found))


@pytest.mark.parametrize("part", ["description", "queryPresentations", "facetFilters", "filterOrder", "filterConfig"])
def test_a_part_that_does_not_come_back_proves_nothing(part: str) -> None:
    """It is a note, and no difference."""
    found = {name: value for name, value in ECHO.items() if name != part}
    assert is_match(SENT, found)
    assert any(one.part == part and one.is_note for one in differences(SENT, found))


def test_a_description_or_tiles_that_were_never_sent_are_a_difference() -> None:
    """Somebody else's document with more content than ours is not ours."""
    sent = {"name": "a", "modelId": "m"}
    assert not is_match(sent, {"name": "a", "modelId": "m", "description": "theirs"})
    assert not is_match(sent, {"name": "a", "modelId": "m", "queryPresentations": [TILE]})


FILTERS: dict[str, Any] = {"o.region": {"type": "string", "kind": "EQUALS", "values": ["EMEA"]}}
SORTS = [{"column_name": "o.id", "sort_descending": False}]
QUERY: dict[str, Any] = {"table": "o", "fields": ["o.id"], "filters": FILTERS, "sorts": SORTS, "limit": 100}
PLAIN: dict[str, Any] = {"table": "o", "fields": ["o.id"]}
VIS = {"visType": "bar", "config": {"x": {"field": "o.id"}}}


def of_tile(tile: dict[str, Any]) -> dict[str, Any]:
    """A document of this one tile."""
    return {"name": "a", "modelId": "m", "queryPresentations": [tile]}


def of_query(query: dict[str, Any]) -> dict[str, Any]:
    """A document of this one query."""
    return of_tile({"name": "t", "query": query})


@pytest.mark.parametrize(
    ("sent", "found", "part"),
    [
        (QUERY, {"filters": {"o.region": FILTERS["o.region"] | {"values": ["APAC"]}}}, "filters.o.region.values"),
        (QUERY, {"filters": {}}, "filters.o.region"),
        (QUERY, {"filters": None}, "filters"),
        (QUERY, {"filters": FILTERS | {"o.status": {}}}, "filters"),
        (QUERY, {"sorts": [{"column_name": "o.id", "sort_descending": True}]}, "sorts[0].sort_descending"),
        (QUERY, {"sorts": []}, "sorts"),
        (QUERY, {"limit": 5}, "limit"),
        (QUERY, {"pivots": ["o.id"]}, "pivots"),
        (PLAIN, {"filters": FILTERS}, "filters"),
        (PLAIN, {"sorts": SORTS}, "sorts"),
        (PLAIN | {"filters": {}}, {"filters": FILTERS}, "filters"),
    ],
)
def test_a_query_with_other_content_is_no_match(sent: dict[str, Any], found: dict[str, Any], part: str) -> None:
    """All of it counts, not only table and fields, and the part is named.

    (Failed before: one region's dashboard was taken for another's.)
    """
    [difference] = differences(of_query(sent), of_query(sent | found))
    assert (difference.part, difference.is_note) == (f"queryPresentations[0].query.{part}", False)


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ({"topicName": "orders"}, {"topicName": "users"}),
        ({"visConfig": VIS}, {"visConfig": VIS | {"config": {"x": {"field": "o.at"}}}}),
        ({"description": "d"}, {"description": None}),
    ],
)
def test_a_tile_with_other_content_is_no_match(sent: dict[str, Any], found: dict[str, Any]) -> None:
    """What is beside its query counts as well."""
    tile = {"name": "t", "query": PLAIN}
    assert not is_match(of_tile(tile | sent), of_tile(tile | found))
    assert is_match(of_tile(tile | sent), of_tile(tile | sent | {"id": 1}))


def test_defaults_of_the_server_are_ignored_at_any_depth() -> None:
    """Added keys, and empty values where nothing was sent."""
    region = FILTERS["o.region"] | {"is_negative": False}
    added = {"pivots": [], "calculations": [], "join_paths_from_topic_name": "o", "filters": {"o.region": region}}
    assert is_match(of_query(QUERY), of_query(QUERY | added | {"sorts": [SORTS[0] | {"null_sort": "LAST"}]}))
    assert is_match(of_query(PLAIN), of_query(PLAIN | {"filters": {}, "sorts": [], "pivots": None, "limit": 1000}))


def test_what_does_not_come_back_from_inside_is_a_note() -> None:
    """A part of a tile, of a query, of what is free form."""
    sent = of_tile({"name": "t", "query": QUERY, "visConfig": VIS, "aiConfig": {"a": 1}})
    found = of_tile({"name": "t", "query": PLAIN, "visConfig": {"visType": "bar"}})
    assert is_match(sent, found)
    inside = ["query.filters", "query.sorts", "query.limit", "visConfig.config", "aiConfig"]
    assert [one.part for one in differences(sent, found)] == [f"queryPresentations[0].{part}" for part in inside]


def test_what_is_nested_as_deep_as_can_be_sent_is_compared() -> None:
    """250 levels, with the difference at the end."""
    deep: list[dict[str, Any]] = [{"end": 1}, {"end": 2}]
    for _ in range(250):
        deep = [{"f": one} for one in deep]
    sent, found = ({"name": "a", "filterConfig": one} for one in deep)
    assert is_match(sent, deepcopy(sent))
    assert not is_match(sent, found)


def test_an_echo_that_shows_neither_name_nor_model_is_no_match() -> None:
    """Nothing readable is no proof. (Failed before: a document that shows its model only matched every row of it.)"""
    assert not is_match(SENT, {})
    assert not is_match(SENT, {"refreshInterval": None})
    assert not is_match(SENT, {"modelId": SENT["modelId"]})
    assert is_match(SENT, {"name": "a"})


@given(st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=5), max_size=5))
def test_any_echo_is_compared_without_an_error(found: dict[str, Any]) -> None:
    """Whatever the server shows."""
    list(differences(SENT, found))
    list(differences({"name": "a", "modelId": "m"}, found))
