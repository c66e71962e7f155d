"""The results CSV as earlier versions wrote it, for files that a run goes on from."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

import orjson

from batcher.files.results import line_of
from batcher.models import Created
from batcher.read.cells import defuse

RESULTS = (
    *("key", "source", "line", "outcome", "how", "specHash", "identifier", "name", "modelId", "url", "dashboardId"),
    *("workbookId", "attempts", "status", "elapsedMs", "at", "run", "response"),
)


def results_header() -> bytes:
    """The first record."""
    return _record(RESULTS)


def results_to_csv(line: Mapping[str, object]) -> bytes:
    """One record."""
    return _record(_cell(line[name], is_json=name == "response") for name in RESULTS)


def encode_record(created: Created) -> bytes:
    """One record."""
    return results_to_csv(line_of(created))


def into_csv(lines: Path) -> Path:
    """The results CSV that holds the same as this results file, which goes away."""
    earlier = lines.with_suffix(".csv")
    records = [results_to_csv(orjson.loads(line)) for line in lines.read_bytes().splitlines()]
    earlier.write_bytes(results_header() + b"".join(records))
    lines.unlink()
    return earlier


def _record(cells: Iterable[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([defuse(cell) for cell in cells])
    return out.getvalue().encode("utf-8", "backslashreplace")


def _cell(value: object, *, is_json: bool) -> str:
    if isinstance(value, orjson.Fragment):
        return orjson.dumps(value).decode()
    if is_json:
        return orjson.dumps(value).decode()
    return "" if value is None else str(value)
