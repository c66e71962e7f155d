"""The table of attacks names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
NAMED = re.findall(r"`(\S+\.py)::(\w+)` \|$", (TESTS / "attacks.md").read_text(), re.MULTILINE)


def test_each_attack_has_its_test() -> None:
    """A test that was renamed or taken out would be missed nowhere else."""
    rows = re.findall(r"^\| \d", (TESTS / "attacks.md").read_text(), re.MULTILINE)
    assert len(NAMED) == len(rows) > 25
    gone = [
        f"{file}::{name}"
        for file, name in NAMED
        if not re.search(rf"^(async )?def {name}\(", (TESTS / file).read_text(), re.MULTILINE)
    ]
    assert not gone
