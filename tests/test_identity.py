"""Keys and identifiers: golden values that hold for ever, and their laws."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.identity import (
    content_hash,
    fill_identifier,
    hash_of,
    looks_filled,
    name_key,
    placed_hash,
    raw_key,
    slug,
    spec_hash,
)
from tests.support.rows import ITEM, MODEL, anything, texts

API_RULE = re.compile(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?")


@pytest.mark.parametrize(
    ("model_id", "name", "key"),
    [
        (MODEL, "Revenue", "name:6472b4ceee5ecf3e0902436ce823f455"),
        (MODEL.upper(), "Revenue", "name:6472b4ceee5ecf3e0902436ce823f455"),
        (MODEL, "Größe ✓", "name:b923af2a6fa69fcd4d0d20e8d07f5e67"),
    ],
)
def test_name_keys_are_fixed_for_ever(model_id: str, name: str, key: str) -> None:
    """If this fails, every document that was ever created would be created again: mend the code, not the test."""
    assert name_key(model_id, name) == key


def test_raw_keys_are_fixed_for_ever() -> None:
    """As above, for rows too broken to have a name."""
    assert raw_key("a,b") == "raw:5e5a4f6eb7f32d08da0f6dc0de6db6c2"


@pytest.mark.parametrize(
    ("name", "key", "namespace", "undone", "identifier"),
    [
        ("Revenue by month", "name:1", "", 0, "revenue-by-month-jf7sn2nlnkbjp6mr"),
        ("Revenue by month", "name:1", "", 1, "revenue-by-month-nft7pg7653okbhzc"),
        ("Revenue by month", "name:1", "eu", 0, "revenue-by-month-xoacsrmkojzfi624"),
        ("Größe & Fläche — Übersicht über alle", "id:x", "", 0, "grosse-flache-ubersicht-uber-a-gdnsoxvam4eblxr7"),
        ("日本", "k", "", 0, "doc-mfbxjmvjjmu2zfsf"),
    ],
)
def test_identifiers_of_earlier_versions_are_fixed_for_ever(
    name: str, key: str, namespace: str, undone: int, identifier: str
) -> None:
    """A journal that 0.1.0 began goes on with them: a later version of batcher finds the same documents."""
    assert fill_identifier(name, key, namespace, undone, None) == identifier


@pytest.mark.parametrize(
    ("body", "undone", "identifier"),
    [
        ({"modelId": MODEL, "name": "Revenue"}, 0, "revenue-tsleg7cblpvekaqj"),
        ({"modelId": MODEL, "name": "Revenue"}, 1, "revenue-dsbawatga73bg6g5"),
        ({"modelId": MODEL, "name": "Revenue", "description": "d"}, 0, "revenue-ctnmkf3xsytvr2du"),
        (
            {"modelId": MODEL, "name": "Größe \N{MASCULINE ORDINAL INDICATOR}", "queryPresentations": [ITEM]},
            0,
            "grosse-o-hiq4t4shrch4ynof",
        ),
    ],
)
def test_identifiers_are_fixed_for_ever(body: dict[str, Any], undone: int, identifier: str) -> None:
    """An unclear create is found again under this identifier, also by a later version of batcher."""
    assert fill_identifier(body["name"], "k", "eu", undone, content_hash(body)) == identifier


def test_spec_hashes_are_fixed_for_ever() -> None:
    """A row whose content has not changed must not look changed to a later version."""
    assert spec_hash(b'{"b":1,"a":{"d":[1,{"y":2,"x":1}],"c":null}}') == "260df26112d3b8014af11fc5947b59af"


def test_folder_and_labels_have_their_own_part_of_a_spec_hash() -> None:
    """A row without them keeps the hash that it had before they were known; the golden values hold for ever."""
    body = "260df26112d3b8014af11fc5947b59af"
    assert placed_hash(body, None, ()) == body
    assert placed_hash(body, "Sales/EMEA", ("q3", "Finance")) == "260df2611055c67c080a0e6688717477"
    same = placed_hash(body, "/sales/emea/", ("finance", "Q3"))
    assert same == placed_hash(body, "Sales/EMEA", ("q3", "Finance"))
    assert len({placed_hash(body, *one) for one in (("a", ()), (None, ("aa",)), ("a", ("aa",)), ("b", ()))}) == 4


contents = st.none() | texts


@given(texts, texts, texts, st.integers(0, 9), contents)
def test_a_filled_identifier_is_always_one_that_the_api_takes(
    name: str, key: str, namespace: str, undone: int, content: str | None
) -> None:
    """Whatever the name, and it is recognised as one of ours."""
    identifier = fill_identifier(name, key, namespace, undone, content)
    assert API_RULE.fullmatch(identifier)
    assert 2 <= len(identifier) <= 48
    assert looks_filled(identifier)


@given(st.lists(st.tuples(texts, texts, st.integers(0, 3), contents), unique=True, max_size=20))
def test_different_facts_give_different_identifiers(facts: list[tuple[str, str, int, str | None]]) -> None:
    """Key, namespace, undone count and content can't run into one another, nor the ways of two versions."""
    assert len({fill_identifier("x", *each) for each in facts}) == len(facts)


@pytest.mark.parametrize(
    "identifier", ["revenue", "sales-2024", "a1b2c3d4", "x_y-abcdefghijklmnop", "abcdefghijklmnop"]
)
def test_identifiers_that_people_choose_are_not_taken_for_ours(identifier: str) -> None:
    """Only a slug, a hyphen and 16 characters of base32 are."""
    assert not looks_filled(identifier)


@pytest.mark.parametrize(
    ("name", "expected"), [("  Ça va?  ", "ca-va"), ("---", "doc"), ("a" * 40, "a" * 30), ("Straße", "strasse")]
)
def test_slugs(name: str, expected: str) -> None:
    """ASCII, lower case, no hyphen at the ends, at most 30."""
    assert slug(name) == expected


@given(st.dictionaries(texts, anything, max_size=5))
def test_a_body_has_one_hash_written_or_not(body: dict[str, object]) -> None:
    """What a run writes down of the bytes that it sends is what a resume works out from the row."""
    assert hash_of(body) == spec_hash(orjson.dumps(body))
    assert hash_of(orjson.loads(orjson.dumps(body))) == spec_hash(orjson.dumps(body))


@given(st.dictionaries(texts, anything, max_size=5))
def test_the_order_of_keys_does_not_change_a_spec_hash(body: dict[str, object]) -> None:
    """At any level; other content does."""

    def turned(value: object) -> object:
        if isinstance(value, dict):
            return {key: turned(inner) for key, inner in reversed(value.items())}
        return [turned(inner) for inner in value] if isinstance(value, list) else value

    assert spec_hash(orjson.dumps(turned(body))) == spec_hash(orjson.dumps(body))
    assert spec_hash(orjson.dumps(body | {"\0": 1})) != spec_hash(orjson.dumps(body))
