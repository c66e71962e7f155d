"""Rows that fail every night must not fill the memory: a small container would die before it sends anything."""

from __future__ import annotations

from pathlib import Path

from .failing_rows import nights

FEW, MANY = 1_000, 11_000
MOST_BYTES_EACH = 800  # 340 when this was written, of rows of 700 bytes; 1,500 before


def test_a_row_that_fails_costs_little_memory(tmp_path: Path) -> None:
    """Whether it fails for the first time or again, and in `status`."""
    measured = []
    for count in (FEW, MANY):
        home = tmp_path / str(count)
        home.mkdir()
        measured.append(nights(home, count))
    for few, many in zip(*measured, strict=True):
        assert few.code == many.code == (0 if few.command == "status" else 1)
        each = (many.peak_bytes - few.peak_bytes) / (MANY - FEW)
        assert each < MOST_BYTES_EACH, f"{few.command}: {each:.0f} bytes of memory for each row"
