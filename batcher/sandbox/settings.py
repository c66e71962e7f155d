"""The settings of a sandbox, frozen, with units in the names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from batcher.pace.rate import Rate

from .answers.errors import ErrorShape
from .faults import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """One sandbox. It listens on loopback only; port 0 takes the state's last one, or any free one.

    rate: enforced as a true sliding window per Authorization value; with `blocked_count` blocked requests fill the
        window too, with `rate_retry_after` a 429 says when to come back (whether Omni's does is not known).
    keys: the bearer tokens that are accepted; None accepts any.
    state: an SQLite file that keeps the documents; None keeps them in memory only.
    log: a file that gets one JSON line for each request.
    unknown_models: ids (lower case) of models and branches that are answered 404; every other UUID exists.
    unknown_fields: whether fields that the API does not know are ignored; otherwise they are refused.
    taken_status: the status that the create of a taken identifier gets; 400 is the likely one, 409 the other.
    separate_owners: each key belongs to its own user; otherwise all to one.
    advanced_layout: what v1 makes has the advanced layout, which v2 reads; otherwise the classic one, which it doesn't.
    no_v1: v1 create and read answer 410: they were removed.
    no_v2: the status that v2 answers, an instance that does not have it: 404, 405 or 410.
    """

    port: int = 0
    rate: Rate | None = None
    blocked_count: bool = False
    rate_retry_after: bool = False
    keys: frozenset[str] | None = None
    state: Path | None = None
    log: Path | None = None
    faults: tuple[Fault, ...] = ()
    seed: int = 0
    latency_seconds: float = 0.0
    unknown_models: frozenset[str] = frozenset()
    unknown_fields: bool = False
    trash_keeps_identifier: bool = True
    whoami: bool = True
    separate_owners: bool = False
    taken_status: int = 400
    advanced_layout: bool = False
    no_v1: bool = False
    no_v2: int | None = None
    error_shape: ErrorShape = ErrorShape.DETAIL
    max_body_bytes: int = 64 * 1024 * 1024
