"""The final object of each command has the fields that `batcher/report/README.md` documents, and no other."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from batcher import StopReason
from batcher.cli.screen.console import Event
from batcher.report.metrics import metrics_text

from ..support.command import start
from .pages import ROOT, text_of

PAGE = ROOT / "batcher" / "report" / "README.md"
ONLINE = "requests, keys, offersCreate, models, unknownModels, identifiers"
ONLINE_ONLY = {*ONLINE.split(", "), "takenIdentifiers", "unanswered"}


def documented(command: str) -> set[str]:
    """The fields in the command's table."""
    [table] = re.findall(rf"^## {command}\n(.*?)(?=^## |\Z)", text_of(PAGE), re.MULTILINE | re.DOTALL)
    names = [name for cell in re.findall(r"^\| ([A-Za-z, ]+) \|", table, re.MULTILINE)[1:] for name in cell.split(", ")]
    assert len(names) == len(set(names)), "each field once"
    return set(names)


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which eight rows have been created at the sandbox."""
    directory = tmp_path_factory.mktemp("rehearsed")
    shutil.copy(ROOT / "samples" / "spreadsheet.csv", directory / "d.csv")
    shown = start(directory, "run", "d.csv", "--sandbox", "--rate", "none", "--summary", "run.json")
    assert shown.returncode == 0, shown.stderr
    return directory


def test_of_run(rehearsed: Path) -> None:
    """In the file that --summary names."""
    assert set(json.loads((rehearsed / "run.json").read_text())) == documented("run")


@pytest.mark.parametrize("command", ["status", "verify", "undo", "config", "check", "models"])
def test_of_the_other_commands(command: str, rehearsed: Path) -> None:
    """On standard output."""
    subject = {"undo": ["d.sandbox.results.jsonl"], "config": [], "models": []}.get(command, ["d.csv"])
    paced = [] if command in ("config", "check") else ["--rate", "none"]
    shown = json.loads(start(rehearsed, command, *subject, "--sandbox", *paced, "--json").stdout)
    assert (shown["command"], shown["exitCode"]) == (command, 0)
    assert set(shown) == documented(command) - (ONLINE_ONLY if command == "check" else set())


def test_of_check_online(rehearsed: Path) -> None:
    """Where earlier runs are looked at as well."""
    shown = start(rehearsed, "check", "d.csv", "--online", "--sandbox", "--rate", "none", "--json")
    assert set(json.loads(shown.stdout)) == documented("check") - {"repeats"}


def test_of_a_command_that_ends_with_an_error(tmp_path: Path) -> None:
    """`error` is in the object, next to what is known."""
    shown = start(tmp_path, "run", "missing.csv", "--sandbox", "--json")
    last = json.loads(shown.stdout)
    assert last["exitCode"] == shown.returncode == 2
    assert "missing.csv" in last["error"]
    assert last["stoppedReason"] == "usage"
    assert set(last) <= documented("run") | {"error"}


def test_the_page_lists_every_event_of_the_log() -> None:
    """In the order of the code."""
    [table] = re.findall(r"^## The log\n(.*?)(?=^## )", text_of(PAGE), re.MULTILINE | re.DOTALL)
    assert re.findall(r"^\| ([a-z_]+) \|", table, re.MULTILINE)[1:] == list(Event)


def test_the_page_lists_every_metric() -> None:
    """Those of a run that stopped, which has all of them."""
    fields = dict.fromkeys(("exitCode", "requests", "elapsedSeconds", "created"), 1) | {"stoppedReason": "limit"}
    [table] = re.findall(r"^## Metrics\n(.*)", text_of(PAGE), re.MULTILINE | re.DOTALL)
    written = re.findall(r"^# TYPE (\w+) gauge", metrics_text(fields, "m", 1.0, 0.0).decode(), re.MULTILINE)
    assert re.findall(r"^\| (batcher_[a-z_]+) \|", table, re.MULTILINE) == written


def test_the_page_lists_every_stopped_reason() -> None:
    """A program that acts on one finds them all."""
    [table] = re.findall(r"^## stoppedReason\n(.*?)(?=^## )", text_of(PAGE), re.MULTILINE | re.DOTALL)
    assert re.findall(r"^\| ([a-z_]+) \|", table, re.MULTILINE)[1:] == list(StopReason)
