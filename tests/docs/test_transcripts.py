"""Whole stories at the command line, as pages to read: what each command prints is what the page shows.

They differ from the READMEs' transcripts in that each page is one story in one directory. `…` stands for anything
within a line, a line of `…` alone for any lines. A line that begins with `> ` continues the command.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from .pages import ROOT, name_of, text_of
from .test_readme import machine, pattern, steps

STORIES = sorted((ROOT / "tests" / "docs" / "transcripts").glob("*.md"))


def told(page: Path) -> list[tuple[str, str]]:
    """The commands of a page, in order, each with what it should print."""
    blocks = re.findall(r"^```console\n(.*?)^```", text_of(page), re.MULTILINE | re.DOTALL)
    joined = "".join(blocks)
    return [_with_continuation(typed, expected) for typed, expected in steps(joined)]


def _with_continuation(typed: str, expected: str) -> tuple[str, str]:
    lines = expected.splitlines(keepends=True)
    more = [line for line in lines if line.startswith("> ")]
    return typed + "".join(f"\n{line[2:].rstrip()}" for line in more), "".join(lines[len(more) :])


@pytest.mark.parametrize("page", STORIES, ids=name_of)
def test_story(page: Path, tmp_path: Path) -> None:
    """What the page shows is what somebody sees who types it."""
    environment = machine(tmp_path)
    place = tmp_path / "story"
    place.mkdir()
    for typed, expected in told(page):
        done = subprocess.run(
            ["bash", "-c", typed],
            cwd=place,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        wanted = pattern(expected)
        assert wanted.fullmatch(done.stdout), f"$ {typed}\n--- expected\n{expected}\n--- printed\n{done.stdout}"


def test_the_newcomer_makes_ten_mistakes() -> None:
    """Each is numbered, and none is answered with a traceback."""
    text = text_of(STORIES[-1])
    assert re.findall(r"^\*\*(\d+)\.", text, re.MULTILINE) == [str(number) for number in range(1, 11)]
    assert "Traceback" not in text
