"""A switch to v2 on an instance whose v1 makes the advanced layout, which v2 reads (API.md 17, point 4)."""

from __future__ import annotations

from pathlib import Path

import pytest

from batcher.commands.verify import verify
from batcher.models import ApiVersion

from ..support.faulty import FaultyServer, on
from ..support.runs import Job, Witness, row

TILE = {
    "name": "Revenue",
    "chartType": "bar",
    "query": {"table": "orders", "fields": ["orders.total"], "limit": 10},
    "visConfig": {"visType": "basic", "config": {"x": {"scale": "log"}}},
}
RICH = {
    "description": "d",
    "queryPresentations": [TILE],
    "filterConfig": {"f": {"type": "string", "kind": "EQUALS", "values": [], "fieldName": "a.b"}},
}


@pytest.mark.parametrize("identifier", [None, "mine"])
async def test_what_v1_left_unclear_v2_reads_and_compares(tmp_path: Path, identifier: str | None) -> None:
    """Its look-ups tell ours from a stranger's, and verify reads every document; nothing is created twice."""
    job = Job(tmp_path)
    own = [{"identifier": f"{identifier}-{name}"} if identifier else {} for name in "abcd"]
    job.rows(*(row(name, **RICH, **given) for name, given in zip("abcd", own, strict=True)))
    silent = on("GET 500", lambda call: call.path.startswith("/api/v1/documents/"))
    state = tmp_path / "state.sqlite"  # on its port, too, the second server is the first one
    async with FaultyServer(silent, "reset-after/2", advanced_layout=True, state=state) as server:
        ran = await job.run(server.base_url, concurrency=1, max_attempts=1)
        assert ran.counts == {"created_now": 2, "uncertain": 2}
    async with FaultyServer(advanced_layout=True, no_v1=True, state=state) as gone:
        ran = await job.run(gone.base_url, api=ApiVersion.V2)
        assert (ran.code, ran.counts) == (0, {"created_before": 2, "reconciled": 2})
        checked = await verify(job.settings(gone.base_url, api=ApiVersion.V2), observer=Witness())
    assert (checked.same, checked.different, checked.unreadable) == (4, 0, 0)
