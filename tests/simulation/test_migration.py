"""A migration with folders and labels uses the rate, whatever kills it: 3,000 rows by hand, 300 here."""

from __future__ import annotations

import pytest

from batcher.models import ApiVersion

from .migration import KILLS, migrate

ROWS = 300


@pytest.mark.parametrize("version", ApiVersion)
def test_a_killed_migration_asks_for_no_more_than_it_must_and_loses_no_time(version: ApiVersion) -> None:
    """A create for each row, a request for its labels, and under v1 a move; a kill repeats what was in flight at most."""
    world = migrate(ROWS, version)
    total = {kind: sum(stretch.requests[kind] for stretch in world.stretches) for kind in _KINDS}
    in_flight = KILLS * 8
    assert sum(start.died for start in world.starts) == KILLS
    assert ROWS <= total["POST documents"] <= ROWS + in_flight
    assert ROWS / 2 <= total["PATCH labels"] <= ROWS / 2 + in_flight
    moves = ROWS if version is ApiVersion.V1 else 0
    assert moves <= total["PUT move"] <= moves + in_flight
    assert (total["POST folders"], total["POST labels"]) == (4, 2)
    assert all(stretch.share >= 0.99 for stretch in world.stretches if stretch.seconds > 60)
    assert len(world.server.ours) == ROWS


_KINDS = ("POST documents", "PATCH labels", "PUT move", "POST folders", "POST labels")
