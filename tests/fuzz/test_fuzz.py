"""A short, seeded part of the fuzzing: every seed and every finding, and some thousands of mutations."""

from __future__ import annotations

import pytest

from .engines import run_blind
from .target import Target
from .targets import TARGETS

EXECUTIONS = 400
SLOW = 100


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_no_law_is_broken(target: Target) -> None:
    """The same inputs each time; `python -m tests.fuzz` tries others."""
    run_blind(target, SLOW if target.is_slow else EXECUTIONS, seed=2026)
