"""Every README stays true: its transcripts are run, its links lead somewhere, what it names exists.

A ```console block is a transcript: each `$ ` line is run by a shell in a fresh copy of `samples/`, and what it prints
must be what follows. `…` stands for anything within a line, a line of `…` alone for any lines.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import batcher

from .pages import CONTRACT, OPTION, PAGES, README, READMES, ROOT, name_of, options, text_of

TRANSCRIPTS = [
    pytest.param(transcript, id=f"{name_of(page)}: {transcript.splitlines()[0][2:50]}")
    for page in READMES
    for transcript in re.findall(r"^```console\n(.*?)^```", text_of(page), re.MULTILINE | re.DOTALL)
]
FOREIGN_OPTIONS = {  # of pip, of our measuring scripts
    "--quiet",
    "--tool",
    "--seed",
    "--seeds",
    "--jobs",
    "--teeth",
    "--people",
    "--versions",
    "--placed",
    "--kills",
    "--signals",
    "--quick",
    "--full",
    "--rounds",
    "--only",
    "--against",
    "--target",
    "--executions",
    "--guided",
    "--file",
    "--keep",
}


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


def machine(directory: Path) -> dict[str, str]:
    """The environment of somebody who has just installed batcher: this interpreter's, installed or not."""
    command = directory / "bin" / "batcher"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m batcher "$@"\n')
    command.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMNI_", "BATCHER_"))}
    return environment | {
        "PATH": f"{command.parent}{os.pathsep}{environment['PATH']}",
        "PYTHONPATH": str(ROOT),
        "BATCHER_STATE_DIR": str(directory / "state"),
        "COLUMNS": "100",
        "HOME": str(directory),
    }


@pytest.mark.parametrize("transcript", TRANSCRIPTS)
def test_transcript(transcript: str, tmp_path: Path) -> None:
    """What a README shows is what the commands print."""
    samples = tmp_path / "samples"
    # without what a rehearsal on the samples has left, the README's first command for one
    shutil.copytree(ROOT / "samples", samples, ignore=shutil.ignore_patterns("dashboards.sandbox.*", ".*"))
    environment = machine(tmp_path)
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
    """The READMEs show runs, so the test above is not empty."""
    assert len(TRANSCRIPTS) >= 6


def test_the_readme_is_for_somebody_in_a_hurry() -> None:
    """At most 200 lines, and the first screen ends with a run that has nothing left to do."""
    text = text_of(README)
    assert len(text.splitlines()) <= 200
    assert "Nothing to do" in text.split("\n## ", 1)[0]


def test_two_command_lines() -> None:
    """Exactly one line sets up and runs the main job, exactly one sets up and passes the tests."""
    lines = [line for line in text_of(README).splitlines() if line.startswith("python3 -m venv")]
    assert [("batcher run" in line, "pytest" in line) for line in lines] == [(True, False), (False, True)]


def test_the_smallest_input_is_valid(tmp_path: Path) -> None:
    """The three lines that the README opens with pass `check`."""
    [rows] = re.findall(r"^```csv\n(.*?)^```", text_of(README), re.MULTILINE | re.DOTALL)
    assert len(rows.splitlines()) == 3
    (tmp_path / "d.csv").write_text(rows)
    done = subprocess.run(
        ["batcher", "check", "d.csv"], cwd=tmp_path, env=machine(tmp_path), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def headings(page: Path) -> set[str]:
    """The anchors of a page, as GitHub makes them."""
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", text_of(page), re.MULTILINE)
    }


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that exists, every anchor a heading of it."""
    for target in re.findall(r"\]\(([^)]+)\)", text_of(page)):
        if not target.startswith("https://"):
            name, _, anchor = target.partition("#")
            file = page.parent / name if name else page
            assert file.exists(), target
            assert not anchor or anchor in headings(file), target


@pytest.mark.parametrize("page", READMES, ids=name_of)
def test_files_and_folders_named_exist(page: Path) -> None:
    """A path in backquotes is a path from the page, from the repository or in the package."""
    named = re.findall(r"`([\w./-]+(?:\.py|\.md|/))`", text_of(page))
    places = (page.parent, ROOT, ROOT / "batcher")
    assert [name for name in named if not any((place / name).exists() for place in places)] == []


@pytest.mark.parametrize("page", READMES, ids=name_of)
def test_options_named_exist(page: Path) -> None:
    """Every `--option` of batcher that a README names is in some command's help."""
    assert set(OPTION.findall(text_of(page))) - options() - FOREIGN_OPTIONS == set()


HOUSE = ROOT / "batcher" / "README.md"


def house() -> list[tuple[str, str]]:
    """The folders that the package's README draws, each with its line."""
    section = text_of(HOUSE).partition("## Layout")[2]
    return re.findall(r"^  (\w+)/ +(.*)$", section, re.MULTILINE)


def test_the_house_is_the_package() -> None:
    """Each folder of the package is listed with the first line of its `__init__.py`."""
    folders = {
        init.parent.name: (ast.get_docstring(ast.parse(text_of(init))) or "").splitlines()[0]
        for init in (ROOT / "batcher").glob("*/__init__.py")
    }
    assert dict(house()) == folders


def test_the_house_is_listed_from_top_to_bottom() -> None:
    """In the order of the layers that import-linter holds."""
    settings = tomllib.loads(text_of(ROOT / "pyproject.toml"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    names = [name.strip().removeprefix("batcher.") for layer in layers for name in layer.split(":")]
    folders = [name for name, _ in house()]
    assert folders == [name for name in names if name in folders]


def test_the_modules_beside_the_folders_are_named() -> None:
    """So that `ls batcher` holds nothing that it is silent about."""
    section = text_of(HOUSE).partition("## Layout")[2]
    modules = {path.name for path in (ROOT / "batcher").glob("[a-z]*.py")}
    assert modules - set(re.findall(r"`(\w+\.py)`", section)) == set()


@pytest.mark.parametrize("code", [batcher.__doc__ or "", text_of(CONTRACT)], ids=["batcher", "contract"])
def test_the_librarys_examples_compile(code: str) -> None:
    """What they take from `batcher` is there."""
    fenced = re.findall(r"^```python\n(.*?)^```", code, re.MULTILINE | re.DOTALL)
    indented = "".join(line[4:] or "\n" for line in code.splitlines(keepends=True) if line[:4] in ("    ", "\n"))
    example = fenced[0] if fenced else indented
    compile(example, "example", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    named = set(re.findall(r"batcher\.(\w+)", example))
    assert {"Client", "create"} <= named
    assert [name for name in named if not hasattr(batcher, name)] == []
