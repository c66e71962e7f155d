"""How batcher speaks: words and phrases that must not come back in what users see.

Each was marked by a reader as translated, private, or not American English. Read are all texts of `batcher/` that may
reach a person (its string literals of more than one word, but docstrings), and all pages.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from .pages import ROOT

UNWANTED = {
    r"\bmend(ed|s)?\b": "fix",
    r"\bfine (ones|rows)\b|: \d+ fine\b": "valid",
    r"\bso long\b": "for this long",
    r"\bin good order\b": "gracefully",
    r"\bcan(not|'t) be had\b": "isn't available",
    r"\bas (their|its|the) rows? says?\b": "match their rows",
    r"\bof its own\b(?! \w)": "its own, separate",
    r"(?<![Tt]here )\bis no (?!longer\b|one\b|more\b)": "isn't a",
    r"\bfor ever\b": "forever",
    r"\breckon": "handle",
    r"\bctrl-C\b": "Ctrl-C",
    r"\bRunning it again is right\b": "It's always safe to run it again",
    r"\b[Mm]ake room\b": "free up space",
    r"\btake(n)? (the|a) blank\b|\bquote after a blank\b": "space",
    r"\bhinders?\b": "what went wrong, in words",
    r"\bnobody knows\b|\bNobody knows\b": "it isn't known",
    r"\bsomebody\b": "someone",
    r"\b[Ll]ook at what\b": "check what",
    r"\bsomething before the server\b|\bbefore the server (refus|block)": "in front of the server",
    r"\b(un)?said\b(?= \w+ of)|\bis said\b": "reported",
    r"\bown folder\b": "personal folder",
    r"\bany more\b": "anymore, again",
    r"\bgoes on\b(?= (in|with))|\bgo on in\b": "continue",
    r"\bno plain file\b|\bnot a plain file\b": "isn't a regular file",
    r"\bagain and again\b": "repeatedly",
    r"\bsurely\b": "probably",
    r"\bstands? in (the|a|files|its)\b": "is in, appears in",
    r"\bcomplains?\b": "reports",
    r"\bbehind the host\b": "after the host",
    r"\b[Cc]olour": "color",
    r"\b(in|at) the light of\b": "given",
    r"\ball the same\b": "anyway",
    r"\bnumbered anew\b": "renumbered",
    r"\b[Nn]obody\s+can (say|tell)\b": "there's no way to tell",
    r"\bmade twice\b": "created twice",
    r"\bknows (nothing|no row)\b": "has no record of, has no row",
    r"\bexclude each other\b": "can't be combined",
    r"\bgone by\b": "in the past",
    r"\bbeside (it|the results)\b": "next to",
    r"\b(which|that) no \w+ leads\b": "can't be reached through",
    r"\bbehind the rate limit\b": "after the rate limit",
    r"\bwhat (became|becomes) of (it|each|its|every)\b": "the outcome",
    r"\boversteps?\b": "exceed",
}


def _texts() -> Iterator[tuple[str, str]]:
    """Where, and what may reach a person: string literals that are no docstrings, and pages."""
    for path in sorted((ROOT / "batcher").rglob("*.py")):
        tree = ast.parse(path.read_text())
        owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        docstrings = {
            node.body[0].value
            for node in ast.walk(tree)
            if isinstance(node, owners) and node.body and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            match node:
                case ast.Constant(value=str(text)) if " " in text.strip() and node not in docstrings:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", text
    for path in [ROOT / "README.md", *(ROOT / "batcher").rglob("*.md"), *(ROOT / "samples").rglob("*.md")]:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            yield f"{path.relative_to(ROOT)}:{number}", line


TEXTS = list(_texts())


@pytest.mark.parametrize("phrase", UNWANTED)
def test_what_reads_odd_does_not_come_back(phrase: str) -> None:
    """A phrase that a reader marked once isn't written again; the table says what to write."""
    found = [f"{where}: {text.strip()[:120]}" for where, text in TEXTS if re.search(phrase, text)]
    assert not found, f"write {UNWANTED[phrase]!r} instead:\n" + "\n".join(found)
