"""Machines as they are: no home, no place for temporary files, few descriptors and threads, signals at any moment."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from batcher.cli.allowed import check_threads
from batcher.cli.end import Invocation, end
from batcher.config import Sending
from batcher.errors import UsageError
from batcher.runtime import shared_pace_of

from ..support.command import environment, feed

MODEL = "3f0d2b10-0000-4000-8000-000000000001"
ROWS = f"name,modelId\nRevenue,{MODEL}\nOrders,{MODEL}\n"
MAIN = "from batcher.__main__ import main; main()"
NO_ACCOUNT = "import pwd\ndef gone(*_): raise KeyError\npwd.getpwuid = gone\n"
SIGNAL_AT = """
import os, signal, sys
class Sends:
    def find_spec(self, name, *_):
        if name == {module!r}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.{number})
sys.meta_path.insert(0, Sends())
"""


def interpreted(
    directory: Path, first: str, *arguments: str, without: str = "", cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """`batcher` in a process of its own that runs these lines first."""
    env = environment(directory)
    env.pop(without, None)
    command = [sys.executable, "-c", first + MAIN, *arguments]
    return subprocess.run(
        command, cwd=cwd or directory, env=env, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text(ROWS)
    return path


@pytest.mark.parametrize("command", ["check in.csv", "config", "status in.csv", "run in.csv --sandbox --rate none"])
def test_no_home_and_no_account(command: str, table: Path) -> None:
    """Containers run under a user id of their own; exit 70 before."""
    done = interpreted(table.parent, NO_ACCOUNT, *command.split(), without="HOME")
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr


def test_no_home_for_the_profile_that_is_named(table: Path) -> None:
    done = interpreted(table.parent, NO_ACCOUNT, "run", "in.csv", "--profile", "prod", without="HOME")
    assert done.returncode == 2
    assert "OMNI_CONFIG_PATH" in done.stderr


def test_no_home_means_no_shared_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said once, and the run keeps to its own rate. Nothing is made in a directory called `~`."""

    def gone(number: int) -> pwd.struct_passwd:
        raise KeyError(number)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", gone)
    warnings: list[str] = []
    assert shared_pace_of(Sending(), {}, warnings.append) is None
    assert len(warnings) == 1
    assert "BATCHER_STATE_DIR" in warnings[0]


def test_a_working_directory_that_is_gone(table: Path) -> None:
    """It holds no settings for us; the input is named by its path."""
    gone = table.parent / "gone"
    gone.mkdir()
    leave = f"import os\nos.rmdir({str(gone)!r})\n"
    assert interpreted(table.parent, leave, "check", str(table), cwd=gone).returncode == 0
    gone.mkdir()
    done = interpreted(table.parent, leave, "run", str(table), "--sandbox", "--results", "r.jsonl", cwd=gone)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="gives a directory to somebody else")
