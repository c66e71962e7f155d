"""The README stays true: its transcripts are run, its links lead somewhere, its two command lines are what CI runs.

A ```console block is a transcript: each `$ ` line is run by a shell in a fresh copy of `samples/`, and what it prints
must be what follows. `…` stands for anything within a line, a line of `…` alone for any lines.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import batcher.report.summary

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TRANSCRIPTS = re.findall(r"^```console\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def steps(transcript: str) -> list[tuple[str, str]]:
    """The commands of a transcript, each with what it should print."""
    parts = re.split(r"^\$ (.*)\n", transcript, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def pattern(expected: str) -> re.Pattern[str]:
    """A regular expression for the expected output with its gaps."""
    lines = []
    for line in expected.rstrip("\n").split("\n"):
        if line.strip() == "…":
            lines.append("(?:.*\n)*?")
        else:
            lines.append(".*?".join(re.escape(piece.rstrip()) for piece in line.split("…")) + r"[ ]*\n")
    return re.compile("".join(lines) if expected.strip() else "")


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda text: text.split("\n")[0].removeprefix("$ ")[:60])
def test_transcript(transcript: str, tmp_path: Path) -> None:
    """What the README shows is what the commands print."""
    samples = tmp_path / "samples"
    # without what a rehearsal on the samples has left, the README's first command for one
    shutil.copytree(ROOT / "samples", samples, ignore=shutil.ignore_patterns("dashboards.sandbox.*", ".*"))
    command = tmp_path / "bin" / "batcher"  # this interpreter's, installed or not
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m batcher "$@"\n')
    command.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMNI_", "BATCHER_"))}
    environment |= {
        "PATH": f"{command.parent}{os.pathsep}{environment['PATH']}",
        "PYTHONPATH": str(ROOT),
        "BATCHER_STATE_DIR": str(tmp_path / "state"),
        "COLUMNS": "100",
        "HOME": str(tmp_path),
    }
    for typed, expected in steps(transcript):
        done = subprocess.run(
            ["bash", "-c", typed],
            cwd=samples,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        wanted = pattern(expected)
        assert wanted.fullmatch(done.stdout), f"$ {typed}\n--- expected\n{expected}\n--- printed\n{done.stdout}"


def test_there_are_transcripts() -> None:
    """The README shows runs, so the test above is not empty."""
    assert len(TRANSCRIPTS) >= 4


def test_two_command_lines() -> None:
    """Exactly one line sets up and runs the main job, exactly one sets up and passes the tests."""
    lines = [line for line in README.splitlines() if line.startswith("python3 -m venv")]
    assert [("batcher run" in line, "pytest" in line) for line in lines] == [(True, False), (False, True)]


def test_links_lead_somewhere() -> None:
    """Every relative link names a file that exists, every anchor a heading."""
    headings = {
        re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    }
    targets = re.findall(r"\]\(([^)]+)\)", README)
    assert targets
    for target in targets:
        if target.startswith("#"):
            assert target[1:] in headings, target
        elif not target.startswith("https://"):
            assert (ROOT / target).exists(), target


def test_the_files_of_how_it_is_built_exist() -> None:
    """Every file and directory that the last section names is in the package."""
    section = README.partition("## How it is built")[2]
    named = re.findall(r"`([a-z_/]+(?:\.py|/))`", section.replace("`batcher/", "`"))
    assert len(named) > 20
    assert [name for name in named if not (ROOT / "batcher" / name).exists()] == []


def test_options_named_in_the_readme_exist() -> None:
    """Every `--option` of batcher that the README names is in some command's help."""
    helps = ""
    for command in ("run", "check", "status", "verify", "undo", "sandbox", "config"):
        done = subprocess.run(
            [sys.executable, "-m", "batcher", command, "--help"], capture_output=True, text=True, check=True
        )
        helps += done.stdout
    known = set(re.findall(r"--[a-z][a-z-]+", helps)) | {"--version", "--help"}
    foreign = {
        "--kills",
        "--seeds",
        "--seed",
        "--jobs",
        "--quick",
        "--full",
        "--rounds",
        "--only",
        "--quiet",
        "--upgrade",
    }
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))
    assert named - known - foreign == set()


def test_the_final_object_is_told_field_by_field() -> None:
    """The README's table is the one that the code documents and its tests hold."""
    rows = [line for line in (batcher.report.summary.__doc__ or "").splitlines() if line.startswith("|")]
    assert len(rows) > 20
    assert [row for row in rows if row not in README] == []
