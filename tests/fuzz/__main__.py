"""Fuzz one target by hand.

    python -m tests.fuzz --target csv --executions 200000 --seed 7      blind, repeats exactly
    python -m tests.fuzz --target csv --executions 200000 --guided      follows the coverage (needs atheris)
    python -m tests.fuzz --target csv --file FILE                       one input

Exit code 1 if an input broke a law; it is written to the directory that --keep names.
"""

from __future__ import annotations

import argparse
import importlib
import time
import traceback
from hashlib import blake2b
from pathlib import Path
from typing import Any

from .engines import FoundError, hold, run_blind, run_guided

_NAMES = (
    "csv", "jsonl", "json", "compressed", "journal", "results", "past", "answers", "wire", "retry-after",
    "base-url", "workbook",
)  # fmt: skip


def main() -> int:
    """Read the command line and do it."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Coverage-guided or blind fuzzing.")
    parser.add_argument("--target", required=True, choices=_NAMES)
    parser.add_argument("--executions", type=int, default=10_000, help="how many (default 10000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--guided", action="store_true", help="follow the coverage, with atheris")
    parser.add_argument("--file", type=Path, help="hold this one input")
    parser.add_argument("--keep", type=Path, default=Path("fuzzing"), help="where inputs are kept (default: fuzzing)")
    asked = parser.parse_args()
    if asked.guided:
        atheris: Any = importlib.import_module("atheris")
        with atheris.instrument_imports(include=["batcher"]):
            targets = importlib.import_module("tests.fuzz.targets")
    else:
        targets = importlib.import_module("tests.fuzz.targets")
    target = targets.BY_NAME[asked.target]
    began = time.monotonic()
    try:
        if asked.file is not None:
            hold(target, asked.file.read_bytes())
        elif asked.guided:
            (grown := asked.keep / target.name).mkdir(parents=True, exist_ok=True)
            run_guided(target, asked.executions, asked.seed, grown)
        else:
            run_blind(target, asked.executions, asked.seed)
    except FoundError as found:
        traceback.print_exc()
        asked.keep.mkdir(parents=True, exist_ok=True)
        path = asked.keep / f"{target.name}-{blake2b(found.data, digest_size=6).hexdigest()}"
        path.write_bytes(found.data)
        print(f"a law is broken: {path}")
        return 1
    print(
        f"{target.name}: {asked.executions} executions, seed {asked.seed}, {time.monotonic() - began:.0f} s: no law broken"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
