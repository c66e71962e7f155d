"""The metrics file's text: what Prometheus' own parser reads in it, whatever the values are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batcher.report.metrics import last_success_of, metrics_text

NOW = 1_795_866_836.25
parser: Any = pytest.importorskip("prometheus_client.parser")


def samples(text: bytes) -> dict[tuple[str, str], float]:
    """Each sample by its name and, if it has one, its second label's value."""
    found = {}
    for family in parser.text_string_to_metric_families(text.decode()):
        assert family.type == "gauge"
        assert family.documentation.endswith(".")
        for sample in family.samples:
            others = {label: value for label, value in sample.labels.items() if label != "name"}
            found[sample.name, next(iter(others.values()), "")] = sample.value
    return found


def test_what_a_run_came_to() -> None:
    """Each field that is known has its metric, and nothing else is there."""
    fields = {"exitCode": 3, "stoppedReason": "unreachable", "requests": 7, "elapsedSeconds": 1.25}
    fields |= {"created": 4, "failed": 1, "uncertain": 0, "notAttempted": 15, "warnings": ()}
    assert samples(metrics_text(fields, "nightly", NOW, 12.5)) == {
        ("batcher_last_run_timestamp_seconds", ""): NOW,
        ("batcher_last_success_timestamp_seconds", ""): 12.5,
        ("batcher_exit_code", ""): 3,
        ("batcher_requests", ""): 7,
        ("batcher_duration_seconds", ""): 1.25,
        ("batcher_rows", "created"): 4,
        ("batcher_rows", "failed"): 1,
        ("batcher_rows", "uncertain"): 0,
        ("batcher_rows", "not_attempted"): 15,
        ("batcher_stopped", "unreachable"): 1,
    }


def test_what_is_not_known_is_left_out() -> None:
    """A run that never read its input has no rows, not zero of them."""
    found = samples(metrics_text({"exitCode": 2, "error": "no such file"}, "nightly", NOW, 0.0))
    assert {name for name, _ in found} == {
        *("batcher_last_run_timestamp_seconds", "batcher_last_success_timestamp_seconds", "batcher_exit_code")
    }
    assert found["batcher_last_success_timestamp_seconds", ""] == 0


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])), st.floats(0, 4e9))
def test_any_name_and_any_success_come_back(name: str, success: float) -> None:
    """Quotes and backslashes in a file's name, and times to a millisecond."""
    text = metrics_text({"exitCode": 1}, name, NOW, success)
    [family] = [each for each in parser.text_string_to_metric_families(text.decode()) if "success" in each.name]
    assert family.samples[0].labels == {"name": name}
    assert last_success_of(text) == pytest.approx(success, abs=0.001)


@given(st.binary())
def test_any_file_has_some_last_success(old: bytes) -> None:
    """A torn or foreign file counts as none."""
    assert last_success_of(old) >= 0
    assert last_success_of(b'batcher_last_success_timestamp_seconds{name="a"} ') == 0
