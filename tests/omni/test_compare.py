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
    assert is_match(sent, echo | {"filterOrder": [], "facetFilters": False})
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
