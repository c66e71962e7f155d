"""`check --online`: how long it waits for a server that isn't there."""

from __future__ import annotations

from pathlib import Path

import pytest

from batcher.commands.check_online import MOST_PATIENCE_SECONDS, look
from batcher.errors import UsageError
from batcher.sandbox.calls import Call
from batcher.send.drain import Drain
from batcher.transport.reply import Cause, NotSent, Reply

from ..support import virtual
from ..support.runs import BASE, Job, MaybeUnreached, Memory, Witness, row, virtual_world


def test_it_does_not_sit_out_an_outage(tmp_path: Path) -> None:
    """Somebody sits before it: it gives up after 20 s, though a run would wait for an hour."""
    job = Job(tmp_path)
    job.rows(row("a"))

    def unreachable(_call: Call, _number: int) -> Reply:
        return NotSent(Cause.REFUSED, "no connection")

    async def main() -> float:
        memory, begun = Memory(MaybeUnreached(unreachable)), virtual.loop().time()
        settings = job.settings(BASE, give_up_after_seconds=3600.0)
        with memory.serving(), pytest.raises(UsageError, match="no usable answer from the server for 20 s"):
            await look(settings, observer=Witness(), drain=Drain(), runtime=virtual_world(memory))
        return virtual.loop().time() - begun

    assert MOST_PATIENCE_SECONDS <= virtual.run(main) < 2 * MOST_PATIENCE_SECONDS
    assert list(tmp_path.iterdir()) == [job.input]
