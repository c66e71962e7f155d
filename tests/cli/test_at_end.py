"""`--metrics-file` and `--on-end`: written and called at every end, and no end is changed by them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from batcher.cli import at_end
from batcher.cli.at_end import call, metrics_of
from batcher.cli.final_files import write
from batcher.cli.settings.files import files_of
from batcher.files.disk import Disk
from batcher.sandbox import Fault, SandboxSettings

from ..support.command import environment, start
from ..support.faulty import sandbox_thread
from ..support.rows import MODEL

parser: Any = pytest.importorskip("prometheus_client.parser")
GOOD = f"modelId,name\n{MODEL},a\n{MODEL},b\n"


def metrics(directory: Path) -> dict[str, float]:
    """The metrics file's samples by name, of all rows those that are created."""
    text = (directory / "m.prom").read_text()
    families = list(parser.text_string_to_metric_families(text))
    return {sample.name: sample.value for family in reversed(families) for sample in reversed(family.samples)}


def run(directory: Path, *more: str, fault: str = "", rows: str = GOOD) -> tuple[int, dict[str, Any]]:
    """One night; its exit code, and what the command at its end was given."""
    (directory / "d.csv").write_text(rows)
    given = directory / "given.json"
    given.unlink(missing_ok=True)
    copy = f"{sys.executable} -c \"import sys; open('given.json', 'w').write(sys.stdin.read())\""
    faults = (Fault.parse(fault),) if fault else ()
    with sandbox_thread(SandboxSettings(faults=faults)) as base_url:
        options = ["--rate", "none", "--metrics-file", "m.prom", "--on-end", copy, "--no-preflight"]
        done = start(directory, "run", "d.csv", "--base-url", base_url, *options, *more, OMNI_API_KEY="a-nightly-key")
    assert done.returncode in (0, 1, 2, 3, 4, 5, 6), done.stderr
    return done.returncode, json.loads(given.read_text()) if given.exists() else {}


ENDS: list[tuple[int, dict[str, Any], tuple[str, ...]]] = [
    (0, {}, ()),
    (1, {"fault": "422@2"}, ("--concurrency", "1")),
    (2, {"rows": "modelId,name\nnope,a\n"}, ()),
    (2, {}, ("--results", "missing/x.jsonl")),
    (3, {"fault": "401"}, ()),
    (5, {"fault": "reset-after@1"}, ("--no-fill-identifiers",)),
    (6, {}, ("--limit", "1")),
]


@pytest.mark.parametrize(("code", "night", "options"), ENDS)
def test_every_end_is_in_the_metrics_and_told_to_the_command(
    code: int, night: dict[str, Any], options: tuple[str, ...], tmp_path: Path
) -> None:
    """Prometheus' own parser reads it; the command gets the object of --summary; last success survives what fails."""
    before = 1_700_000_000.5
    (tmp_path / "m.prom").write_text(f'batcher_last_success_timestamp_seconds{{name="m"}} {before}\n')
    ended, told = run(tmp_path, "--summary", "s.json", *options, **night)
    assert (ended, told["exitCode"]) == (code, code)
    assert told == json.loads((tmp_path / "s.json").read_text())
    found = metrics(tmp_path)
    assert found["batcher_exit_code"] == code
    assert abs(found["batcher_last_run_timestamp_seconds"] - time.time()) < 3600
    success = found["batcher_last_success_timestamp_seconds"]
    assert success == (found["batcher_last_run_timestamp_seconds"] if code == 0 else before)
    assert found.get("batcher_rows") == told.get("created")
    assert ("batcher_stopped" in found) is (told.get("stoppedReason") is not None)


def test_a_run_that_finds_the_files_locked_and_a_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """4 and 70 are ends like others."""
    (tmp_path / "d.csv").write_text(GOOD)
    with Disk().lock(files_of([str(tmp_path / "d.csv")]).journal, b"another run"):
        assert run(tmp_path)[0] == 4
    assert metrics(tmp_path)["batcher_exit_code"] == 4

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("batcher.cli.run.exit_code", broken)
    done = start(tmp_path, "run", "d.csv", "--sandbox", "--rate", "none", "--metrics-file", "m.prom")
    assert done.returncode == 70
    assert metrics(tmp_path)["batcher_exit_code"] == 70
    assert metrics(tmp_path)["batcher_last_success_timestamp_seconds"] == 0


def test_a_night_that_was_interrupted(tmp_path: Path) -> None:
    """130 is an end, too: Ctrl-C in the middle, and what is in flight is accounted for before anything is written."""
    (tmp_path / "d.csv").write_text("modelId,name\n" + "".join(f"{MODEL},r{n}\n" for n in range(200)))
    command = [sys.executable, "-m", "batcher", "run", "d.csv", "--sandbox", "--rate", "20/s"]
    command += ["--metrics-file", "m.prom", "--on-end", "cp /dev/stdin given.json"]
    results = tmp_path / "d.sandbox.results.jsonl"
    with subprocess.Popen(command, cwd=tmp_path, env=environment(tmp_path), stderr=subprocess.DEVNULL) as process:
        while not (results.exists() and results.stat().st_size):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    told, found = json.loads((tmp_path / "given.json").read_text()), metrics(tmp_path)
    assert (told["exitCode"], told["stoppedReason"], found["batcher_exit_code"]) == (130, "interrupted", 130)
    assert found["batcher_rows"] == told["created"] == len(results.read_text().splitlines())


