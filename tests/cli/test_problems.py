"""One cause is told once, on standard output where it was asked for (contract 3)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ..support.command import start
from ..support.rows import MODEL


def sheet(directory: Path, rows: int) -> None:
    """A table with two unknown columns and one name too long."""
    lines = [f"{MODEL},Board {number},{number},x" for number in range(rows - 1)]
    (directory / "d.csv").write_text(
        "\n".join(["modelId,name,owner,descripton", *lines, f"{MODEL},{'x' * 300},,"]) + "\n"
    )


def test_an_unknown_column_is_one_line(tmp_path: Path) -> None:
    """With how many rows, and the first five of them; what is known follows once."""
    sheet(tmp_path, 3000)
    done = start(tmp_path, "check", "d.csv")
    lines = done.stdout.splitlines()
    assert done.returncode == 2
    assert len(lines) == 3
    assert lines[0].startswith('d.csv:2: owner: unknown field, with the value "0"; ')
    assert lines[0].endswith("(2,999 rows: lines 2, 3, 4, 5, 6, …)")
    assert "did you mean description?" in lines[1]
    assert lines[2].startswith('d.csv:3001: name: "xxx')
    assert done.stderr.count("known fields: modelId, name") == 1
    assert done.stderr.count("\n") < 10


@pytest.mark.parametrize("command", ["check", "run", "status"])
def test_all_lists_every_one(tmp_path: Path, command: str) -> None:
    """On request."""
    sheet(tmp_path, 30)
    done = start(tmp_path, command, "d.csv", "--sandbox", "--all")
    assert sum(line.startswith("d.csv:") for line in (done.stdout + done.stderr).splitlines()) == 59


def test_a_run_tells_kinds_where_it_is_refused_and_where_it_goes_on(tmp_path: Path) -> None:
    """On standard error, before what ends it, and before the plan."""
    sheet(tmp_path, 30)
    refused = start(tmp_path, "run", "d.csv", "--sandbox")
    lines = refused.stderr.splitlines()
    assert (refused.returncode, refused.stdout) == (2, "")
    assert [line.partition(": ")[0] for line in lines] == ["d.csv:2", "d.csv:2", "d.csv:31", "known fields", "batcher"]
    going = start(tmp_path, "run", "d.csv", "--sandbox", "--skip-invalid", "--ignore-unknown", "--rate", "none")
    places = [number for number, line in enumerate(going.stderr.splitlines()) if line.startswith("d.csv:31:")]
    assert places == [1]  # after the warning of what is left out, before the plan


def test_the_final_object_and_the_log_have_them_too(tmp_path: Path) -> None:
    """The object lists each (up to 1,000); the log has one event for each kind."""
    sheet(tmp_path, 30)
    done = start(tmp_path, "check", "d.csv", "--json", "--log-format", "json")
    assert len(json.loads(done.stdout)["problems"]) == 59
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [event.get("rows", 1) for event in events if event["event"] == "problem"] == [29, 29, 1]


def test_a_tile_is_no_row(tmp_path: Path) -> None:
    """Two tiles of one row with the same mistake are one place."""
    tile = {"name": "t", "query": {"table": 7, "fields": ["a"]}}
    row = {"modelId": MODEL, "name": "a", "queryPresentations": [tile, tile]}
    (tmp_path / "d.jsonl").write_text(f"{json.dumps(row)}\n{json.dumps(row | {'name': 'b'})}\n")
    done = start(tmp_path, "check", "d.jsonl")
    assert "(2 rows: lines 1, 2)" in done.stdout
    assert done.stdout.count("\n") == 1
