"""Rows that are refused for their key: fed back as they are they stay refused; fixed they have the key that they say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from batcher.errors import InvalidInput

from ..support.faulty import FaultyServer
from ..support.runs import Job, row


async def test_a_row_refused_as_a_duplicate_is_not_created_by_feeding_its_line_back_as_it_is(tmp_path: Path) -> None:
    """Two rows with one key: the second is a problem, before and after."""
    job = Job(tmp_path)
    job.rows(row("Sales", key="a"), row("Sales", key="a"))
    async with FaultyServer() as server:
        await job.run(server.base_url, skip_invalid=True)
        assert [line["reason"] for line in job.failures] == ["invalid"]
        with pytest.raises(InvalidInput):
            await job.run(server.base_url, inputs=[job.files.failures])
    assert [line["name"] for line in job.results] == ["Sales"], [line["key"] for line in job.results]


async def test_a_row_whose_own_key_is_not_allowed_is_not_created_by_feeding_it_back_as_it_is(tmp_path: Path) -> None:
    """Nothing was fixed, so it is still invalid; fixed in the input afterwards it must not be a second document."""
    job = Job(tmp_path)
    job.rows(row("Sales", key="a\nb"))
    async with FaultyServer() as server:
        await job.run(server.base_url, skip_invalid=True)
        with pytest.raises(InvalidInput):
            await job.run(server.base_url, inputs=[job.files.failures])
        job.rows(row("Sales", key="a b"))
        await job.run(server.base_url)
    assert len(job.results) == 1, [line["key"] for line in job.results]


async def test_input_and_failures_file_together_then_the_failures_file_make_one_document(tmp_path: Path) -> None:
    """`run d.jsonl d.failures.jsonl`, then mend each line of the failures file as told, and run it."""
    job = Job(tmp_path)
    job.rows(row("Sales", key="a", modelId="x"))
    async with FaultyServer() as server:
        await job.run(server.base_url, skip_invalid=True)
        await job.run(server.base_url, skip_invalid=True, inputs=[job.input, job.files.failures])
        job.edit_failures(lambda line: line["spec"].update(modelId=row("x")["modelId"]))
        assert [line["key"][:4] for line in job.failures] == ["a", "raw:"]
        assert "A row and its failures line are the same row" in job.failures[1]["message"]
        await job.run(server.base_url, inputs=[job.files.failures], skip_invalid=True)
    assert [line["key"] for line in job.results] == ["a"]


async def test_a_key_that_was_fixed_in_the_failures_file_is_the_rows_key(tmp_path: Path) -> None:
    """Mended in the input, too, it is not a second document; and nothing is left in the failures file."""
    job = Job(tmp_path)
    job.rows(row("Sales", key="a"), row("Wins", key="a"))
    async with FaultyServer() as server:
        await job.run(server.base_url, skip_invalid=True)
        job.edit_failures(lambda line: line["spec"].update(key="b"))
        assert (await job.run(server.base_url, inputs=[job.files.failures])).counts == {"created_now": 1}
        assert job.failures == []
        job.rows(row("Sales", key="a"), row("Wins", key="b"))
        assert (await job.run(server.base_url)).counts == {"created_before": 2}
    assert [line["key"] for line in job.results] == ["a", "b"]


@pytest.mark.parametrize("form", ["jsonl", "csv"])
async def test_what_was_refused_for_its_key_is_known_by_its_line_alone(tmp_path: Path, form: str) -> None:
    """Whatever else is edited, and whatever its message says: not created until the key is fixed; and then once."""
    job = Job(tmp_path, form)
    job.rows(row("Sales", key="a"), row("Wins", key="a"))
    async with FaultyServer() as server:
        await job.run(server.base_url, skip_invalid=True)
        text = job.files.failures.read_bytes()
        job.files.failures.write_bytes(text.replace(b"Wins", b"Losses").replace(b"key of", b"word of"))
        with pytest.raises(InvalidInput):
            await job.run(server.base_url, inputs=[job.files.failures])
    assert [created.name for created in server.documents.values()] == ["Sales"]


@pytest.mark.parametrize(
    ("line", "is_fixed"),
    [
        ({"key": "a~2", "spec": row("Wins", key="a")}, False),
        ({"key": "a~2", "spec": row("Wins", key="b")}, True),
        ({"key": "name:1f", "spec": row("Wins", key="a\nb")}, False),
    ],
)
async def test_a_file_of_version_0_1_0_still_says_what_was_refused(
    tmp_path: Path, line: dict[str, object], is_fixed: bool
) -> None:
    """It gave such rows other keys: not created as they are, and fixed they have the key that they say."""
    job = Job(tmp_path)
    old = {"source": "d.jsonl", "line": 2, "outcome": "failed", "reason": "invalid", "message": "key: …"}
    job.files.failures.write_text(json.dumps(line | old) + "\n")
    async with FaultyServer() as server:
        if is_fixed:
            await job.run(server.base_url, inputs=[job.files.failures])
            assert [line["key"] for line in job.results] == ["b"]
        else:
            with pytest.raises(InvalidInput):
                await job.run(server.base_url, inputs=[job.files.failures])
            assert server.posts == []
