"""The command line as a user meets it: help, typos, exit codes, what is imported, closed pipes, completion."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import click
import pytest

from batcher.cli.app import batcher, execute
from batcher.cli.end import Invocation, end
from batcher.cli.settings.given import default_of, shown
from batcher.cli.settings.options import SETTINGS
from batcher.errors import Locked, Stopped, StopReason, UsageError
from batcher.sandbox import Fault
from batcher.version import __version__

from ..support.command import ROOT, environment, feed, start
from ..support.processes import bounded

COMMANDS = ("models", "run", "check", "status", "verify", "undo", "sandbox", "config")
KEY = "omni_osk_0123456789abcdefWXYZ"
MODEL = "3f0d2b10-0000-4000-8000-000000000001"
GOOD = f"name,modelId\nRevenue,{MODEL}\nOrders,{MODEL}\n"
BAD = f"name,modelId\nRevenue,{MODEL}\nOrders,nope\n,{MODEL}\n"


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_a_terminal(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """At most 72 lines of 80 columns; every command has an example."""
    assert execute([*command.split(), "--help"], 0.0) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 72
    assert max(map(len, lines)) <= 80
    if command:
        assert lines[-1].startswith("Example: batcher ")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_explained(command: str) -> None:
    """Each has a text, and each with a number or a duration names its default or says when it applies."""
    for parameter in batcher.commands[command].params:
        text = getattr(parameter, "help", None)
        assert text or isinstance(parameter, click.Argument), parameter.name
        if parameter.metavar in ("N", "SECONDS", "DURATION", "N/PERIOD", "TEXT", "FORMAT"):
            assert re.search(r"\(.+\)$|only|first N|newest N", text or ""), (parameter.name, text)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_examples_parse(command: str) -> None:
    """A pasted example is a command line that the parser takes."""
    for example in getattr(batcher.commands[command], "examples", ()):
        words = example.partition("   ")[0].split()
        assert words[:2] == ["batcher", command]
        batcher.commands[command].make_context(command, words[2:])


def test_the_defaults_in_the_help_are_the_real_ones() -> None:
    """What stands in parentheses at the end of a text is what holds if the option is not given."""
    for parameter in batcher.commands["run"].params:
        setting = SETTINGS.get(parameter.opts[0].removeprefix("--"))
        said = re.search(r"\(([^()]+)\)$", getattr(parameter, "help", None) or "")
        if setting is not None and said is not None and not parameter.opts[0].startswith("--no-"):
            real = shown(setting.setting, default_of(str(setting.name)))
            words = {
                "60s": "60",
                "-": {"format": "from the file name", "sheet": "the first", "deadline": "never"}.get(
                    setting.setting, "empty"
                ),
            }
            assert said[1] == words.get(real, real), setting.setting


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rnu", "x.csv"], "no command 'rnu'; did you mean run? (help: batcher --help)"),
        (["verfy"], "did you mean verify?"),
        (["xyzzy"], "there are models, run, check, status, verify, undo, sandbox, config"),
        (["run", "x.csv", "--ratee", "1/s"], "no option --ratee; did you mean --rate? (help: batcher run --help)"),
        (["run", "--recreate-undo", "x.csv"], "did you mean --recreate-undone?"),
        (["run"], "INPUT... is missing"),
        (["run", "x.csv", "--rate"], "requires an argument"),
        (["run", "x.csv", "--sandbox", "--instance", "a"], "--sandbox and --instance contradict each other"),
        (["run", "x.csv", "--sandbox", "-q", "-v"], "-q and -v contradict each other"),
        (["run", "x.csv", "--sandbox", "--rate", "fast"], "--rate: 'fast' is not a rate"),
        (["run", "x.csv", "--sandbox", "--concurrency", "0"], "--concurrency: '0' isn't allowed"),
        (["run", "x.csv", "--sandbox"], "x.csv: no such file"),
        (["run", "x.csv"], "no base URL: use --base-url"),
        (["run", "-", "--sandbox"], "--results FILE"),
        (["run", "x.csv", "--summary", "no/where.json"], "--summary no/where.json: can't be written"),
        (["run", "x.csv", "--config", "no.toml"], "--config no.toml: can't be read"),
        (["check", "x.csv"], "x.csv: no such file"),
        (["sandbox", "--port", "99999"], "--port: '99999' isn't allowed"),
        (["sandbox", "--fault", "coffee"], "--fault: "),
        (["undo", "d.results.jsonl", "--instance", "a"], "no such results file"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It says what is wrong and what to type; nothing is made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith(("OMNI_", "BATCHER_", "XDG_CONFIG"))]:
        monkeypatch.delenv(name)
    assert execute(arguments, 0.0) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("batcher: ")
    assert message in captured.err
    assert list(tmp_path.iterdir()) == []


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error and with exit code 2, so that a schedule without a command does not pass for a success."""
    assert execute([], 0.0) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("Usage: batcher")


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    """One version in one place."""
    assert version("omni-batcher") == __version__
    assert execute(["--version"], 0.0) == 0
    assert capsys.readouterr().out == f"batcher {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["--help"], ["aiohttp", "pydantic_core", "rich", "asyncio", "anyio", "orjson", "batcher.config"]),
        (["run", "--help"], ["aiohttp", "pydantic_core", "rich", "asyncio", "anyio", "orjson", "batcher.config"]),
        (["config"], ["aiohttp", "pydantic_core", "rich"]),
        (["check", "good.csv"], ["aiohttp", "rich", "uvloop"]),
    ],
)
def test_a_command_imports_only_what_it_needs(tmp_path: Path, arguments: list[str], absent: list[str]) -> None:
    """Start-up is paid on every tick of a schedule."""
    (tmp_path / "good.csv").write_text(GOOD)
    code = (
        "import sys\nfrom batcher.cli.app import execute\n"
        f"code = execute({arguments!r}, 0.0)\n"
        f"print('LOADED', code, [name for name in {absent!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "LOADED 0 []", done.stderr


def test_check_shows_every_problem_and_writes_nothing(tmp_path: Path) -> None:
    """One line a problem with file and line; the counts at the end; exit code 2."""
    (tmp_path / "bad.csv").write_text(BAD)
    done = start(tmp_path, "check", "bad.csv", "--json", "--summary", "s.json")
    assert done.returncode == 2
    assert re.search(r"^bad\.csv:3: modelId: .*nope", done.stderr, re.MULTILINE)
    assert re.search(r"^bad\.csv:4: name: ", done.stderr, re.MULTILINE)
    assert "3 rows: 1 valid, 2 invalid" in done.stderr
    found = json.loads(done.stdout)
    assert (found["command"], found["exitCode"], found["rows"], found["valid"], found["invalid"]) == (
        "check",
        2,
        3,
        1,
        2,
    )
    assert [(problem["line"], problem["field"]) for problem in found["problems"]] == [(3, "modelId"), (4, "name")]
    assert json.loads((tmp_path / "s.json").read_text()) == found
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.csv", "s.json"]


def test_a_table_that_is_cut_off_or_quoted_oddly_is_refused(tmp_path: Path) -> None:
    """Nothing of it is sent: half a name, or a quote in one, would become a document."""
    (tmp_path / "bad.csv").write_text(f'modelId,name,description\n{MODEL}, "Sales, EU"\n{MODEL},Quarterly rep')
    done = start(tmp_path, "run", "bad.csv", "--sandbox", "--rate", "none")
    assert done.returncode == 2
    assert "bad.csv:2: cell 2: a quote after a space; remove the space" in done.stderr
    assert "bad.csv:3: is cut off: it has 2 of 3 cells and no line end" in done.stderr
    assert [path.name for path in tmp_path.glob("*.results.jsonl")] == []


def test_ignored_columns_are_named_once(tmp_path: Path) -> None:
    """A typo in a header would quietly lose a column."""
    rows = "".join(f"{MODEL},Sales {number},x,bob\n" for number in range(9))
    (tmp_path / "a.csv").write_text(f"modelId,name,descripton,owner\n{rows}")
    for command in (["check", "a.csv"], ["run", "a.csv", "--sandbox", "--rate", "none"]):
        done = start(tmp_path, *command, "--ignore-unknown")
        assert done.returncode == 0
        assert done.stderr.count("a.csv: left out: descripton (did you mean description?), owner") == 1
        assert done.stderr.count("descripton") == 1


def test_check_says_how_long_a_run_takes_and_what_comes_next(tmp_path: Path) -> None:
    """By the rate and by the clock; with many rows it suggests a canary; options are carried over."""
    rows = "".join(f"D{number},{MODEL}\n" for number in range(121))
    (tmp_path / "my rows.csv").write_text(f"name,modelId\n{rows}")
    done = start(tmp_path, "check", "my rows.csv", "--rate", "60/min", "--instance", "acme")
    assert done.returncode == 0
    assert "121 rows: 121 valid, 0 invalid" in done.stderr
    assert "Creating the 121 valid rows takes about 2 min at 60/min\n(done by " in done.stderr
    assert done.stderr.rstrip().endswith(
        "Next: set OMNI_API_KEY, then create the first five:\n"
        "  batcher run 'my rows.csv' --rate 60/min --instance acme --limit 5"
    )


@pytest.mark.parametrize(
    ("arguments", "step"),
    [
        (["-"], "batcher run - --results documents.results.jsonl --sandbox"),
        (["-", "--results", "r.jsonl"], "batcher run - --results r.jsonl --sandbox"),
        (["a.csv", "b.csv"], "batcher run a.csv b.csv --results documents.results.jsonl --sandbox"),
        (
            ["a.csv", "--ignore-unknown", "--namespace", "n"],
            "batcher run a.csv --ignore-unknown --namespace n --sandbox",
        ),
    ],
)
def test_what_check_suggests_a_run_takes(tmp_path: Path, arguments: list[str], step: str) -> None:
    """Regression: a run of standard input, or of several inputs, refuses a command line without --results."""
    (tmp_path / "a.csv").write_text(GOOD)
    (tmp_path / "b.csv").write_text(GOOD.replace("Re", "De"))
    done = feed(tmp_path, GOOD, "check", *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr.rstrip().splitlines()[-1] == f"  {step}"
    assert ("with the same standard input" in " ".join(done.stderr.split())) == ("-" in arguments)
    done = feed(tmp_path, GOOD, *shlex.split(step)[1:], "--rate", "none")
    assert done.returncode == 0, done.stderr


def test_standard_input_can_be_checked(tmp_path: Path) -> None:
    """`-` reads the pipe."""
    done = feed(tmp_path, GOOD, "check", "-", "-q", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["rows"] == 2


def test_log_lines_as_json(tmp_path: Path) -> None:
    """Every line on standard error is an object, usage errors included, from the flag or the environment."""
    (tmp_path / "bad.csv").write_text(BAD)
    done = start(tmp_path, "check", "bad.csv", "--log-format", "json")
    events = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert events == ["problem", "problem", "summary"]
    done = start(tmp_path, "check", "none.csv", BATCHER_LOG_FORMAT="json")
    assert [json.loads(line)["event"] for line in done.stderr.splitlines()] == ["error"]


def test_an_error_is_the_final_object_too(tmp_path: Path) -> None:
    """With --json a program finds the exit code and the error on standard output."""
    done = start(tmp_path, "run", "none.csv", "--sandbox", "--json")
    assert json.loads(done.stdout) == {
        "command": "run",
        "exitCode": 2,
        "error": "none.csv: no such file",
        "stoppedReason": "usage",
    }


def test_config_masks_keys_and_names_origins(tmp_path: Path) -> None:
    """As a table and as an object."""
    (tmp_path / "batcher.toml").write_text('rate = "30/min"\n')
    done = start(tmp_path, "config", "--instance", "acme", OMNI_API_KEY=KEY)
    assert re.search(r"^base-url +https://acme\.omniapp\.co +--instance$", done.stdout, re.MULTILINE)
    assert re.search(r"^api-keys +…WXYZ +OMNI_API_KEY$", done.stdout, re.MULTILINE)
    assert re.search(r"^rate +30/min +.*batcher\.toml \(found\)$", done.stdout, re.MULTILINE)
    assert KEY not in done.stdout + done.stderr
    done = start(tmp_path, "config", "--json", OMNI_API_KEY=KEY)
    assert json.loads(done.stdout)["settings"]["rate"]["value"] == "30/min"


def test_a_pipe_that_is_closed_early_is_no_error(tmp_path: Path) -> None:
    """`batcher config | head -0` ends quietly."""
    for arguments in (["--help"], ["config"], ["check", "bad.csv", "--json"]):
        (tmp_path / "bad.csv").write_text(BAD)
        reading, writing = os.pipe()
        os.close(reading)
        process = subprocess.Popen(
            [sys.executable, "-m", "batcher", *arguments],
            cwd=tmp_path,
            env=environment(tmp_path),
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
        )
        with bounded(process):
            os.close(writing)
            _, errors = process.communicate(timeout=60)
        assert "Traceback" not in errors
        assert "Exception" not in errors
        assert process.returncode == (2 if "check" in arguments else 0)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["run", "good.csv", "--sandbox", "--rate", "none", "--json"], 3),
        (["check", "good.csv", "--json"], 2),
        (["check", "bad.csv", "--json"], 2),
        (["status", "good.csv"], 2),
        (["status", "good.csv", "--json"], 2),
        (["config"], 2),
    ],
)
def test_a_full_disk_under_standard_output_is_no_success(tmp_path: Path, arguments: list[str], code: int) -> None:
    """Regression: silence and exit code 0. What was sent is recorded all the same; --summary has the code that it is."""
    (tmp_path / "good.csv").write_text(GOOD)
    (tmp_path / "bad.csv").write_text(BAD)
    summary = ["--summary", "s.json"] if arguments[0] in ("run", "check") else []
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "batcher", *arguments, *summary],
            cwd=tmp_path,
            env=environment(tmp_path),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == code, done.stderr
    assert "batcher: standard output: can't be written: No space left on device" in done.stderr
    assert ("Everything sent is recorded" if code == 3 else "Nothing was sent") in done.stderr
    assert not summary or json.loads((tmp_path / "s.json").read_text())["exitCode"] == code
    if code == 3:
        assert (tmp_path / "good.sandbox.results.jsonl").read_text().count("\n") == 2


