"""The JSON log, read as somebody does who was woken by a job that failed: how did it end, why, and which rows?"""

from __future__ import annotations

import json
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from batcher.cli.screen.console import Event
from batcher.sandbox import Fault, SandboxSettings

from ..support.command import start
from ..support.faulty import on, sandbox_thread
from ..support.rows import MODEL

KEY = "nightly-key-of-the-tests"


def rows(directory: Path, count: int) -> None:
    """So many rows in `d.csv`, of which every third one is refused by the servers below."""
    lines = [f"{MODEL},{'bad' if n % 3 == 0 else 'good'} {n},r{n}" for n in range(count)]
    (directory / "d.csv").write_text("\n".join(["modelId,name,key", *lines]) + "\n")


def log_of(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """Its lines, each of which is an object with the same beginning and the run's id."""
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    for line in lines:
        assert list(line)[:5] == ["time", "level", "event", "run", "message"]
        assert line["event"] in set(Event)
    assert len({line["run"] for line in lines}) == 1
    return lines


def serving(*faults: Fault) -> AbstractContextManager[str]:
    """A server with these faults; its base URL."""
    return sandbox_thread(SandboxSettings(faults=faults))


def night(directory: Path, base_url: str, *more: str) -> subprocess.CompletedProcess[str]:
    """What the scheduler starts."""
    command = ["run", "d.csv", "--base-url", base_url, "--rate", "none", "--stop-after", "99", "--log-format", "json"]
    return start(directory, *command, *more, OMNI_API_KEY=KEY)


def test_rows_that_failed_are_named_and_the_last_line_says_how_it_ended(tmp_path: Path) -> None:
    """The first hundred, then how many more; the ids are those of the files; -q keeps all that is needed."""
    rows(tmp_path, 360)
    refused = on("422", lambda call: b'"bad ' in call.body, body=b'{"detail": "name: too plain", "status": 422}')
    with serving(refused) as base_url:
        done = night(tmp_path, base_url, "-q")
    lines = log_of(done)
    failed = [line for line in lines if line["event"] == "failed"]
    assert (done.returncode, len(failed)) == (1, 100)
    assert all((line["level"], line["reason"], line["status"]) == ("warning", "rejected", 422) for line in failed)
    assert all((line["source"], line["key"]) == ("d.csv", f"r{line['line'] - 2}") for line in failed)
    *_, more, last = lines
    assert (more["event"], more["level"], more["rows"]) == ("more_failures", "warning", 20)
    assert (last["event"], last["level"], last["exitCode"], last["stoppedReason"]) == ("summary", "error", 1, None)
    journal = [json.loads(line) for line in (tmp_path / "d.journal.jsonl").read_text().splitlines()]
    assert {line["run"] for line in journal if "run" in line} == {last["run"]}


def test_rows_that_were_never_sent_are_named_too(tmp_path: Path) -> None:
    """Invalid ones that --skip-invalid leaves out, and the next night as well; uncertain ones that wait for a person."""
    (tmp_path / "d.csv").write_text(f"modelId,name,key\n{MODEL},a,ka\nnonsense,b,kb\n")
    with serving(Fault.parse("reset-after@1")) as base_url:
        for _ in range(2):
            lines = log_of(night(tmp_path, base_url, "--skip-invalid", "--no-fill-identifiers"))
            named = {(line["event"], line["key"], line["line"], line["reason"]) for line in lines if "key" in line}
            assert named == {("uncertain", "ka", 2, "connection"), ("failed", "kb", 3, "invalid")}
            assert (lines[-1]["level"], lines[-1]["exitCode"]) == ("error", 5)


def test_every_end_has_its_level(tmp_path: Path) -> None:
    """Info for 0 alone; a warning where the next night goes on by itself; else an error."""
    rows(tmp_path, 2)
    with serving() as base_url:
        ends = [
            night(tmp_path, base_url, "--limit", "1"),
            night(tmp_path, base_url),
            night(tmp_path, base_url, "--results", "missing/x.jsonl"),
            start(tmp_path, "run", "d.csv", "--base-url", base_url, "--log-format", "json", "--rate", "fast"),
        ]
    rows(tmp_path, 9)
    with serving(Fault.parse("401")) as base_url:
        ends.append(night(tmp_path, base_url, "--no-preflight"))
    last = [log_of(done)[-1] for done in ends]
    assert [(line["exitCode"], line["level"], line["stoppedReason"]) for line in last] == [
        (6, "warning", "limit"),
        (0, "info", None),
        (2, "error", "usage"),
        (2, "error", "usage"),
        (2, "error", "usage"),
    ]
    assert [done.returncode for done in ends] == [line["exitCode"] for line in last]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("401", "key_refused"), ("410", "endpoint_gone"), ("redirect", "not_omni"), ("", "unreachable")],
)
def test_a_night_that_stopped_says_why_in_one_word(tmp_path: Path, fault: str, reason: str) -> None:
    """Exit 3: `jq -r .stoppedReason` of the last line is enough to choose whom to wake."""
    rows(tmp_path, 9)
    with serving(*map(Fault.parse, filter(None, [fault]))) as base_url:
        where = base_url if fault else "http://127.0.0.1:9"
        done = night(tmp_path, where, "--no-preflight", "--give-up-after", "0.2s")
    last = log_of(done)[-1]
    assert (done.returncode, last["exitCode"], last["level"], last["stoppedReason"]) == (3, 3, "error", reason)
    assert last["message"] == f"Stopped early: {last['stopped']}", "one line, however long"
    assert KEY not in done.stderr
