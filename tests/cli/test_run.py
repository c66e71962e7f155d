"""`batcher run` in a process of its own against the embedded sandbox: signals, terminal, exit codes, final object."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from batcher.commands import check_online
from batcher.files.disk import Disk
from batcher.sandbox import Fault, SandboxSettings

from ..support.command import environment, start
from ..support.faulty import sandbox_thread
from ..support.processes import bounded
from .test_cli import MODEL


def sheet(directory: Path, rows: int) -> None:
    """A spreadsheet of so many good rows."""
    lines = "".join(f"Dashboard {number},{MODEL}\n" for number in range(rows))
    (directory / "d.csv").write_text(f"name,modelId\n{lines}")


def created(directory: Path) -> list[str]:
    """The identifiers in the results file."""
    path = directory / "d.sandbox.results.jsonl"
    return [json.loads(line)["identifier"] for line in path.read_text().splitlines()] if path.exists() else []


def wait_for_rows(process: subprocess.Popen[str], directory: Path, rows: int) -> None:
    """Until the run has created so many."""
    limit = time.monotonic() + 30
    while len(created(directory)) < rows:
        assert process.poll() is None, "the run has ended too early"
        assert time.monotonic() < limit, "no row was created in time"
        time.sleep(0.02)


def begin(directory: Path, *arguments: str, **more: str) -> subprocess.Popen[str]:
    """Start a run."""
    return subprocess.Popen(
        [sys.executable, "-m", "batcher", "run", "d.csv", "--sandbox", *arguments],
        cwd=directory,
        env=environment(directory, **more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_run_and_the_same_again(tmp_path: Path) -> None:
    """Everything is created, the object adds up; the second run sends nothing and says so; status agrees."""
    sheet(tmp_path, 12)
    done = start(tmp_path, "run", "d.csv", "--sandbox", "--rate", "none", "--json", "--summary", "s.json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["rows"], found["created"], found["createdNow"], found["exitCode"]) == (12, 12, 12, 0)
    assert json.loads((tmp_path / "s.json").read_text()) == found
    assert "Finished: every row is created." in done.stderr
    assert ":\n  batcher run d.csv --json --summary s.json --instance NAME --limit 5\n" in done.stderr
    assert len(set(created(tmp_path))) == 12
    done = start(tmp_path, "run", "d.csv", "--sandbox", "--rate", "none", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["createdBefore"], found["requests"]) == (0, 12, 0)
    assert "Nothing to do: every row is already created." in done.stderr
    done = start(tmp_path, "status", "d.csv", "--sandbox")
    assert (done.returncode, done.stdout) == (0, "12 rows: 12 created before, 0 to create\n")


def test_a_run_with_nothing_to_send_needs_no_key(tmp_path: Path) -> None:
    """And one that has something to send says before it sends what is missing, and makes no file."""
    sheet(tmp_path, 1)
    done = start(tmp_path, "run", "d.csv", "--instance", "acme")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "no API key: set OMNI_API_KEY" in done.stderr
    assert not list(tmp_path.glob("d.*.jsonl"))
    (tmp_path / "d.csv").write_text("name,modelId\n")
    assert start(tmp_path, "run", "d.csv", "--instance", "acme").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_drains(tmp_path: Path, number: signal.Signals) -> None:
    """Exit code 130, a summary, a command line to go on with; the same again creates the rest, none twice."""
    sheet(tmp_path, 20)
    with bounded(begin(tmp_path, "--rate", "10/s", "--json")) as process:
        wait_for_rows(process, tmp_path, 3)
        process.send_signal(number)
        output, errors = process.communicate(timeout=30)
    found = json.loads(output)
    assert (process.returncode, found["interrupted"], found["uncertain"]) == (130, True, 0)
    assert found["created"] == len(created(tmp_path)) == 20 - found["toDo"] < 20
    assert re.search(r"^Stopping[.:]", errors, re.MULTILINE)
    assert f"continue with the {found['toDo']} rows left:\n  batcher run d.csv --sandbox --rate 10/s --json" in errors
    assert "Traceback" not in errors
    assert start(tmp_path, "run", "d.csv", "--sandbox", "--rate", "none").returncode == 0
    assert len(set(created(tmp_path))) == len(created(tmp_path)) == 20


def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    """Without waiting for the request that hangs; its row is uncertain or left, and the next run settles it."""
    sheet(tmp_path, 3)
    results = tmp_path / "d.results.jsonl"
    with sandbox_thread(SandboxSettings(faults=(Fault.parse("hang-before@2"),))) as url:
        command = ["run", "d.csv", "--base-url", url, "--rate", "none", "--concurrency", "1"]
        process = subprocess.Popen(
            [sys.executable, "-m", "batcher", *command],
            cwd=tmp_path,
            env=environment(tmp_path, OMNI_API_KEY="k"),
            stderr=subprocess.PIPE,
            text=True,
        )
        with bounded(process):
            limit = time.monotonic() + 20
            while time.monotonic() < limit and not (results.exists() and results.read_text().count("\n") == 1):
                time.sleep(0.02)
            time.sleep(0.3)  # the second request hangs now
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
            waits = process.poll() is None
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=15)
        assert waits
        assert process.returncode == 130, errors
        assert "Quitting now." in errors
        assert "Traceback" not in errors
        done = start(tmp_path, *command, OMNI_API_KEY="k")
        assert done.returncode == 0, done.stderr
        assert results.read_text().count("\n") == 3


def test_deadline_and_limit_leave_work_with_exit_code_6(tmp_path: Path) -> None:
    """Both end gracefully, say what is left and how to go on."""
    sheet(tmp_path, 30)
    done = start(tmp_path, "run", "d.csv", "--sandbox", "--rate", "5/s", "--deadline", "1s")
    assert done.returncode == 6
    assert "Stopped at the deadline: " in done.stderr
    done = start(tmp_path, "run", "d.csv", "--sandbox", "--rate", "none", "--limit", "1")
    assert done.returncode == 6
    assert "Stopped at the limit: " in done.stderr
    assert re.search(
        r"continue with the \d+ rows left:\n  batcher run d\.csv --sandbox --rate none$", done.stderr, re.MULTILINE
    )


def test_check_online_asks_and_creates_nothing(tmp_path: Path) -> None:
    """It says what a run would find and what the instance said; a refused key is exit code 2; no file is made."""
    sheet(tmp_path, 60)
    with sandbox_thread(SandboxSettings(keys=frozenset({"good"}))) as url:
        done = start(
            tmp_path, "check", "d.csv", "--online", "--base-url", url, "--rate", "none", "--json", OMNI_API_KEY="good"
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert (found["sending"], found["created"], found["keys"], found["requests"]) == (60, 0, 1, 3)
        assert "with 3 requests: 1 key valid, v1 create is offered, 1 of 1 model known" in " ".join(done.stderr.split())
        done = start(
            tmp_path, "check", "d.csv", "--online", "--base-url", url, "--rate", "none", OMNI_API_KEY="bad-one"
        )
        assert done.returncode == 2
        assert "key" in done.stderr
        assert "bad-one" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.csv"]


def test_check_online_does_not_wait_for_a_server_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody sits before it: after a few tries it says so, though a run would sit out the outage."""
    monkeypatch.setattr(check_online, "MOST_PATIENCE_SECONDS", 1.0)  # how long it really is: test_check_online.py
    sheet(tmp_path, 2)
    at = ["--online", "--base-url", "http://127.0.0.1:1"]
    done = start(tmp_path, "check", "d.csv", *at, OMNI_API_KEY="omni_osk_x")
    assert done.returncode == 2
    assert "no usable answer from the server for 1 s (no connection to 127.0.0.1:1" in done.stderr


