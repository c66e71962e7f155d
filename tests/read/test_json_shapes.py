"""JSON in another shape than its name says is told once, with what to do."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
import zstandard

from batcher.config import Reading
from batcher.errors import UsageError

from ..support.rows import MODEL, Told

ROWS = [{"modelId": MODEL, "name": name} for name in ("a", "b", "c")]
SHAPES = {
    "a JSON array": json.dumps(ROWS),
    "a JSON array, pretty": json.dumps(ROWS, indent=2),
    "spread over several lines": "\n".join(json.dumps(row, indent=2) for row in ROWS),
    "joined in one line": "".join(map(json.dumps, ROWS)),
    "joined in one line, with blanks": " ".join(json.dumps({**row, "description": "}{"}) for row in ROWS),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_jsonl_of_another_shape(tmp_path: Path, shape: str) -> None:
    """One message for the whole file; with --format json it is read. (Failed before: a problem for every line.)"""
    path = tmp_path / "d.jsonl"
    path.write_text(f"\n{SHAPES[shape]}\n")
    with pytest.raises(UsageError, match=rf"d\.jsonl:2: .*{shape.partition(',')[0]}.*; read it with --format json"):
        Told(path)
    told = Told(path, reading=Reading(format="json"))
    assert [spec.name for spec in told.specs] == ["a", "b", "c"]


@pytest.mark.parametrize("first", ['{"modelId": "x", "na', "nonsense", '"text"', "7", "{}"])
def test_one_broken_line_is_one_problem(tmp_path: Path, first: str) -> None:
    """The others are rows."""
    path = tmp_path / "d.jsonl"
    path.write_text("\n".join([first, *map(json.dumps, ROWS)]))
    told = Told(path)
    assert (told.checked.rows, told.checked.valid) == (4, 3)


@pytest.mark.parametrize("name", ["documents", "data", "my rows"])
def test_rows_inside_an_object(tmp_path: Path, name: str) -> None:
    """As exports of APIs hold them. (Failed before: the advice was to leave the field out, or that metadata was meant.)"""
    path = tmp_path / "d.json"
    path.write_text(json.dumps({name: ROWS, "pageInfo": {"hasNextPage": False}}))
    [said] = Told(path).said
    assert f'isn\'t a row, but holds 3 objects under "{name}"; take them out first, as with jq ' in said
    assert "--ignore-unknown" not in said


def test_a_zstd_file_may_begin_with_a_skippable_frame(tmp_path: Path) -> None:
    """As some tools write it."""
    path = tmp_path / "d.jsonl.zst"
    packed = zstandard.compress("\n".join(map(json.dumps, ROWS)).encode())
    path.write_bytes(struct.pack("<II", 0x184D2A55, 4) + b"note" + packed)
    assert Told(path).checked.valid == 3
