"""The counts at the end, from a run's histories: each row of the inputs in exactly one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from batcher.commands.summarise import WithoutDocument, count_without
from batcher.config import Files
from batcher.files.disk import Disk
from batcher.files.key_history import KeyHistory, SentAttempt
from batcher.models import Row
from batcher.plan.seen_rows import open_spools
from batcher.plan.survey import Survey
from batcher.validate.checked_rows import InvalidRow

SENT = SentAttempt("i", True, datetime(2026, 11, 23, tzinfo=UTC), "h", 0)


class Inputs:
    """A survey of inputs that hold these keys."""

    def is_input(self, key: str) -> bool:
        """Whether one of them."""
        return key in {"a", "b"}


@pytest.mark.parametrize(
    ("histories", "expected"),
    [
        ({}, {}),
        ({"a": KeyHistory(identifier="i")}, {}),
        ({"a": KeyHistory(failure=7)}, {"failed": 1, "invalid": 1}),
        ({"b": KeyHistory(failure=7)}, {"failed": 1}),
        ({"a": KeyHistory(unclear=(SENT,))}, {"uncertain": 1}),  # booked or not
        ({"a": KeyHistory(unclear=(SENT,), failure=7, is_uncertain=True)}, {"uncertain": 1}),
        ({"a": KeyHistory(unclear=(SENT,), failure=7)}, {"uncertain": 1}),  # failed once, sent again since
        ({"a": KeyHistory(failure=7, is_uncertain=True)}, {"uncertain": 1}),  # known to be absent, its line still there
        ({"c": KeyHistory(failure=7), "d": KeyHistory(unclear=(SENT,))}, {"others": 2}),
    ],
)
def test_each_row_counts_once(tmp_path: Path, histories: dict[str, KeyHistory], expected: dict[str, int]) -> None:
    """By what the ledger holds. The row `a` is invalid."""
    files = Files(results=tmp_path / "r", failures=tmp_path / "f", journal=tmp_path / "j")
    with open_spools(Disk(), files) as spooled:
        spooled.invalid.add(InvalidRow(Row("d.jsonl", 1, {}), "a", ()))
        spooled.seal()
        counted = count_without(cast("Survey", cast("Any", Inputs())), spooled, histories)
    assert counted == WithoutDocument(**expected)
