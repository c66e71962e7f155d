"""Lines of a failures file that a spreadsheet program has saved: a key that the journal doesn't know is refused (contract 4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from batcher.errors import UsageError

from ..support.faulty import FaultyServer
from ..support.runs import MODEL, Job, row

NAMELESS: dict[str, Any] = {"modelId": MODEL, "key": "0001"}


async def test_an_invalid_line_with_a_key_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    """It isn't booked under that key, where it would be a row of its own once it is fixed.

    (Failed before, in life 1467 of the people: with --skip-invalid it was, and became a second document.)
    """
    job = Job(tmp_path)
    job.rows(NAMELESS)
    async with FaultyServer() as server:
        await job.run(server.base_url, skip_invalid=True)
        kept = job.files.failures.read_bytes()
        job.edit_failures(lambda line: line.update(key="1"))
        with pytest.raises(UsageError, match=r'no row with the key "1".* probably "0001"\. Put the key back'):
            await job.run(server.base_url, inputs=[job.files.failures], skip_invalid=True)
        job.files.failures.write_bytes(kept)
        assert (await job.run(server.base_url, inputs=[job.files.failures], skip_invalid=True)).counts == {"failed": 1}
        job.rows({**NAMELESS, "name": "a"})
        assert (await job.run(server.base_url)).counts == {"created_now": 1}
        assert job.failures == []


async def test_a_line_with_the_key_of_another_is_still_booked(tmp_path: Path) -> None:
    """Its own key is known, so that it's told as a row with another's key."""
    job = Job(tmp_path)
    job.rows(row("a", key="A", description=7), row("b", key="B", description=7))
    async with FaultyServer() as server:
        await job.run(server.base_url, skip_invalid=True)
        job.edit_failures(lambda line: line.update(key="A"))
        ran = await job.run(server.base_url, inputs=[job.files.failures], skip_invalid=True)
        assert ran.counts == {"failed": 2}
