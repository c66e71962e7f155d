"""The pages that people read: every README, the contract, and the API facts."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from ..support.command import start

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
CONTRACT = ROOT / "batcher" / "CONTRACT.md"
API = ROOT / "batcher" / "omni" / "API.md"
READMES = [
    README,
    *sorted(path for part in ("batcher", "samples", "tests") for path in (ROOT / part).rglob("README.md")),
]
PAGES = [*READMES, CONTRACT, API]

COMMANDS = ("models", "run", "check", "status", "verify", "undo", "sandbox", "config")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def name_of(page: Path) -> str:
    """A page's name in test ids."""
    return str(page.relative_to(ROOT))


def text_of(page: Path) -> str:
    """What the page says."""
    return page.read_text(encoding="utf-8")


@cache
def options() -> frozenset[str]:
    """Every `--option` that the help of some command shows."""
    helps = [start(ROOT, command, "--help").stdout for command in COMMANDS]
    return frozenset(OPTION.findall("".join(helps))) | {"--help", "--version"}
