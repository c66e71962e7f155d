"""Rows under `--api v2`: every limit and enum of its create, and what it can't carry, found before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from batcher.config import Reading
from batcher.models import ApiVersion, Row
from batcher.omni.fields import UNTYPED_FIELDS
from batcher.omni.fields_v2 import V2
from batcher.omni.shapes import Anything, Array, Boolean, Either, Field, Map, Number, Object, Shape, Text
from batcher.omni.tables import ALL_FIELDS, ONLY_V2
from batcher.omni.v2_body import body_of
from batcher.read.read import read_contents
from batcher.sandbox.rules import v2
from batcher.validate.validate import Validator, own_key
from tests.support.rows import COLUMNS, ITEM, MODEL, csv_text, documents, jsonl, write

READING = Reading(api=ApiVersion.V2)
VALIDATOR = Validator(READING)
GOOD: dict[str, Any] = {"modelId": MODEL, "name": "Sales"}
TABLE = {"table": "t", "fields": ["a"]}
IS_ONE = {"type": "string", "kind": "EQUALS", "values": ["one"]}
REGION = IS_ONE | {"fieldName": "orders.region"}
OWN = {"type": "query", "name": "t", "query": TABLE}
DEEP: dict[str, Any] = {"type": "composite"}
for _ in range(100):
    DEEP = {"type": "composite", "filters": [DEEP]}


def said_of(fields: dict[str, Any], api: ApiVersion = ApiVersion.V2, **how: Any) -> list[str]:
    """Field and message of each problem."""
    found = Validator(Reading(api=api, **how)).problems(Row("a.jsonl", 1, fields))
    return [f"{problem.field}: {problem.message}" for problem in found]


def with_query(**query: Any) -> dict[str, Any]:
    """A row whose one tile has this in its query."""
    return {"queryPresentations": [{"name": "t", "query": TABLE | query}]}


def with_tile(**tile: Any) -> dict[str, Any]:
    """A row with one tile."""
    return {"queryPresentations": [{"name": "t", "query": TABLE, **tile}]}


def with_own(**tile: Any) -> dict[str, Any]:
    """A row with one tile in v2's own shape."""
    return {"queryPresentations": {"data": {"1": OWN | tile}, "order": ["1"]}}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "x" * 255}, "name: "),
        (with_tile(name="x" * 145), "queryPresentations[0].name: "),
        (with_tile(subTitle="x" * 251), "queryPresentations[0].subTitle: "),
        (with_tile(description="x" * 501), "queryPresentations[0].description: "),
        (with_tile(chartType="barColor"), 'queryPresentations[0].chartType: "barColor" isn\'t valid; allowed: one of auto'),
        (with_tile(visConfig={"visType": "app"}), 'queryPresentations[0].visConfig.visType: "app" isn\'t valid'),
        (with_tile(resultConfig=[]), "queryPresentations[0].resultConfig: must be a JSON object"),
        (with_tile(type="query"), "queryPresentations[0].type: unknown field"),
        (with_query(filters={"a": "last 6 months"}), "queryPresentations[0].query.filters.a: must be an object like"),
        (with_query(filters={"a": {"kind": "EQUALS"}}), "queryPresentations[0].query.filters.a.type: missing"),
        (with_query(filters={"a": {"type": "text"}}), 'queryPresentations[0].query.filters.a.type: "text" isn\'t valid'),
        (
            with_query(filters={"a": {"type": "composite", "filters": [IS_ONE, "x"]}}),
            "queryPresentations[0].query.filters.a.filters[1]: isn't a filter that v2 takes",
        ),
        (with_query(filters={"a": DEEP}), None),
        (with_query(sorts=[{"column_name": "a"}]), "queryPresentations[0].query.sorts[0].sort_descending: missing"),
        (with_query(calculations=[{}]), "queryPresentations[0].query.calculations[0].calc_name: missing"),
        (with_query(limit="5"), "queryPresentations[0].query.limit: must be a number"),
        (with_query(limit=True), "queryPresentations[0].query.limit: must be a number"),
        (with_query(limit=5, pivots=None, row_totals={"a": 1}), None),
        ({"queryPresentations": [ITEM] * 48}, None),
        ({"queryPresentations": [ITEM] * 49}, "queryPresentations: 49 tiles; v2 takes at most 48"),
        ({"metadata": {"layouts": {}}, "metadataVersion": "2"}, "metadata: v2 takes no layout metadata"),
        ({"metadata": {}, "metadataVersion": "2"}, "metadataVersion: v2 takes no layout metadata"),
        ({"branchId": MODEL}, "branchId: v2 can't create on a branch; leave it out, or use --api v1"),
        ({"filterConfig": {"a": REGION}, "filterOrder": ["a"]}, None),
        ({"filterConfig": [REGION]}, "filterConfig: must be a JSON object of filters by id"),
        ({"filterConfig": {"a": REGION}, "filterOrder": ["b"]}, "filterOrder: \"b\" isn't a filter of filterConfig"),
        ({"filterConfig": {"a": IS_ONE}}, "filterConfig.a.fieldName: missing; without it v2 silently binds the filter"),
        ({"filterConfig": {"a": {"type": "TOP_N"}}}, None),
        ({"filterConfig": {"a": {"fieldName": "x"}}}, "filterConfig.a.type: missing"),
        ({"filterConfig": {"a": REGION}, "controls": {"data": {}}}, "filterConfig: controls says this too"),
        ({"facetFilters": True, "settings": {"facetFilters": True}}, "facetFilters: settings says this too"),
        ({"controls": [REGION | {"id": "a"}, REGION | {"id": "a"}]}, "controls: two controls have one id"),
        ({"controls": {"data": {"a": {"config": REGION | {"hidden": True}}}}}, "controls.data.a.config.hidden: v2 has no such"),
        ({"controls": {"data": {"a": {"config": IS_ONE}}}}, "controls.data.a.config.fieldName: missing"),
        ({"controls": {"data": {"a": None}, "order": ["b"]}}, "controls.order: \"b\" isn't a key of data"),
        ({"settings": {"refresh": 5}}, "settings.refresh: unknown field"),
        ({"settings": {"runQueriesOn": "no-page"}}, 'settings.runQueriesOn: "no-page" isn\'t valid; allowed: one of'),
        ({"settings": {"refreshInterval": None, "customText": None}}, None),
        ({"summary": ""}, "summary: is empty; allowed: text of 1 to 255 characters"),
        ({"containers": []}, "containers: is empty"),
        ({"containers": [{"containerType": "page", "instanceKey": str(n)} for n in range(16)]}, "containers: 16 pages"),
        (
            {"containers": [{"instanceKey": "a", "children": [{"instanceKey": "a"}]}]},
            "containers[0].children[0].instanceKey: \"a\" is another container's too",
        ),
        ({"containers": [{"gridPosition": {"x": 13, "w": 12}}]}, "containers[0].gridPosition: x + w is 25"),
        (with_own(), None),
        (with_own(type="qury"), 'queryPresentations.data.1.type: "qury" isn\'t valid'),
        (with_own(fileUploadId="f"), 'queryPresentations.data.1.fileUploadId: a tile of type "query" has none'),
        (with_own(type="linked"), "queryPresentations.data.1.sourceQueryPresentationKey: missing"),
        (with_own(nam="x"), 'queryPresentations.data.1.nam: unknown field, with the value "x"; did you mean name?'),
        (with_own(subTitle=None, visConfig=None, query=None, aiConfig=None, automaticVis=None), None),
        ({"queryPresentations": {"order": []}}, "queryPresentations.data: missing"),
        ({"queryPresentations": {"data": {"1": None}, "order": ["2"]}}, "queryPresentations.order: \"2\" isn't a key of data"),
        ({"queryPresentations": {"data": {"01": OWN}}}, 'queryPresentations.data.01: "01" can\'t be a key here'),
        (
            {"queryPresentations": {"data": {str(n): OWN for n in range(1, 50)} | {"99": None}}},
            "queryPresentations: 49 tiles",
        ),
        ({"queryPresentations": "x"}, "queryPresentations: must be a JSON array of objects like"),
    ],
)  # fmt: skip
def test_what_v2_would_refuse_is_found_first(fields: dict[str, Any], message: str | None) -> None:
    """With the place, and what is allowed or what to do; `None`: there is no problem."""
    said = said_of(GOOD | fields)
    assert len(said) == (message is not None), said
    assert all(line.startswith(message or "") for line in said)
    if message is None:
        assert v2.problems(body_of(GOOD | fields)) == []


