"""The contract is the page that code cites, and says honestly what is not built yet."""

from __future__ import annotations

import re
import subprocess
import sys

from .pages import API, CONTRACT, OPTION, README, ROOT, options, text_of

MARK = "**(not built yet)**"


def sections(text: str) -> dict[int, str]:
    """The numbered sections, by number, each with its heading."""
    parts = re.split(r"^## (?=\d+\. )", text, flags=re.MULTILINE)[1:]
    return {int(part.partition(".")[0]): part for part in parts}


def test_sections_keep_their_numbers() -> None:
    """Code and issues cite them."""
    assert list(sections(text_of(CONTRACT))) == list(range(1, 18))
    assert list(sections(text_of(API))) == list(range(1, 18))


def test_what_code_cites_is_there() -> None:
    """`(contract 7)` and `API.md 5` name sections, and none that is not built."""
    files = [*(ROOT / "batcher").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    text = "\n".join(text_of(file) for file in files if file.name != "test_contract.py")
    built = {number for number, part in sections(text_of(CONTRACT)).items() if MARK not in part.splitlines()[0]}
    cited = {
        int(number)
        for group in re.findall(r"[Cc]ontract (\d+(?:(?:, | and | to )\d+)*)", text)
        for number in re.findall(r"\d+", group)
    }
    assert cited
    assert cited <= built
    assert {int(number) for number in re.findall(r"API\.md (\d+)", text)} <= set(sections(text_of(API)))
    assert "omni-api" not in text


def built(text: str) -> str:
    """What the contract promises today: sections, list items, rows and sentences without the mark."""
    kept = [part for part in sections(text).values() if MARK not in part.splitlines()[0]]
    blocks = [block for part in kept for block in re.split(r"\n(?=[-|] |\n)", part)]
    return "\n".join(block for block in blocks if MARK not in block)


def test_options_that_are_promised_exist() -> None:
    """An option of a promise without the mark is in some command's help."""
    promised = set(OPTION.findall(built(text_of(CONTRACT))))
    assert len(promised) > 30
    assert promised - options() == set()


def test_options_that_exist_are_promised() -> None:
    """The contract knows each option, and the sandbox's README the options of the sandbox."""
    known = {"--help", "--version", "--verbose", "--quiet", *OPTION.findall(text_of(CONTRACT))}
    known |= set(OPTION.findall(text_of(ROOT / "batcher" / "sandbox" / "README.md")))
    assert options() - known == set()


def test_what_is_not_in_this_version_is_said_where_users_look() -> None:
    """In the contract, the README and the help, with the same words."""
    done = subprocess.run([sys.executable, "-m", "batcher", "--help"], capture_output=True, text=True, check=True)
    pages = (text_of(CONTRACT), text_of(README), done.stdout)
    missing = "updating a document in place, permissions, owners, schedules, Windows."
    assert [missing in " ".join(page.split()) for page in pages] == [True, True, True]
