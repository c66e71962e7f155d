"""What people see in a real terminal, at three widths and more: nothing is wider than the window, nothing by color alone."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pytest

from batcher.sandbox import Fault, SandboxSettings

from ..support.faulty import sandbox_thread
from ..support.rows import MODEL
from ..support.terminal import Shown, Terminal, on_terminal

KEY = {"OMNI_API_KEY": "k"}
WIDTHS = (40, 80, 200)
PASTED = re.compile(r"^(  batcher |  https?://|(Results|Failures|Kept|Sheet): )")  # what is copied is never broken


def table(directory: Path, rows: int) -> None:
    """A spreadsheet of so many good rows."""
    lines = "".join(f"Dashboard {number},{MODEL},Numbers of month {number}\n" for number in range(rows))
    (directory / "d.csv").write_text(f"name,modelId,description\n{lines}")


def assert_fits(shown: Shown, columns: int) -> None:
    """No line is broken by the window: each ends before its edge, but for what is there to be copied."""
    wide = [line for line in shown.printed if len(line) > min(columns, 80) and not PASTED.match(line)]
    assert [line for line in wide if " " in line[: min(columns, 80)].strip()] == []


@pytest.mark.parametrize("columns", WIDTHS)
def test_every_screen_fits(tmp_path: Path, columns: int) -> None:
    """A working day, one command after another: canary, status, the rest, verify, undo."""
    table(tmp_path, 12)
    faults = (Fault.parse("400@9"), Fault.parse("422@11"))
    with sandbox_thread(SandboxSettings(faults=faults)) as url:
        to = ["--base-url", url, "--rate", "20/s"]
        day = (
            (0, ["check", "d.csv"]),
            (0, ["check", "d.csv", "--online", *to]),
            (6, ["run", "d.csv", *to, "--limit", "5"]),
            (0, ["status", "d.csv", *to]),
            (1, ["run", "d.csv", *to]),
            (0, ["status", "d.csv", *to]),
            (1, ["verify", "d.csv", *to]),
            (0, ["run", "d.csv", *to]),
            (0, ["verify", "d.csv", *to]),
            (0, ["undo", "d.results.jsonl", *to]),
            (0, ["undo", "d.results.jsonl", *to, "--yes"]),
        )
        for code, command in day:
            shown = on_terminal(tmp_path, *command, columns=columns, variables=KEY)
            assert shown.code == code, shown.text
            assert_fits(shown, columns)


@pytest.mark.parametrize("columns", WIDTHS)
def test_every_refusal_fits(tmp_path: Path, columns: int) -> None:
    """Problems, warnings and errors are wrapped between words."""
    (tmp_path / "d.csv").write_text(f"name,modelId,descripton,folder\n,{MODEL},x,Sales\nA,no-uuid,y,Sales\n")
    for command in (
        ["check", "d.csv"],
        ["run", "d.csv", "--sandbox"],
        ["run", "d.csv"],
        ["run", "missing.csv", "--sandbox"],
        ["verify", "d.csv", "--base-url", "http://acme.example"],
        ["run", "d.csv", "--rte", "3"],
        ["undo", "d.csv"],
    ):
        shown = on_terminal(tmp_path, *command, columns=columns)
        assert shown.code == 2, shown.text
        assert_fits(shown, columns)


@pytest.mark.parametrize("command", ["verify", "undo", "run"])
def test_the_same_bar_everywhere(tmp_path: Path, command: str) -> None:
    """`verify` and `undo` show how far they are as `run` does; it's gone when they end."""
    table(tmp_path, 12)
    slow = ["--sandbox", "--rate", "6/s"]
    if command != "run":
        on_terminal(tmp_path, "run", "d.csv", "--sandbox", "--rate", "none", "-q")
    what = {"undo": ["d.sandbox.results.jsonl", "--yes"]}.get(command, ["d.csv"])
    shown = on_terminal(tmp_path, command, *what, *slow)
    assert shown.code == 0, shown.text
    assert any(re.match(r"█+░* \d+ of 12, \d+%", line) for line in shown.printed)
    assert {"verify": "compared", "undo": "deleted", "run": "created"}[command] in shown.written
    assert "█" not in shown.text
    assert "left (done by" in shown.written


def test_the_bar_in_a_very_narrow_window(tmp_path: Path) -> None:
    """It's painted, never wider than the window, and gone before the summary; with NO_COLOR it has none."""
    table(tmp_path, 12)
    shown = on_terminal(
        tmp_path, "run", "d.csv", "--sandbox", "--rate", "10/s", columns=24, variables={"NO_COLOR": "1"}
    )
    painted, _, after = shown.written.partition("\x1b[?25h")
    bars = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in re.split(r"[\r\n]+", painted) if "█" in line]
    assert bars
    assert max(map(len, bars)) <= 24
    assert painted.count("\x1b[?25l") == 1
    assert not re.search(r"\x1b\[[0-9;]*[1-9][0-9;]*m", shown.written)
    assert "Finished: every row is created." in " ".join(after.split())


def test_a_window_that_shrinks_during_a_run(tmp_path: Path) -> None:
    """The bar and what follows fit the window as it is then."""
    table(tmp_path, 30)
    terminal = Terminal(120)
    marks: list[int] = []

    def shrink(process: subprocess.Popen[str]) -> None:
        if b"\xe2\x96\x88" in terminal.written and not marks:
            marks.append(len(terminal.written))
            terminal.resize(44)
            process.send_signal(signal.SIGWINCH)

    shown = terminal.run_process(tmp_path, "run", "d.csv", "--sandbox", "--rate", "10/s", during=shrink)
    assert shown.code == 0
    assert marks
    after = Shown(0, terminal.written[marks[0] :].decode("utf-8", "ignore").partition("\x1b[?25h")[2], ())
    assert "Finished" in after.written
    assert_fits(after, 44)


def failing(directory: Path, **more: str) -> Shown:
    """A run with one failed row."""
    table(directory, 2)
    with sandbox_thread(SandboxSettings(faults=(Fault.parse("400@2"),))) as url:
        return on_terminal(directory, "run", "d.csv", "--base-url", url, "--rate", "none", variables={**KEY, **more})


def test_colors_say_nothing_that_words_do_not(tmp_path: Path) -> None:
    """Failed is red, the next command bold; with NO_COLOR or a dumb terminal the same words come without."""
    (tmp_path / "colored").mkdir()
    colored = failing(tmp_path / "colored")
    assert "\x1b[31m1 failed: rejected\x1b[0m" in colored.written
    assert re.search(r"\x1b\[1m  batcher run d\.csv [^\x1b]*\x1b\[0m", colored.written)
    for number, more in enumerate(({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""})):
        directory = tmp_path / str(number)
        directory.mkdir()
        plain = failing(directory, **more)
        assert not re.search(r"\x1b\[[0-9;]*[1-9][0-9;]*m", plain.written)
        words = [re.sub(r"\d+ s|127\S+|\d+/s", "", "\n".join(each.lines)) for each in (plain, colored)]
        assert words[0].partition("Finished")[2] == words[1].partition("Finished")[2]


def test_warnings_are_yellow_and_errors_red(tmp_path: Path) -> None:
    """By the word before them, which stays."""
    table(tmp_path, 2)
    (tmp_path / "twice.csv").write_text(f"name,modelId\nA,{MODEL}\nA,{MODEL}\n")
    warned = on_terminal(tmp_path, "check", "twice.csv")
    assert "\x1b[33mwarning: \x1b[0m" in warned.written
    refused = on_terminal(tmp_path, "check", "missing.csv")
    assert "\x1b[31mbatcher: \x1b[0m" in refused.written
