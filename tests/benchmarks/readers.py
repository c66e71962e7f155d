"""The bare loops that checks and resumes are measured against: `python readers.py csv|jsonl|lines FILE`; prints seconds."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from time import perf_counter

import orjson


def main(kind: str, path: Path) -> float:
    """Read the whole file the simplest way there is."""
    begun = perf_counter()
    if kind == "csv":
        with path.open(encoding="utf-8", newline="") as text:
            for _ in csv.reader(text):
                pass
    else:
        with path.open("rb") as stream:
            for line in stream:
                if kind == "jsonl":
                    orjson.loads(line)
    return perf_counter() - begun


if __name__ == "__main__":
    print(main(sys.argv[1], Path(sys.argv[2])))
