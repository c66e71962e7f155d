"""A v1 run is killed in the middle, the instance removes v1, and the same rows are run to their end under v2."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.crash.command import begin, environment, run, write_rows
from tests.crash.modes import MODEL
from tests.support.faulty import documents_in
from tests.support.processes import bounded
from tests.support.runs import Job

TILE = {"name": "t", "chartType": "kpi", "query": {"table": "o", "fields": ["o.total"]}}
REGION = {"type": "string", "fieldName": "o.region", "kind": "EQUALS", "values": ["EMEA"]}
COUNT = 40


@contextmanager
def sandbox(directory: Path, *flags: str) -> Iterator[str]:
    """`batcher sandbox` over one state, as a user starts it; its base URL, which stays the same."""
    command = [sys.executable, "-m", "batcher", "sandbox", "--state", "server.sqlite", *flags]
    with subprocess.Popen(
        command, cwd=directory, env=environment(directory), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            process.wait(timeout=20)


@pytest.mark.parametrize("is_own", [False, True])
def test_a_run_that_v1s_end_stopped_ends_under_v2(tmp_path: Path, is_own: bool) -> None:
    """The server has each row's document once, by both versions; only what nobody can read any more stays uncertain."""
    rows = [
        {"modelId": MODEL, "name": f"row {n}", "queryPresentations": [TILE], "filterConfig": {"r": REGION}}
        | ({"identifier": f"own-{n}"} if is_own else {})
        for n in range(COUNT)
    ]
    write_rows(tmp_path, rows)
    results = tmp_path / "d.results.jsonl"
    faults = ("--fault", "reset-after/5", "--fault", "GET 500")
    with (
        sandbox(tmp_path, "--latency", "0.1", *faults) as base_url,
        bounded(begin(tmp_path, base_url, "--concurrency", "4")) as process,
    ):
        while not (results.exists() and results.read_bytes().count(b"\n") >= 10) and process.poll() is None:
            time.sleep(0.005)
        process.kill()
        process.communicate()
    made = len(documents_in(tmp_path / "server.sqlite"))
    assert 10 <= made < COUNT
    with sandbox(tmp_path, "--no-v1") as base_url:
        code, found, errors = run(tmp_path, base_url)
        assert (code, found["stoppedReason"]) == (3, "endpoint_gone"), errors
        assert "use --api v2" in errors
        code, found, errors = run(tmp_path, base_url, "--api", "v2")
        unreadable = found["uncertain"]  # classic layout under the user's own identifier: no version reads it any more
        assert (code, found["created"] + unreadable) == ((5 if unreadable else 0), COUNT), errors
        assert is_own or not unreadable
    documents = documents_in(tmp_path / "server.sqlite")
    assert Counter(document.name for document in documents) == dict.fromkeys((row["name"] for row in rows), 1)
    assert Counter(document.api for document in documents) == {"v1": made, "v2": COUNT - made}
    intents = [line for line in Job(tmp_path).journal if line["type"] == "intent"]
    assert {line.get("api") for line in intents} == {None, "v2"}
