"""A file of keys, one a line: for which rows an answer is meant. A refusal writes one that a person then shortens.

Blank lines and lines that begin with `#` are comments. A key that could be taken for something else is written as a JSON text.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from pathlib import Path

import orjson

from ..api_keys import looks_like_api_key
from ..errors import UsageError
from .content_messages import problem_of
from .pairs import Pair

_HEAD = """\
# Rows that may be old ones under new keys, or new ones under used keys: one key per line.
# Keep the rows that your answer is for, and run again with --rekey or --create-again.
"""


def read_rows(path: Path, api_keys: Container[str] = ()) -> frozenset[str]:
    """The keys in such a file. Raises UsageError, also for what looks like an API key or is one of these."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: this is not UTF-8. Save it as UTF-8.") from error
    return frozenset(
        _key_in(line, f"{path}:{number}", api_keys)
        for number, line in enumerate(lines, 1)
        if line.strip() and line[0] != "#"
    )


def _key_in(line: str, place: str, api_keys: Container[str]) -> str:
    try:
        key = str(orjson.loads(line)) if line.startswith('"') else line.strip()
    except orjson.JSONDecodeError as error:
        raise UsageError(
            f"{place}: a line that begins with a quote is a JSON string, and this isn't one ({error})."
        ) from None
    if looks_like_api_key(key, api_keys):
        raise UsageError(f"{place}: this looks like an API key; keys of rows are expected here. Nothing was sent.")
    return key


def write_rows(path: Path | None, pairs: Iterable[Pair]) -> None:
    """Write the keys of these pairs' new rows into a new file, each after what is told of it. Raises UsageError."""
    if path is None:
        return
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(_HEAD)
            file.writelines(_lines_of(pairs))
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}. Nothing was sent.") from error


def _lines_of(pairs: Iterable[Pair]) -> Iterator[str]:
    for pair in pairs:
        problem = problem_of(pair)
        plain = pair.own.isprintable() and pair.own == pair.own.strip() and pair.own[:1] not in ("", "#", '"')
        yield f"# {problem.source}:{problem.line} {' '.join(problem.message.split())}\n"
        yield f"{pair.own if plain else orjson.dumps(pair.own).decode()}\n"
