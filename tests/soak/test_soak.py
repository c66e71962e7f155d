"""A few seconds of the soak, with all its faults: `python -m tests.soak` is the long one."""

from __future__ import annotations

from pathlib import Path

from .soak import Soak


async def test_a_short_soak(tmp_path: Path) -> None:
    """Nothing is lost, nothing is made twice; whether anything grows only the long run can tell."""
    found = await Soak(tmp_path, minutes=0.05, per_second=60, share=0.02).live()
    assert (found.twice, found.lost, found.documents) == (0, 0, found.rows)
    assert len(found.faults) > 3
