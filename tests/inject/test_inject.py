"""A seeded part of `python -m tests.inject`: some calls of each kind, each fault at least once."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from .injection import CALLS, STRACE, Fault, Injection, inject

pytestmark = pytest.mark.skipif(STRACE is None, reason="strace is not installed (Debian: apt-get install strace)")
_RANDOM = Random(21)
# of a kind, so many calls happen in each run at least; pwrite64 is never called on these files
_LEAST = {"write": 6, "fdatasync": 3, "fsync": 2, "/^rename": 1, "openat": 6}
SOME = [
    Injection(call, _RANDOM.randint(1, _LEAST[call]), fault, is_resumed)
    for fault, call, is_resumed in zip(
        [*Fault, *Fault], [call for call in CALLS if call in _LEAST] * 3, [False, True] * 6, strict=False
    )
]


@pytest.mark.parametrize("injection", SOME, ids=str)
def test_the_same_command_finishes_the_work(tmp_path: Path, injection: Injection) -> None:
    """Whatever the call's failure did to that run: each row once, each with its one outcome."""
    assert inject(tmp_path, injection), "there was no such call"
