"""Rows that are refused for their key: fed back as they are they stay refused; mended they have the key that they say."""

from __future__ import annotations

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
    """Nothing was mended, so it is still invalid; mended in the input afterwards it must not be a second document."""
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
        assert [line["key"] for line in job.failures] == ["a", "a~2"]
        assert "A row and its failures line are the same row" in job.failures[1]["message"]
        await job.run(server.base_url, inputs=[job.files.failures], skip_invalid=True)
    assert [line["key"] for line in job.results] == ["a"]


async def test_a_key_that_was_mended_in_the_failures_file_is_the_rows_key(tmp_path: Path) -> None:
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