def test_a_working_directory_of_somebody_else(table: Path) -> None:
    """`sudo -u service batcher …` from root's home: exit 70 before."""
    private = table.parent / "private"
    private.mkdir(0o700)
    os.chown(private, 65534, 65534)
    command = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", sys.executable, "-m", "batcher"]
    done = subprocess.run(
        [*command, "check", str(table)],
        cwd=private,
        env=environment(table.parent),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@contextmanager
def temporary_files_in(place: Path) -> Iterator[None]:
    before = tempfile.tempdir
    tempfile.tempdir = str(place)
    try:
        yield
    finally:
        tempfile.tempdir = before


def test_standard_input_without_a_place_for_temporary_files(tmp_path: Path) -> None:
    """A run copies it beside its results; `check` writes nothing there, and names the place and TMPDIR."""
    with temporary_files_in(tmp_path / "missing"):
        ran = feed(tmp_path, ROWS, "run", "-", "--sandbox", "--rate", "none", "--results", "r.results.jsonl")
        checked = feed(tmp_path, ROWS, "check", "-")
    assert ran.returncode == 0, ran.stderr  # 2, "there is no such file", before
    assert len((tmp_path / "r.results.jsonl").read_text().splitlines()) == 2
    assert checked.returncode == 2
    assert "TMPDIR" in checked.stderr
    assert str(tmp_path / "missing") in checked.stderr


@pytest.mark.skipif(not Path("/bin/bash").exists(), reason="ulimit is a word of the shell")
def test_standard_input_that_does_not_fit(tmp_path: Path) -> None:
    """A place for temporary files that is full, here by a limit on the size of files."""
    done = subprocess.run(
        ["/bin/bash", "-c", 'ulimit -f 8 && exec "$@"', "bash", sys.executable, "-B", "-m", "batcher", "check", "-"],
        input=ROWS * 1000,
        cwd=tmp_path,
        env=environment(tmp_path, TMPDIR=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"the directory for temporary files, {tmp_path}: File too large" in done.stderr
    assert "set TMPDIR" in done.stderr


@pytest.mark.skipif(not Path("/bin/bash").exists(), reason="ulimit is a word of the shell")
@pytest.mark.parametrize(
    ("limit", "concurrency", "code", "words"),
    [
        ("-S -n 40", 64, 0, ()),  # raised as far as this user may
        ("-n 40", 64, 0, ("ulimit -n", "--concurrency 9")),
        ("-n 30", 8, 2, ("ulimit -n", "Nothing was sent")),
    ],
)
def test_few_descriptors(limit: str, concurrency: int, code: int, words: tuple[str, ...], table: Path) -> None:
    """Connections leave room for the files: 64 of the one, and the end of the run found none for the other."""
    run = f'ulimit {limit} && exec "$@" --concurrency {concurrency} --give-up-after 100ms'
    command = ["-m", "batcher", "run", "in.csv", "--base-url", "http://127.0.0.1:9", "--rate", "none"]
    done = subprocess.run(
        ["/bin/bash", "-c", run, "bash", sys.executable, *command],
        cwd=table.parent,
        env=environment(table.parent, OMNI_API_KEY="k"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (code or 3), done.stderr  # 3: nobody listens there
    assert ("ulimit" in done.stderr) is bool(words)
    assert all(word in done.stderr for word in words), done.stderr


def test_few_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uvloop aborts the process if it can start none; so it's told before."""
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def limited(thread: threading.Thread) -> None:
        if len(started) == 3:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    check_threads()
    monkeypatch.setattr(threading.Thread, "start", limited)
    with pytest.raises(UsageError, match="start only 3 of the"):
        check_threads()
    assert not any(thread.is_alive() for thread in started)


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize(
    "module", ["batcher.cli.app", "batcher.validate.schema", "batcher.cli.loop", "sqlite3", "uvloop"]
)
def test_a_signal_while_modules_are_imported(module: str, number: str, table: Path) -> None:
    """One sentence and exit 130, whatever was being imported; a traceback, or the signal's own end, before."""
    done = interpreted(
        table.parent,
        SIGNAL_AT.format(module=module, number=number) + "import os\nos.environ['OMNI_API_KEY'] = 'k'\n",
        *("run", "in.csv", "--base-url", "http://127.0.0.1:9", "--json"),
    )
    assert done.returncode == 130, done.stderr
    assert done.stderr == "batcher: interrupted before anything was sent\n"
    assert json.loads(done.stdout)["exitCode"] == 130
    assert list(table.parent.glob("in.*.jsonl")) == []


FILE = PermissionError(13, "Permission denied", "/srv/data")
DESCRIPTORS = OSError(24, "Too many open files", "/srv/data")
THREAD = RuntimeError("can't start new thread")


@pytest.mark.parametrize("is_group", [False, True])
@pytest.mark.parametrize(
    ("error", "has_sent", "code", "said"),
    [
        (FILE, False, 2, "/srv/data: Permission denied. Nothing was sent"),
        (FILE, True, 70, "internal error ("),
        (DESCRIPTORS, False, 2, "/srv/data: Too many open files. Nothing was sent"),
        (THREAD, False, 2, "can't start new thread. Nothing was sent"),
        (THREAD, True, 70, "internal error ("),
        (RecursionError("maximum recursion depth exceeded"), False, 70, "internal error ("),
        (ValueError("a fault of ours"), False, 70, "internal error ("),
    ],
)
def test_what_the_machine_refuses(
    error: Exception, is_group: bool, has_sent: bool, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sentence, with the path, as long as nothing was sent; afterwards nobody knows what it means. Faults stay faults."""

    def refuse() -> None:
        raise ExceptionGroup("tasks", [error]) if is_group else error

    invocation = Invocation((), 0.0)
    invocation.has_sent = lambda: has_sent
    with end(invocation):
        refuse()
    assert invocation.code == code
    assert said in capsys.readouterr().err