def test_whoever_reads_the_metrics_finds_a_whole_file(tmp_path: Path) -> None:
    """While it is replaced again and again."""
    path = tmp_path / "m.prom"
    fields = {"exitCode": 0, "requests": 1, "stoppedReason": "limit", "elapsedSeconds": 1.0, "created": 3}

    def replace() -> None:
        for _ in range(300):
            assert write(path, metrics_of(path, fields)) is None

    replace()
    whole = metrics(tmp_path).keys()
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(replace)
        reads = 0
        while not writing.done() or not reads:
            assert metrics(tmp_path).keys() == whole
            reads += 1
        writing.result()


def test_a_file_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    """Above all the input."""
    (tmp_path / "d.csv").write_text(GOOD)
    done = start(tmp_path, "run", "d.csv", "--sandbox", "--metrics-file", "d.csv")
    assert (done.returncode, (tmp_path / "d.csv").read_text()) == (2, GOOD)
    assert "holds something else" in done.stderr


def test_metrics_that_cannot_be_written_are_told_of(tmp_path: Path) -> None:
    """Whoever watches the file must not take silence for success."""
    (tmp_path / "m.prom").symlink_to("missing/m.prom")
    code, told = run(tmp_path)
    assert (code, told["exitCode"], told["created"]) == (3, 3, 2)


# the command at the end -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "warning"),
    [
        ("raise SystemExit(3)", "ended with exit code 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended with signal 9"),
        ("import time; time.sleep(600)", "was killed after 1 s"),
        ("while True: print('x' * 100_000)", "was killed after 1 s"),
        ("import sys; sys.stdin.close()", None),
        ("print('y' * 50_000_000)", None),
    ],
    ids=["fails", "dies", "hangs", "floods", "reads nothing", "prints much"],
)
def test_whatever_the_command_does_is_one_warning_at_most(code: str, warning: str | None) -> None:
    """With a summary that is larger than a pipe holds."""
    seconds = 1.0 if warning and "killed" in warning else 60.0
    trouble = call([sys.executable, "-c", code], b"x" * 1_000_000, seconds)
    assert (trouble is None) if warning is None else (trouble is not None and warning in trouble)


def test_a_machine_that_has_no_room_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failed before: the run ended with an internal error, though all had gone well."""
    monkeypatch.setattr("tempfile.tempdir", "/nonexistent")
    assert "can't be started: No such file or directory" in (call(["true"], b"{}") or "")


def is_gone(process: int) -> bool:
    """Whether it has ended; nobody may have waited for it yet."""
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True


def test_its_children_are_killed_with_it(tmp_path: Path) -> None:
    """A shell script that hangs in a program of its own."""
    child = tmp_path / "child"
    script = f"sleep 600 & echo $! > {child}; wait"
    assert "killed" in (call(["sh", "-c", script], b"", 1.0) or "")
    while not is_gone(int(child.read_text())):
        time.sleep(0.01)


def test_no_shell_is_asked(tmp_path: Path) -> None:
    """Words are split as a shell does it, and nothing in them is carried out."""
    (tmp_path / "d.csv").write_text(GOOD)
    done = start(tmp_path, "run", "d.csv", "--sandbox", "--rate", "none", "--on-end", "echo $(touch x); touch y")
    assert (done.returncode, done.stderr.count("warning: --on-end")) == (0, 0)
    assert not {"x", "y"} & {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize(("command", "code"), [("no-such-program", 0), ("sh -c 'exit 9'", 0), ("'", 2), ("", 2)])
def test_a_command_that_is_wrong(command: str, code: int, tmp_path: Path) -> None:
    """One that can't be split is refused; one that isn't there is told of at once, and again at the end."""
    (tmp_path / "d.csv").write_text(GOOD)
    done = start(tmp_path, "run", "d.csv", "--sandbox", "--rate", "none", "--on-end", command)
    assert done.returncode == code
    told = [line for line in done.stderr.splitlines() if line.startswith(("warning: --on-end", "batcher: --on-end"))]
    assert len(told) == (2 if command == "no-such-program" else 1)


def test_a_signal_ends_the_command_and_keeps_the_exit_code(tmp_path: Path) -> None:
    """Somebody who doesn't want to wait for it: the run is over, and its code stands."""
    (tmp_path / "d.csv").write_text(GOOD)
    command = [sys.executable, "-m", "batcher", "run", "d.csv", "--sandbox", "--rate", "none", "--on-end"]
    with subprocess.Popen(
        [*command, "sh -c 'touch called; sleep 600'"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while not (tmp_path / "called").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, "--on-end: sh was interrupted" in said) == (0, True), said


def test_neither_comes_from_a_file_or_the_environment(tmp_path: Path) -> None:
    """A file that was merely found must not start programs."""
    (tmp_path / "d.csv").write_text(GOOD)
    (tmp_path / "batcher.toml").write_text('on-end = "touch called"\n')
    assert start(tmp_path, "run", "d.csv", "--sandbox", "--rate", "none").returncode == 2
    (tmp_path / "batcher.toml").unlink()
    done = start(tmp_path, "run", "d.csv", "--sandbox", "--rate", "none", BATCHER_ON_END="touch called")
    assert (done.returncode, (tmp_path / "called").exists()) == (0, False)
    assert at_end.HOOK_SECONDS == 20
