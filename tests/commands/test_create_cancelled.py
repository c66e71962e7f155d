"""A program that is cancelled while intents wait for the disk (regression: they stayed open, though nothing had left)."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

import batcher
from batcher.files import disk

from ..support.faulty import FaultyServer
from ..support.runs import Job, row


def slow_fsync(descriptor: int) -> None:
    """300 ms: the slowest one measured."""
    time.sleep(0.3)
    os.fsync(descriptor)


async def test_a_cancelled_program_leaves_no_intent_open_whose_request_never_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scope around a program's `create` is cancelled while intents wait for the disk: nothing was sent or is unclear.

    With drain.start (leaving the block) the same moment gives intent + clear, and the rows stay to do.
    """
    monkeypatch.setattr(disk, "_sync_to_disk", slow_fsync)
    job = Job(tmp_path)
    settings = batcher.Sending(rate=None, fill_identifiers=False, concurrency=4, shared_pace=False)
    names = [f"r{n}" for n in range(4)]
    async with FaultyServer() as server, batcher.Client(server.base_url, "key") as client:

        async def program() -> list[Any]:
            got = []
            async with batcher.create(
                [row(name) for name in names], client, journal=job.files.journal, settings=settings
            ) as outcomes:
                got += [outcome async for outcome in outcomes]
            return got

        async def cut(scope: anyio.CancelScope) -> None:
            while not job.files.journal.exists() or b'"intent"' not in job.files.journal.read_bytes():  # noqa: ASYNC110 - a file tells nobody
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            scope.cancel()

        async with anyio.create_task_group() as group:  # a sibling failed, `move_on_after`, …: anyio's way to cancel
            group.start_soon(cut, group.cancel_scope)
            await program()
        assert server.posts == [], "nothing was sent"
        monkeypatch.undo()
        got = await program()
    kinds = [type(one).__name__ for one in got]
    assert kinds == ["Created"] * 4, kinds
