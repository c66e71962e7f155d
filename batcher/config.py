"""Everything a run is told, frozen, with units in the names. Where the values come from is the business of `cli/settings/`."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

from .api_keys import ApiKey
from .arguments import expect, expect_at_least
from .models import ApiVersion
from .pace.rate import Rate

OMNI_RATE = Rate(60, 60.0)  # requests a minute per key, documented by the vendor


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where to send and as whom. `base_url` is normalised: scheme and host, no path, no trailing slash.

    With `sandbox` it is `sandbox` until the embedded server runs. It is empty where nobody gave one and none is needed.
    Without keys, `no_key_hint` says why and what to do, for the moment when one is needed.
    """

    base_url: str
    keys: tuple[ApiKey, ...] = ()
    sandbox: bool = False
    no_key_hint: str = "no API key: set OMNI_API_KEY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The three files of a run; they lie beside each other (contract 3).

    `earlier`: the results CSV of an earlier version, whose lines `results` begin with. `sheet`: a view for people, if any.
    """

    results: Path
    failures: Path
    journal: Path
    earlier: Path | None = None
    sheet: Path | None = None

    @property
    def found(self) -> Path:
        """The results file that a person finds, for messages; `results` may be a temporary copy of `earlier`."""
        return self.earlier or self.results

    @property
    def sandbox_state(self) -> Path:
        """Where a rehearsal keeps its documents: beside the results, so that a second run finds what the first created."""
        stem = self.results.name.removesuffix(self.results.suffix).removesuffix(".results")
        return self.results.with_name(f"{stem}.sqlite")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How inputs are read. `format`: None (by extension), or csv, jsonl, json, xlsx. `max_row_bytes` guards memory.

    `folder` and `labels` are for rows without their own. `api_keys` are those in use: none of them may be a row's key. `api`:
    the version that says what a row may hold.
    """

    format: str | None = None
    max_row_bytes: int = 16 * 1024 * 1024
    ignore_unknown: bool = False
    sheet: str | None = None
    api: ApiVersion = ApiVersion.V1
    folder: str | None = None
    labels: tuple[str, ...] = ()
    api_keys: frozenset[str] = field(default=frozenset(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """How specs are sent. `rate` None means unlimited; `api`: the version of the API that creates them."""

    api: ApiVersion = ApiVersion.V1
    rate: Rate | None = OMNI_RATE
    concurrency: int = 8
    max_attempts: int = 5
    timeout_seconds: float = 60.0
    connect_timeout_seconds: float = 10.0
    limit: int | None = None
    give_up_after_seconds: float = 900.0
    stop_after: int = 10
    fill_identifiers: bool = True
    namespace: str = ""
    adopt_existing: bool = False
    resend_uncertain: bool = False
    recreate_undone: bool = False
    shared_pace: bool = True
    pace_store: str | None = field(default=None, repr=False)  # it may hold a password
    fsync_ms: int = 100

    def __post_init__(self) -> None:
        for each in fields(self):
            expect(each.name, getattr(self, each.name), *_KINDS[str(each.type)])
        for name, least in _LEAST.items():
            expect_at_least(name, getattr(self, name), least)


_KINDS: dict[str, tuple[type | None, ...]] = {  # of the annotations above
    "ApiVersion": (ApiVersion,),
    "Rate | None": (Rate, None),
    "int": (int,),
    "int | None": (int, None),
    "float": (float,),
    "bool": (bool,),
    "str": (str,),
    "str | None": (str, None),
}
_LEAST = {
    "concurrency": 1,
    "max_attempts": 1,
    "timeout_seconds": 0.001,
    "connect_timeout_seconds": 0.001,
    "limit": 0,
    "give_up_after_seconds": 0,
    "stop_after": 0,
    "fsync_ms": 0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """One `batcher run`. `rows`: keys of the new rows that `rekey` or `create_again` is meant for, None for all.

    A refusal writes the keys that it is about to `rows_to`. A deadline is the caller's business:
    `drain.start(End.DEADLINE)` when it is reached.
    """

    inputs: tuple[str, ...]
    endpoint: Endpoint
    files: Files
    reading: Reading = field(default_factory=Reading)
    sending: Sending = field(default_factory=Sending)
    skip_invalid: bool = False
    rekey: bool = False
    create_again: bool = False
    rows: frozenset[str] | None = None
    rows_to: Path | None = None
    apply_steps: bool = False
    create_folders: bool = False
    create_labels: bool = False
    preflight: bool = True