def test_check_online_asks_about_every_model_and_identifier(tmp_path: Path) -> None:
    """Regression: for less than a hundred rows it asked for the key only. It asks at most sixty times, and says so."""
    models = [MODEL, *(f"{number:08d}-1111-4222-8333-444455556666" for number in range(3))]
    rows = "".join(f"Dashboard {number},{MODEL},own-{number}\n" for number in range(2))
    rows += "".join(f"Other,{model},\n" for model in models[1:])
    (tmp_path / "d.csv").write_text(f"name,modelId,identifier\n{rows}")
    (tmp_path / "many.csv").write_text("name,modelId,identifier\n" + "".join(f"D,{MODEL},x-{n}\n" for n in range(70)))
    with sandbox_thread(SandboxSettings(unknown_models=frozenset({models[2]}))) as url:
        at = ["--online", "--base-url", url, "--rate", "none", "--json"]
        done = start(tmp_path, "check", "d.csv", *at, OMNI_API_KEY="k")
        found = json.loads(done.stdout)
        assert (found["models"], found["unknownModels"], found["identifiers"]) == (4, 1, 2)
        assert (found["requests"], found["unanswered"]) == (8, 0)
        assert done.returncode == 2
        assert f'd.csv:5: modelId: "{models[2]}" isn\'t a model of this instance' in done.stderr
        done = start(tmp_path, "check", "many.csv", *at, OMNI_API_KEY="k")
        found = json.loads(done.stdout)
        assert (found["requests"], found["identifiers"], found["unanswered"]) == (60, 57, 13)
        assert "13 models or identifiers without an answer" in " ".join(done.stderr.split())