def test_all_of_it_is_found_in_one_pass() -> None:
    """What the table says and what the rules say."""
    tile = {"name": "x" * 145, "query": TABLE | {"filters": {"a": "x"}}}
    said = said_of(GOOD | {"queryPresentations": [tile] * 49, "metadata": {"a": 1}, "branchId": MODEL})
    assert [line.split(":")[0] for line in said if "[" not in line] == ["metadata", "branchId", "queryPresentations"]
    assert len([line for line in said if "[" in line]) == 2 * 49


@pytest.mark.parametrize("name", ONLY_V2)
def test_under_v1_v2s_fields_name_the_option(name: str) -> None:
    """And `--ignore-unknown` leaves them out, as it does what nobody knows."""
    (line,) = said_of(GOOD | {name: {"data": {}}}, ApiVersion.V1)
    assert line.startswith(f"{name}: ")
    assert "use --api v2" in line
    assert said_of(GOOD | {name: {"data": {}}}, ApiVersion.V1, ignore_unknown=True) == []


def test_under_v1_v2s_tiles_name_the_option() -> None:
    """An object where v1 takes an array."""
    (line,) = said_of(GOOD | with_own(), ApiVersion.V1)
    assert line.endswith("version 2 takes such an object: use --api v2")


wild: st.SearchStrategy[Any] = st.sampled_from(
    ["", "x", True, 1, None, [], {}, {"a": REGION}, {"data": {}}, [IS_ONE], {"data": {"1": OWN}}]
)


