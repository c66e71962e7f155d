"""Target 4 needs a run of a million rows that is over: its files, written straight away, as a run would have left them."""

from __future__ import annotations

from datetime import datetime
from itertools import count
from pathlib import Path

import orjson

from batcher.config import Reading
from batcher.files.failures_view import digest_of
from batcher.files.journal_lines import Intent, JournalHeader
from batcher.files.results import encode_line
from batcher.identity import content_hash, fill_identifier, spec_hash
from batcher.models import Created, How, Spec
from batcher.omni.v1 import with_identifier
from batcher.validate.check import read_specs

from .documents import answer

AT, RUN = "2026-05-04T10:11:12.131+00:00", "benchmark"


def write_past(specs: Path, home: Path, base_url: str) -> Path:
    """Results and journal of a finished run over these specs; the name of the results file."""
    results, journal = home / "past.results.jsonl", home / "past.journal.jsonl"
    if results.exists():
        return results
    beside, response = results.with_suffix(".new"), answer()
    with beside.open("wb") as to_results, journal.open("wb") as to_journal:
        to_journal.write(
            JournalHeader(base_url, "").encode() + orjson.dumps({"type": "run", "run": RUN, "at": AT}) + b"\n"
        )
        for number, spec in zip(count(), read_specs([specs], Reading()), strict=False):
            identifier = fill_identifier(spec.name, spec.key, "", 0, content_hash(orjson.loads(spec.body)))
            to_journal.write(_intent(spec, identifier).encode())
            to_results.write(encode_line(_created(spec, identifier, base_url, response)))
            if number == 0:
                to_journal.write(orjson.dumps({"type": "created", "run": RUN}) + b"\n")
        size, digest = digest_of(())  # of the failures file, which is empty
        end = {"type": "rewriting", "size": size, "digest": digest, "run": RUN}
        to_journal.write(orjson.dumps(end, option=orjson.OPT_APPEND_NEWLINE))
    (home / "past.failures.jsonl").touch()
    beside.replace(results)
    return results


def _intent(spec: Spec, identifier: str) -> Intent:
    body = with_identifier(spec, identifier)
    return Intent(
        spec.key, identifier, True, 1, datetime.fromisoformat(AT), RUN, spec.source, spec.line, spec.spec_hash, body
    )


def _created(spec: Spec, identifier: str, base_url: str, response: bytes) -> Created:
    return Created(
        key=spec.key,
        source=spec.source,
        line=spec.line,
        how=How.CREATED,
        spec_hash=spec_hash(spec.body),
        identifier=identifier,
        name=spec.name,
        model_id=spec.model_id,
        url=f"{base_url}/dashboards/{identifier}",
        dashboard_id="9c0e1a2b-3c4d-4e5f-8a9b-0c1d2e3f0001",
        workbook_id="9c0e1a2b-3c4d-4e5f-8a9b-0c1d2e3f0003",
        attempts=1,
        status=201,
        elapsed_ms=12,
        at=AT,
        run=RUN,
        response=response,
    )