def test_the_pace_is_remembered_for_the_key(tmp_path: Path) -> None:
    """A run right after another keeps to the rate of both together, as the server sees it."""
    sheet(tmp_path, 2)
    with sandbox_thread(SandboxSettings(log=tmp_path / "log.jsonl")) as url:
        for name, more in (("a", []), ("b", []), ("alone", ["--no-shared-pace"])):
            arguments = ["--base-url", url, "--rate", "2/s", "--no-preflight", "--namespace", name, *more]
            state = tmp_path / ("nobody" if more else "state")
            results = f"{name}.results.jsonl"
            done = start(
                tmp_path,
                "run",
                "d.csv",
                "--results",
                results,
                *arguments,
                OMNI_API_KEY="k",
                BATCHER_STATE_DIR=str(state),
            )
            assert done.returncode == 0, done.stderr
    requests = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    times = [datetime.fromisoformat(one["at"]).timestamp() for one in requests if one["method"] == "POST"]
    assert len(times) == 6
    assert min(times[2] - times[0], times[3] - times[1]) > 0.96
    assert len(list((tmp_path / "state").glob("*.sqlite"))) == 1
    assert not (tmp_path / "nobody").exists()


def test_invalid_rows_send_and_write_nothing(tmp_path: Path) -> None:
    """Every problem, then exit code 2 and no file beside the input."""
    (tmp_path / "d.csv").write_text(f"name,modelId\nA,{MODEL}\nB,nope\n")
    done = start(tmp_path, "run", "d.csv", "--sandbox", "--json")
    assert done.returncode == 2
    assert re.search(r"^d\.csv:3: modelId: .*nope", done.stderr, re.MULTILINE)
    assert json.loads(done.stdout)["exitCode"] == 2
    assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")] == ["d.csv"]


def test_closed_streams_do_not_stop_a_run(tmp_path: Path) -> None:
    """Readers of both streams go away at once; every row is created all the same, and the exit code is the run's."""
    sheet(tmp_path, 10)
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "batcher", "run", "d.csv", "--sandbox", "--rate", "none", "--json", "-v"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=writing,
        timeout=60,
        check=False,
    )
    os.close(writing)
    assert done.returncode == 0
    assert len(created(tmp_path)) == 10


def test_files_behind_links_are_the_files_that_they_point_to(tmp_path: Path) -> None:
    """The failures file that somebody watches is replaced, not the link; and two links to one journal are one lock."""
    watched = tmp_path / "elsewhere"
    watched.mkdir()
    for kind in ("results", "failures", "journal"):
        (watched / f"w.{kind}.jsonl").touch()
        (tmp_path / f"d.sandbox.{kind}.jsonl").symlink_to(watched / f"w.{kind}.jsonl")
    (tmp_path / "d.jsonl").write_text(
        '{"name": "a", "modelId": "b3f1c9d2-6a47-4e1b-8f53-2d9a7c04e6b1"}\n{"name": "b"}\n'
    )
    ran = start(tmp_path, "run", "d.jsonl", "--sandbox", "--rate", "none", "--skip-invalid")
    assert ran.returncode == 1, ran.stderr
    assert (watched / "w.failures.jsonl").read_text().count("\n") == 1
    assert (watched / "w.results.jsonl").read_text().count("\n") == 1
    assert all((tmp_path / f"d.sandbox.{kind}.jsonl").is_symlink() for kind in ("results", "failures", "journal"))
    with Disk().lock(watched / "w.journal.jsonl", b"another run"):
        assert start(tmp_path, "run", "d.jsonl", "--sandbox", "--skip-invalid").returncode == 4


@pytest.mark.parametrize(
    ("target", "rate", "is_warned"),
    [
        (["--base-url", "https://0.0.0.0:1"], "none", True),
        (["--base-url", "https://0.0.0.0:1"], "60/min", False),
        (["--base-url", "http://127.0.0.1:1"], "none", False),
        (["--sandbox"], "none", False),
    ],
)
def test_no_pace_against_a_real_server_is_warned_of(
    tmp_path: Path, target: list[str], rate: str, is_warned: bool
) -> None:
    """`--rate none` is for rehearsals and servers without a limit (failed before: it never warned)."""
    sheet(tmp_path, 1)
    ran = start(tmp_path, "run", "d.csv", *target, "--rate", rate, "--give-up-after", "100ms", OMNI_API_KEY="k")
    assert ("requests to https://0.0.0.0:1" in ran.stderr) is is_warned, ran.stderr
