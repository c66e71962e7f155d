"""The server's own validation: right bodies pass, wrong ones are named field by field in Omni's words."""

from __future__ import annotations

from typing import Any

import pytest

from batcher.sandbox.rules.v1 import problems

MODEL = "5f1c2b3a-6d4e-4f70-8a91-b2c3d4e5f607"
QUERY = {"table": "order_items", "fields": ["order_items.total"], "sorts": [], "limit": 100}
TILE = {"name": "Revenue", "query": QUERY}


def body(**fields: Any) -> dict[str, Any]:
    """A right body, changed."""
    return {"modelId": MODEL, "name": "Sales", **fields}


@pytest.mark.parametrize(
    "right",
    [
        body(),
        body(description=None),
        body(name="x" * 254, description="d" * 1024, identifier="a" * 48),
        body(identifier="a1"),
        body(queryPresentations=[TILE, TILE | {"visConfig": {"visType": "x"}, "resultConfig": None}]),
        body(
            metadata={"layouts": {}}, metadataVersion="2", filterConfig={"f": 1}, filterOrder=["f"], facetFilters=True
        ),
        body(branchId=MODEL.upper(), queryPresentations=[]),
    ],
)
def test_right_bodies_pass(right: dict[str, Any]) -> None:
    """What the API documents as allowed has no problems."""
    assert problems(right) == []


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ([], "Expected object, received array"),
        ({"name": "Sales"}, "modelId: Required"),
        ({"modelId": MODEL}, "name: Required"),
        (body(modelId="abc"), "modelId: Invalid uuid"),
        (body(modelId=None), "modelId: Expected string, received null"),
        (body(name=""), "name: String must contain at least 1 character(s)"),
        (body(name="x" * 255), "name: String must contain at most 254 character(s)"),
        (body(name=7), "name: Expected string, received number"),
        (body(description=""), "description: String must contain at least 1 character(s)"),
        (body(identifier="a"), "identifier: String must contain at least 2 character(s)"),
        (body(identifier="a" * 49), "identifier: String must contain at most 48 character(s)"),
        (body(identifier="-ab"), "identifier: Only lowercase"),
        (body(identifier="ab_"), "identifier: Only lowercase"),
        (body(identifier="Ab"), "identifier: Only lowercase"),
        (body(facetFilters="true"), "facetFilters: Expected boolean, received string"),
        (body(filterOrder=["a", 1]), "filterOrder.1: Expected string, received number"),
        (body(metadata={}), "metadataVersion: Required when metadata is given"),
        (body(metadata={}, metadataVersion=2), "metadataVersion: Expected string, received number"),
        (body(queryPresentations={}), "queryPresentations: Expected array, received object"),
        (body(queryPresentations=[1]), "queryPresentations.0: Expected object, received number"),
        (body(queryPresentations=[TILE, {"name": "x"}]), "queryPresentations.1.query: Required"),
        (body(queryPresentations=[{"query": QUERY}]), "queryPresentations.0.name: Required"),
        (body(queryPresentations=[TILE | {"query": {"table": "t"}}]), "queryPresentations.0.query.fields: Required"),
        (body(queryPresentations=[TILE | {"colour": 1}]), "queryPresentations.0.colour: Unrecognized key"),
        (body(folderId="x"), "folderId: Unrecognized key"),
        (body(key="x"), "key: Unrecognized key"),
    ],
)
def test_wrong_bodies_are_named(wrong: object, found: str) -> None:
    """Each wrong field gives exactly one message that begins with its path."""
    (message,) = problems(wrong)
    assert message.startswith(found)


def test_all_problems_come_at_once() -> None:
    """Two wrong fields are two messages."""
    assert len(problems({"name": "", "modelId": "x"})) == 2


def test_unknown_fields_can_be_passed_over() -> None:
    """A newer API that knows more fields can be stood in for."""
    assert problems(body(folderId="x"), unknown_fields=True) == []
