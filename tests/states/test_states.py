"""A seeded part of `python -m tests.states`: some states of each run, and the teeth."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from .__main__ import first_broken, synced
from .recovery import STRACE, TracedRun, cases, check_recovery, traced_run

pytestmark = pytest.mark.skipif(STRACE is None, reason="strace is not installed (Debian: apt-get install strace)")
SOME = 40


@pytest.fixture(params=[False, True], ids=["first", "resumed"])
def run(tmp_path: Path, request: pytest.FixtureRequest) -> TracedRun:
    """A run that strace watched."""
    return traced_run(tmp_path, is_resumed=request.param)


def test_the_same_command_recovers(run: TracedRun) -> None:
    """Whatever a power cut left: each row once at the server, each with its one outcome, and known to be ours."""
    every = list(cases(run, seed=1))
    assert len(every) > 250
    for state, until in Random(1).sample(every, SOME):
        check_recovery(run, state, until)


def test_each_sync_is_needed(run: TracedRun) -> None:
    """Without the syncs of any one file, or of the directory, some state breaks a law."""
    needed = synced(run)
    assert [path.name for path in needed] == ["work", ".d.failures.jsonl.new", "d.journal.jsonl", "d.results.jsonl"]
    for path in needed:
        assert first_broken(run, path) is not None, f"the syncs of {path.name} could be left out"