@given(st.lists(st.tuples(documents, st.dictionaries(st.sampled_from(ALL_FIELDS), wild, max_size=3)), max_size=5))
@settings(max_examples=150, deadline=None)
def test_the_fast_path_agrees_and_whatever_passes_is_converted(
    tmp_path_factory: pytest.TempPathFactory, given_rows: list[tuple[dict[str, Any], dict[str, Any]]]
) -> None:
    """In a table and as JSON lines; a row that the check lets pass has a body of v2's."""
    rows, folder = [row | change for row, change in given_rows], tmp_path_factory.mktemp("v2")
    columns = [*COLUMNS, *ONLY_V2]
    for path in (write(folder / "a.csv", csv_text(rows, columns)), write(folder / "a.jsonl", jsonl(rows))):
        _hold(path)


def _hold(path: Path) -> None:
    for content in read_contents([path], READING):
        fast_path = VALIDATOR.fast_path().of(content)
        for line, record in content.records:
            plain, row = fast_path(record), content.row(line, record)
            if row is None:
                continue
            body = VALIDATOR.normalise(row)
            is_valid = VALIDATOR.problems(row, body) == []
            assert (plain is not None) == (is_valid and UNTYPED_FIELDS.isdisjoint(body))
            if plain is not None:
                assert plain == (own_key(row), body, orjson.dumps(body))
            if is_valid:
                assert v2.problems(body_of(body)) == [], "whatever is let pass, the sandbox's v2 takes"


def values_of(shape: Shape) -> st.SearchStrategy[Any]:
    """What a table of fields allows in such a place."""
    match shape:
        case Text(least, most, pattern):
            if pattern is not None:
                return st.from_regex(pattern, fullmatch=True).filter(lambda text: least <= len(text) <= (most or 99))
            return st.text("aé ", min_size=least, max_size=min(most or 9, least + 9))
        case Number():
            return st.integers(0, 9) | st.just(1.5)
        case Boolean():
            return st.booleans()
        case Anything():
            return st.sampled_from(["x", 1, [], {}])
        case Array(element):
            return st.lists(of_field(element), max_size=2)
        case Map(value, pattern):
            keys = st.sampled_from("ab") if pattern is None else st.sampled_from(["1", "2", "17"])
            return st.dictionaries(keys, of_field(value), max_size=2)
        case Either(array, object_):
            return values_of(array) | values_of(object_)
        case Object(fields):
            required = {name: of_field(entry) for name, entry in fields.items() if entry.is_required}
            optional = {name: of_field(entry) for name, entry in fields.items() if not entry.is_required}
            return st.fixed_dictionaries(required, optional=optional)


def of_field(entry: Field) -> st.SearchStrategy[Any]:
    """The same for a field, which may be null."""
    values = values_of(entry.shape)
    return st.none() | values if entry.is_nullable else values


NEEDED, LEFT = ("modelId", "name"), ("branchId", "metadata", "metadataVersion")
FIELDS = {name: of_field(entry) for name, entry in V2.document.fields.items() if name not in LEFT}
ROWS = st.fixed_dictionaries(
    {name: FIELDS[name] for name in NEEDED},
    optional={name: field for name, field in FIELDS.items() if name not in NEEDED},
)


@given(ROWS)
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_the_table_and_the_rules_let_pass_v2_takes(fields: dict[str, Any]) -> None:
    """As the sandbox's own schema says, which was written from the same facts by another hand."""
    row = Row("a.jsonl", 1, fields)
    if VALIDATOR.problems(row) == []:
        event("passes")
        assert v2.problems(body_of(VALIDATOR.normalise(row))) == []
