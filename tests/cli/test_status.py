"""`status` while a run is under way, after one was killed, and after one failed: honest each time (contract 3)."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from batcher.files.held import held_by, hold
from batcher.sandbox import Fault, SandboxSettings

from ..support.command import environment, start
from ..support.faulty import sandbox_thread
from ..support.processes import bounded
from .test_run import sheet


def test_a_second_terminal_sees_a_run_and_then_that_it_was_cut_off(tmp_path: Path) -> None:
    """Its counts so far, and what is in flight; once it is killed, what the next run will look up."""
    sheet(tmp_path, 5)
    with sandbox_thread(SandboxSettings(faults=(Fault.parse("hang-before@3"),))) as url:
        at = ["d.csv", "--base-url", url, "--rate", "none"]
        process = subprocess.Popen(
            [sys.executable, "-m", "batcher", "run", *at, "--concurrency", "1", "--no-preflight"],
            cwd=tmp_path,
            env=environment(tmp_path, OMNI_API_KEY="k"),
            stderr=subprocess.PIPE,
            text=True,
        )
        with bounded(process):
            wait_for_intents(process, tmp_path, 3)
            during = start(tmp_path, "status", *at, OMNI_API_KEY="k")
            said = json.loads(start(tmp_path, "status", *at, "--json", OMNI_API_KEY="k").stdout)
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=30)
        after = start(tmp_path, "status", *at, OMNI_API_KEY="k")
        done = start(tmp_path, "run", *at, OMNI_API_KEY="k")
    assert during.returncode == 0
    assert f"A run is under way on these files (process {process.pid} on " in " ".join(during.stdout.split())
    assert during.stdout.endswith("5 rows: 2 created so far, 1 in flight, 2 to do\n")
    assert "batcher run" not in during.stderr
    assert (said["created"], said["uncertain"], said["toDo"]) == (2, 1, 2)
    assert "A run was cut off while 1 row was in flight. The next run looks them up first." in after.stdout
    assert "interrupted" not in after.stdout  # that is told once
    assert "under way" not in after.stdout
    assert done.returncode == 0, done.stderr


def test_failures_by_reason(tmp_path: Path) -> None:
    """What the summary of the run said is said again."""
    sheet(tmp_path, 5)
    with sandbox_thread(SandboxSettings(faults=(Fault.parse("403@1-2"),))) as url:
        at = ["d.csv", "--base-url", url, "--rate", "none"]
        run = start(tmp_path, "run", *at, OMNI_API_KEY="k")
        block = run.stderr[run.stderr.index("2 failed: forbidden") : run.stderr.index("Created in")]
        assert "    2 rows: d.csv:" in block
        assert start(tmp_path, "status", *at, OMNI_API_KEY="k").stdout.partition("\n")[2] == block


def test_looking_keeps_no_run_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that begins while somebody looks at a lock that a killed run left waits for the look, and gets it."""
    path, beside = tmp_path / "j", tmp_path / ".j.lock"
    assert held_by(path) is None
    with hold(path, b"me"):
        assert held_by(path) == "me"
    beside.write_text("killed")
    assert held_by(path) is None
    with beside.open("rb") as looker:
        fcntl.flock(looker, fcntl.LOCK_SH | fcntl.LOCK_NB)
        monkeypatch.setattr("time.sleep", lambda _: looker.close())
        with hold(path, b"me"):
            assert held_by(path) == "me"


def wait_for_intents(process: subprocess.Popen[str], directory: Path, intents: int) -> None:
    """Until so many requests may have left."""
    journal, limit = directory / "d.journal.jsonl", time.monotonic() + 30
    while not journal.exists() or journal.read_text().count('"type":"intent"') < intents:
        assert process.poll() is None, "the run has ended too early"
        assert time.monotonic() < limit, "not so many requests left in time"
        time.sleep(0.02)
