"""Two engines: blind mutation, which needs nothing and repeats exactly, and libFuzzer's, which follows the coverage.

The second needs atheris, which is no dependency of ours: install it into an environment of your own.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from random import Random
from typing import Any

from .mutate import Mutator
from .target import Target

_KEPT = 400  # inputs that mutations go on from, besides the seeds


class FoundError(Exception):
    """An input broke a law; it is in `data`."""

    def __init__(self, data: bytes) -> None:
        super().__init__(repr(data[:2000]))
        self.data = data


def hold(target: Target, data: bytes) -> None:
    """One execution. Raises FoundError."""
    try:
        target.hold(data)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise FoundError(data) from error


def run_blind(target: Target, executions: int, seed: int) -> None:
    """Hold every seed, then so many mutations of them and of one another. Raises FoundError."""
    seeds = [path.read_bytes() for path in target.seeds]
    for data in seeds:
        hold(target, data)
    draw, mutator = Random(seed), Mutator(seed, target.words, target.most)
    pool = list(seeds)
    for _ in range(executions):
        data = mutator.mutated(draw.choice(pool), draw.choice(seeds))
        hold(target, data)
        if len(pool) < len(seeds) + _KEPT:
            pool.append(data)
        else:
            pool[draw.randrange(len(seeds), len(pool))] = data


def run_guided(target: Target, executions: int, seed: int, grown: Path) -> None:
    """So many executions of libFuzzer, which keeps what reaches new code in `grown`. Ends the process."""
    atheris: Any = importlib.import_module("atheris")
    mutator = Mutator(seed, target.words, target.most)
    seeds = [path.read_bytes() for path in target.seeds]
    draw = Random(seed)

    def mutate(data: bytes, most: int, one_seed: int) -> bytes:
        if one_seed % 3 == 0:
            return bytes(atheris.Mutate(data, most))
        return mutator.mutated(data, draw.choice(seeds))[:most]

    folders = [str(grown), *sorted({str(path.parent) for path in target.seeds})]
    options = [
        f"-runs={executions}",
        f"-seed={seed or 1}",
        f"-max_len={target.most}",
        "-timeout=60",
        "-rss_limit_mb=3000",
    ]
    atheris.Setup(
        [sys.argv[0], *options, f"-artifact_prefix={grown.parent}/", *folders], target.hold, custom_mutator=mutate
    )
    atheris.Fuzz()