def test_a_full_disk_under_the_summary_is_no_success(tmp_path: Path) -> None:
    """Regression: a warning and exit code 0. The final object says so, too; nothing of half a file is left."""
    (tmp_path / "good.csv").write_text(GOOD)
    command = [sys.executable, "-B", "-m", "batcher", "check", "good.csv", "--json", "--summary", "s.json"]
    done = subprocess.run(
        ["bash", "-c", 'ulimit -f 0; exec "$@"', "-", *command],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    assert "batcher: --summary s.json: can't be written: File too large. Nothing was sent; free up space" in done.stderr
    assert json.loads(done.stdout)["exitCode"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good.csv"]


def test_the_summary_may_go_into_a_pipe(tmp_path: Path) -> None:
    """Regression: what was no plain file (as root even /dev/stdout) was replaced by one."""
    (tmp_path / "good.csv").write_text(GOOD)
    os.mkfifo(tmp_path / "pipe")
    reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        done = start(tmp_path, "check", "good.csv", "--summary", "pipe")
        assert done.returncode == 0, done.stderr
        assert json.loads(os.read(reading, 65536))["exitCode"] == 0
    finally:
        os.close(reading)
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_change_nothing(tmp_path: Path, closed: str) -> None:
    """Regression: an internal error and exit code 1, as if some rows had failed."""
    (tmp_path / "good.csv").write_text(GOOD)
    command = [sys.executable, "-m", "batcher", "run", "good.csv", "--sandbox", "--rate", "none", "--json"]
    done = subprocess.run(
        ["bash", "-c", f'"$@" {closed}', "-", *command],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    for name in ("results", "journal"):
        assert all(map(json.loads, (tmp_path / f"good.sandbox.{name}.jsonl").read_text().splitlines()))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion(tmp_path: Path, shell: str) -> None:
    """Each shell's script is printed as the help says."""
    done = start(tmp_path, _BATCHER_COMPLETE=f"{shell}_source")
    assert done.returncode == 0
    assert "_BATCHER_COMPLETE" in done.stdout


def test_completion_knows_commands_and_options(tmp_path: Path) -> None:
    """What a shell asks when Tab is pressed."""
    done = start(tmp_path, _BATCHER_COMPLETE="bash_complete", COMP_WORDS="batcher ru", COMP_CWORD="1")
    assert done.stdout.strip() == "plain,run"
    done = start(tmp_path, _BATCHER_COMPLETE="bash_complete", COMP_WORDS="batcher run --adopt", COMP_CWORD="2")
    assert done.stdout.strip() == "plain,--adopt-existing"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("run --format ", "csv jsonl json xlsx"),
        ("run --log-format ", "text json"),
        ("run --api ", "v1 v2"),
        ("run --rate 5", "500/min"),
        ("sandbox --fault re", "reset-before redirect reset-after revoke-key"),
        ("sandbox --fault 50", "500 502 503 500-after 503-after"),
    ],
)
def test_completion_knows_the_values_of_options(typed: str, offered: str, tmp_path: Path) -> None:
    """And each value that it offers is one that the option takes."""
    words = f"batcher {typed}"
    place = str(len(words.split()) - (not typed.endswith(" ")))
    done = start(tmp_path, _BATCHER_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=place)
    assert [line.removeprefix("plain,") for line in done.stdout.splitlines()] == offered.split()
    if "--fault" in typed:
        assert [Fault.parse(word) for word in offered.split()]


def test_a_press_of_tab_in_a_real_bash(tmp_path: Path) -> None:
    """Switched on as the README says: Tab completes a command, an option, its value, and the name of a file."""
    (tmp_path / "dashboards.csv").write_text("name,modelId\n")
    (tmp_path / "batcher").write_text(f'#!/bin/sh\nexec {sys.executable} -m batcher "$@"\n')
    (tmp_path / "batcher").chmod(0o755)
    [line] = [line for line in (ROOT / "README.md").read_text().splitlines() if "_BATCHER_COMPLETE=bash_source" in line]
    switch_on = re.search(r"eval .*?batcher\)\"", line)
    assert switch_on is not None
    variables = environment(tmp_path, TERM="dumb", INPUTRC="/dev/null", PS1="$ ")
    variables["PATH"] = f"{tmp_path}:{variables['PATH']}"
    ours, theirs = pty.openpty()
    command = ["bash", "--noprofile", "--norc", "-i"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=variables, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as bash:
        os.close(theirs)
        os.write(ours, f"{switch_on[0]}\n".encode())
        os.write(ours, b"batcher ru\tdash\t--log-f\tj\t; echo typed-$?-\n")
        shown = b""
        while b"typed-2-" not in shown:
            shown += os.read(ours, 1024)
        os.write(ours, b"exit\n")
        bash.wait(60)
        os.close(ours)
    assert b"batcher run dashboards.csv --log-format json " in shown, shown.decode()


def test_the_sandbox_serves_until_interrupted(tmp_path: Path) -> None:
    """Its first line on standard output is its base URL; Ctrl-C stops it with exit code 0."""
    process = subprocess.Popen(
        [sys.executable, "-m", "batcher", "sandbox"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with bounded(process):
        assert process.stdout is not None
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+\n", process.stdout.readline())
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Ctrl-C stops it" in errors
    assert "Traceback" not in errors


def test_ctrl_c_while_checking_ends_at_once(tmp_path: Path) -> None:
    """Exit code 130, one line, nothing written."""
    process = subprocess.Popen(
        [sys.executable, "-m", "batcher", "check", "-"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with bounded(process):
        assert process.stdin is not None
        process.stdin.write("\n" * 300_000)  # more than a pipe holds: written when batcher reads; and it does not end
        process.stdin.flush()
        for _ in range(30):  # a person presses it again, too, should Python have swallowed one in a destructor
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=2)
                break
        assert process.poll() is not None, "no ctrl-C ended it"
        assert process.stderr is not None
        assert process.stderr.read() == "batcher: interrupted before anything was sent\n"
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


def ended(invocation: Invocation, error: BaseException) -> None:
    """Let a command end with that error."""
    with end(invocation):
        raise error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), 2),
        (Stopped("x", StopReason.FIREWALL), 3),
        (Locked("x"), 4),
        (KeyboardInterrupt(), 130),
        (ValueError("x"), 70),
    ],
)
def test_every_error_has_its_exit_code(error: BaseException, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Also when a task group has wrapped it."""
    for raised in (error, BaseExceptionGroup("tasks", [BaseExceptionGroup("inner", [error])])):
        invocation = Invocation(("run",), 0.0)
        ended(invocation, raised)
        assert invocation.code == code
        assert capsys.readouterr().err.count("\n") == 1


def test_a_bug_of_ours_is_kept_without_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The traceback lies beside the results; neither it nor the message holds a key."""
    monkeypatch.setenv("OMNI_API_KEYS", f"{KEY},second-key")
    invocation = Invocation(("run", "d.csv"), 0.0, beside=tmp_path)
    invocation.console.mask = invocation.console.mask.and_of(["from-a-profile"])
    ended(invocation, ArithmeticError(f"sent {KEY}, second-key and from-a-profile"))
    assert invocation.code == 70
    [kept] = tmp_path.iterdir()
    text = kept.read_text()
    assert "ArithmeticError: sent (key), (key) and (key)" in text
    shown = capsys.readouterr().err
    assert str(kept) in shown
    for secret in (KEY, "second-key", "from-a-profile"):
        assert secret not in text + shown


def test_a_message_names_a_rehearsals_file_as_it_is_called(tmp_path: Path) -> None:
    """Regression: the sandbox's key is the word `sandbox`, and was blackened in the names of its files."""
    (tmp_path / "d.jsonl").write_text(f'{{"modelId":"{MODEL}","name":"n"}}\n')
    (tmp_path / "d.sandbox.results.jsonl").write_text("junk\n")
    ran = start(tmp_path, "run", "d.jsonl", "--sandbox")
    assert ran.returncode == 2
    assert "d.sandbox.results.jsonl:1: " in ran.stderr
